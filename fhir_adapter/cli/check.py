"""`check`: what a server can do, before anything is fetched."""

from __future__ import annotations

from fhir_adapter.cli.app import app
from fhir_adapter.cli.options import Config, Group, ListOf, Patients, Server, given, settings_from
from fhir_adapter.errors import UsageError


@app.command()
def check(
    config: Config = None,
    server: Server = None,
    patients: Patients = None,
    group: Group = None,
    list: ListOf = None,
) -> None:
    """Connect to a server and say how each resource type will be fetched, and what will not work."""
    settings = settings_from(config, True, given(locals()))
    from fhir_adapter.pipeline.connection import connected
    from fhir_adapter.pipeline.fetch import plan_streams

    if settings.folder:
        raise UsageError("`check` is for servers", "name one with --server")
    with connected(settings.server, settings) as transport:
        for stream in plan_streams(transport, settings):
            print(f"{'WARN' if stream.how == 'unsupported' else 'ok':4}  {stream.type:26}  {stream.reason}")
