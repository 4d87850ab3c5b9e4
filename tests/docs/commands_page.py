"""`docs/reference/commands.md`, made of the commands. Run it to write the page again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from command_line import COMMAND, VERBS

from fhir_adapter.cli.app import EXIT_CODES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"
_HEAD = """\
# Commands

Written from the commands themselves: this is what the `--help` of each one says. Most flags are also
[settings of a site](settings.md), in a file or in the environment; a flag wins.
"""


def page() -> str:
    sections = (line for name, verb in VERBS.items() for line in _section(verb, f"fhir-adapter {name}"))
    own = _options(COMMAND, COMMAND.context_class(COMMAND))
    return "\n".join([_HEAD, *own, f"{EXIT_CODES} [Each with its causes and cures](exit-codes.md).\n", *sections])


def _section(command: click.Command, path: str) -> Iterator[str]:
    context = command.context_class(command, info_name=path)
    yield f"## {path.removeprefix('fhir-adapter ')}\n"
    yield f"{_cell(command.help or '')}\n"
    yield f"```text\n{' '.join([path, *command.collect_usage_pieces(context)])}\n```\n"
    yield from _options(command, context)
    for name, inner in getattr(command, "commands", {}).items():
        yield from _section(inner, f"{path} {name}")


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    """The table of arguments and flags, as the help has them."""
    records = [record for option in command.params if (record := option.get_help_record(context))]
    if records:
        yield "| argument or flag | what |"
        yield "|---|---|"
        yield from (f"| `{_cell(names)}` | {_cell(says)} |" for names, says in records)
        yield ""


def _cell(text: str) -> str:
    """One line that a table can hold."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
