"""`demo` and `sandbox`: trying it out with invented patients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fhir_adapter.cli.app import app
from fhir_adapter.cli.options import Config, Server, settings_from
from fhir_adapter.cli.screen import now, print_comparison, say
from fhir_adapter.errors import UsageError

if TYPE_CHECKING:
    from fhir_adapter.settings import Settings

sandboxes = typer.Typer(invoke_without_command=True)
app.add_typer(sandboxes, name="sandbox")

Receipt = Annotated[Path, typer.Option(help="File that keeps what was loaded.")]


@app.command()
def demo(out: Annotated[Path, typer.Option(help="Where the results go.")] = Path("out/demo")) -> None:
    """Run the whole job on invented patients against a FHIR server of its own; compare with the published study."""
    from fhir_adapter.pipeline.demo import demo as show

    compared = show(out, now(), say)
    for cut in compared:
        print_comparison(cut)
    if not all(row.same for cut in compared for row in cut.rows):
        raise typer.Exit(1)


@sandboxes.callback()
def sandbox(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    load: Annotated[bool, typer.Option("--load/--empty", help="Load the invented patients.")] = True,
) -> None:
    """Run a small FHIR R4 server on loopback until it is interrupted; or load a server, and unload it again."""
    if context.invoked_subcommand:
        return
    from fhir_adapter.pipeline.loading import load_fixtures
    from fhir_adapter.sandbox import Sandbox

    with Sandbox(port=port) as server:
        if load:
            say(f"{load_fixtures(server.base_url)} Bundles loaded")
        print(server.base_url, flush=True)
        server.wait()


@sandboxes.command("load")
def load_server(
    config: Config = None,
    server: Server = None,
    receipt: Receipt = Path("sandbox-load.json"),
    background: Annotated[
        bool, typer.Option("--background/--study-only", help="Also the people around the twelve of the study.")
    ] = True,
    is_for_tests: Annotated[
        bool, typer.Option("--yes-this-is-a-test-server", help="Needed for a server that is not on this machine.")
    ] = False,
) -> None:
    """Put the invented patients on a test server, tagged; the receipt says what to take away again."""
    settings = server_settings(config, server)
    import uuid

    from fhir_adapter.pipeline.connection import connected
    from fhir_adapter.pipeline.loading import STORIES, access_to, fixture_bundles, load, require_test_server, types_in
    from fhir_adapter.pipeline.receipt import patients_file

    require_test_server(settings.server, is_for_tests)
    bundles = list(fixture_bundles(STORIES if background else STORIES[:1]))
    with connected(settings.server, settings, access_to(types_in(bundles)), say) as transport:
        loaded = load(transport, bundles, receipt, uuid.uuid4().hex, say)
    print_counts("loaded", Counter(place.partition("/")[0] for place in loaded.resources.values()))
    print_files((receipt, patients_file(receipt)))


@sandboxes.command("unload")
def unload_server(config: Config = None, server: Server = None, receipt: Receipt = Path("sandbox-load.json")) -> None:
    """Take away from a server exactly what `load` has put there."""
    settings = server_settings(config, server)
    from fhir_adapter.pipeline.connection import connected
    from fhir_adapter.pipeline.loading import access_to
    from fhir_adapter.pipeline.receipt import read_receipt
    from fhir_adapter.pipeline.unloading import unload

    with connected(settings.server, settings, access_to(read_receipt(receipt).types), say) as transport:
        print_counts("removed", unload(transport, receipt, say))


def server_settings(config: Path | None, server: str | None) -> Settings:
    settings = settings_from(config, True, {"server": server})
    if not settings.server:
        raise UsageError("a folder cannot be loaded", "name a server with --server")
    return settings


def print_counts(what: str, counts: Counter[str]) -> None:
    print(f"{counts.total()} resources {what}: {', '.join(f'{counts[type]} {type}' for type in sorted(counts))}")


def print_files(paths: Iterable[Path]) -> None:
    for path in paths:
        print(f"  {path}")
