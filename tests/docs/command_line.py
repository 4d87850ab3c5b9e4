"""The command as it is: its verbs and flags, and the targets of the Makefile."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import typer
from pages import ROOT

from fhir_adapter.cli import app

COMMAND = typer.main.get_command(app)
VERBS = COMMAND.commands  # type: ignore[attr-defined]
TARGETS = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def every(verb: click.Command) -> Iterator[click.Command]:
    """A verb and the verbs below it."""
    yield verb
    for inner in getattr(verb, "commands", {}).values():
        yield from every(inner)


FLAGS = {flag for one in every(COMMAND) for option in one.params for flag in (*option.opts, *option.secondary_opts)}


def parse(words: list[str]) -> None:
    """Parse a command as the program would, without running it; raises for an unknown verb, flag or value."""
    verb, *arguments = words
    if words in ([flag] for option in COMMAND.params for flag in option.opts):
        return
    command: click.Command = VERBS[verb]
    inner = getattr(command, "commands", {})
    if arguments and inner and not arguments[0].startswith("-"):
        verb, *arguments = arguments
        command = inner[verb]
    command.make_context(verb, arguments)


def is_ours(word: str) -> bool:
    return word in ("fhir-adapter", ".venv/bin/fhir-adapter")
