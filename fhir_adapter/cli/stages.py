"""The main job: `run`, and its stages one by one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhir_adapter.cli.app import app
from fhir_adapter.cli.options import (
    Config,
    Folder,
    LogFormat,
    Out,
    PageSize,
    Patients,
    Publish,
    PublishTo,
    Quiet,
    Server,
    SetParameter,
    Study,
    Verbose,
    given,
    settings_from,
)
from fhir_adapter.cli.screen import now, print_ledger, print_results
from fhir_adapter.cli.telling import telling

if TYPE_CHECKING:
    from fhir_adapter.pipeline import Stage


@app.command()
def run(
    config: Config = None,
    server: Server = None,
    folder: Folder = None,
    study: Study = None,
    set: SetParameter = None,
    out: Out = None,
    patients: Patients = None,
    page_size: PageSize = None,
    publish: Publish = None,
    publish_to: PublishTo = None,
    log_format: LogFormat = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Fetch, build, analyse, report and publish, in this order."""
    settings = settings_from(config, True, given(locals()))
    from fhir_adapter.pipeline import run as run_all
    from fhir_adapter.unattended.watch import watched

    started_at = now()
    with telling(settings.log_format, quiet, verbose) as say, watched("run", settings, started_at):
        results = run_all(settings, started_at, say)
    print_results(settings, results)


@app.command()
def fetch(
    config: Config = None,
    server: Server = None,
    folder: Folder = None,
    out: Out = None,
    patients: Patients = None,
    page_size: PageSize = None,
    log_format: LogFormat = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Bring the landing store up to date with the server or folder."""
    settings = settings_from(config, True, given(locals()))
    from fhir_adapter.pipeline import fetch_only
    from fhir_adapter.unattended.watch import watched

    started_at = now()
    with telling(settings.log_format, quiet, verbose) as say, watched("fetch", settings, started_at):
        fetched = fetch_only(settings, started_at, say)
    print_ledger(fetched.ledger)


def _stage(last: Stage, config: Path | None, flags: dict[str, Any]) -> None:
    from fhir_adapter.pipeline import continue_from_store

    settings = settings_from(config, False, flags)
    with telling(settings.log_format) as say:
        results = continue_from_store(settings, now(), last, say)
    print_results(settings, results)


@app.command()
def build(config: Config = None, study: Study = None, set: SetParameter = None, out: Out = None) -> None:
    """Map what was fetched to the cohort model and judge every person."""
    _stage("build", config, given(locals()))


@app.command()
def analyze(config: Config = None, study: Study = None, set: SetParameter = None, out: Out = None) -> None:
    """Compute times to event and every statistic of the study (builds first)."""
    _stage("analyze", config, given(locals()))


@app.command()
def report(config: Config = None, study: Study = None, set: SetParameter = None, out: Out = None) -> None:
    """Write the report (builds and analyses first)."""
    _stage("report", config, given(locals()))


@app.command()
def publish(
    config: Config = None,
    server: Server = None,
    study: Study = None,
    set: SetParameter = None,
    out: Out = None,
    publish_to: PublishTo = None,
) -> None:
    """Build the MeasureReports and write them to the server; unchanged ones are left alone."""
    _stage("publish", config, given(locals()))
