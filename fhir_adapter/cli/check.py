"""`check`: what a server can do, before anything is fetched."""

from __future__ import annotations

from typing import Annotated

import typer

from fhir_adapter.cli.app import app
from fhir_adapter.cli.options import Config, Group, ListOf, Out, Patients, Server, Study, given, settings_from
from fhir_adapter.cli.planned import print_checked
from fhir_adapter.cli.screen import now, say
from fhir_adapter.errors import UsageError


@app.command()
def check(
    config: Config = None,
    server: Server = None,
    study: Study = None,
    out: Out = None,
    patients: Patients = None,
    group: Group = None,
    list: ListOf = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as data.")] = False,
    probe_writes: Annotated[
        bool,
        typer.Option("--probe-writes", help="Also create and delete a Basic resource, to see how to publish."),
    ] = False,
    probe_export: Annotated[
        bool, typer.Option("--probe-export", help="Also order a bulk export, and cancel it at once.")
    ] = False,
) -> None:
    """Ask a server what it can do and whether it does that: how each type will be fetched, and what will not work.

    A few small searches; nothing is written, unless a --probe flag says so. The exit code is 0 if a fetch can work.
    """
    settings = settings_from(config, True, given(locals()))
    from fhir_adapter.pipeline.checking import check_server
    from fhir_adapter.pipeline.connection import connected

    if settings.folder:
        raise UsageError("`check` is for servers", "name one with --server")
    with connected(settings.server, settings, say=say) as transport:
        checked = check_server(transport, settings, now(), writes=probe_writes, export=probe_export)
    print_checked(checked, as_json=as_json)
    if checked.exit_code:
        raise typer.Exit(checked.exit_code)
