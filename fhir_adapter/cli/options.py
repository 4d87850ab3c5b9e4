"""Options that several commands share, and the settings they add up to."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fhir_adapter.errors import UsageError
from fhir_adapter.unattended.logs import start_logs

if TYPE_CHECKING:
    from fhir_adapter.settings import Settings

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML file with settings; keys equal the long flags.")
]
Server = Annotated[str | None, typer.Option(help="Base URL of the FHIR R4 server to read from.")]
Folder = Annotated[Path | None, typer.Option(help="Folder with NDJSON files or Bundles to read instead of a server.")]
Study = Annotated[str | None, typer.Option(help="Study folder, or the name of one that came with the software.")]
SetParameter = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A study parameter that wins over study.toml.")
]
Out = Annotated[Path | None, typer.Option(help="Output folder (default: out).")]
Patients = Annotated[Path | None, typer.Option(help="File with Patient ids, one a line, for servers that need them.")]
Group = Annotated[str | None, typer.Option(help="Id of a Group on the server: only its members are asked for.")]
ListOf = Annotated[
    str | None, typer.Option("--list", help="Id of a List on the server: only the patients in it are asked for.")
]
PageSize = Annotated[int | None, typer.Option(help="Resources to ask for in one page.")]
Publish = Annotated[bool | None, typer.Option("--publish/--no-publish", help="Write the MeasureReports to the server.")]
Deqm = Annotated[
    bool | None,
    typer.Option("--deqm/--no-deqm", help="Write the MeasureReports in the shape of the DEQM summary profile."),
]
Engine = Annotated[str | None, typer.Option(metavar="serial|processes|spark", help="Who does the work.")]
Workers = Annotated[int | None, typer.Option(help="Processes of the engine `processes`; 0: one per core.")]
SparkMaster = Annotated[str | None, typer.Option(help="Master of the engine `spark`: local[2], spark://host:7077.")]
PublishTo = Annotated[str | None, typer.Option(help="Another FHIR server to write the MeasureReports to.")]


def _complain_in(format: str | None) -> str | None:
    """What is wrong with the settings themselves is also told in the format that is asked for."""
    if format == "json":
        start_logs("json", logging.WARNING)
    return format


LogFormat = Annotated[
    str | None,
    typer.Option(
        metavar="text|json",
        callback=_complain_in,
        help="What goes to standard error: text, or one JSON object a line.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; only warnings and errors.")]
Full = Annotated[bool, typer.Option("--full", help="Fetch everything anew, not only what changed since the last run.")]
AcceptDeletions = Annotated[
    bool, typer.Option("--accept-deletions", help="Believe it when much more than usual is not there any more.")
]
RetryQuarantine = Annotated[
    bool, typer.Option("--retry-quarantine", help="Look again at what was set aside, also as the server has it now.")
]
AsOf = Annotated[
    str,
    typer.Option("--as-of", metavar="RUN|DATE", help="From what was known after that run, or at the end of that day."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Also what is asked again, and how long it took.")]


# What is said on the command line alone, for once.
_OF_THE_MOMENT = frozenset(
    {
        *("config", "quiet", "verbose", "full", "accept_deletions", "retry_quarantine", "as_of", "dry_run"),
        *("as_json", "probe_writes", "probe_export", "individual"),
    }
)


def settings_from(config: Path | None, need_source: bool, flags: dict[str, Any]) -> Settings:
    from fhir_adapter.settings import read_settings

    said = dict(flags)
    said["set"] = dict(_pair(one) for one in said.get("set") or ())
    return read_settings(config, said, need_source=need_source)


def _pair(text: str) -> tuple[str, str]:
    key, found, value = text.partition("=")
    if not found or not key.strip():
        raise UsageError("--set needs KEY=VALUE", "for example --set interval_days=28")
    return key.strip(), value.strip()


def given(arguments: dict[str, Any]) -> dict[str, Any]:
    """The flags of a command that are settings, from its local names; asked for before a command imports anything."""
    return {name: value for name, value in arguments.items() if name not in _OF_THE_MOMENT}
