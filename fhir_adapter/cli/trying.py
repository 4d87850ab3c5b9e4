"""`demo` and `sandbox`: trying it out with invented patients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fhir_adapter.cli.app import app
from fhir_adapter.cli.screen import now, print_comparison, say


@app.command()
def demo(out: Annotated[Path, typer.Option(help="Where the results go.")] = Path("out/demo")) -> None:
    """Run the whole job on invented patients against a FHIR server of its own; compare with the published study."""
    from fhir_adapter.pipeline.demo import demo as show

    compared = show(out, now(), say)
    for cut in compared:
        print_comparison(cut)
    if not all(row.same for cut in compared for row in cut.rows):
        raise typer.Exit(1)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    load: Annotated[bool, typer.Option("--load/--empty", help="Load the invented patients.")] = True,
) -> None:
    """Run a small FHIR R4 server on loopback until it is interrupted."""
    from fhir_adapter.pipeline.demo import load_fixtures
    from fhir_adapter.sandbox import Sandbox

    with Sandbox(port=port) as server:
        if load:
            say(f"{load_fixtures(server.base_url)} Bundles loaded")
        print(server.base_url, flush=True)
        server.wait()
