"""The main job: `run`, and its stages one by one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fhir_adapter.cli.app import app
from fhir_adapter.cli.options import (
    AcceptDeletions,
    AsOf,
    Config,
    Deqm,
    Engine,
    Folder,
    Full,
    Group,
    ListOf,
    LogFormat,
    Out,
    PageSize,
    Patients,
    Publish,
    PublishTo,
    Quiet,
    RetryQuarantine,
    Server,
    SetParameter,
    SparkMaster,
    Study,
    Verbose,
    Workers,
    given,
    settings_from,
)
from fhir_adapter.cli.planned import print_checked
from fhir_adapter.cli.screen import now, print_foreseen, print_ledger, print_results, print_retried
from fhir_adapter.cli.telling import telling

if TYPE_CHECKING:
    from fhir_adapter.pipeline import Stage
    from fhir_adapter.settings import Settings

Individual = Annotated[
    bool,
    typer.Option("--individual", help="Also a report about each person, with its records: patient data."),
]
WouldSend = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be written, entry by entry; write nothing.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be fetched and how; touch nothing.")]


@app.command()
def run(
    config: Config = None,
    server: Server = None,
    folder: Folder = None,
    study: Study = None,
    set: SetParameter = None,
    out: Out = None,
    patients: Patients = None,
    group: Group = None,
    list: ListOf = None,
    page_size: PageSize = None,
    publish: Publish = None,
    publish_to: PublishTo = None,
    deqm: Deqm = None,
    engine: Engine = None,
    workers: Workers = None,
    spark_master: SparkMaster = None,
    full: Full = False,
    accept_deletions: AcceptDeletions = False,
    log_format: LogFormat = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Fetch, build, analyse, report and publish, in this order."""
    settings = settings_from(config, True, given(locals()))
    from fhir_adapter.pipeline import Manner
    from fhir_adapter.pipeline import run as run_all
    from fhir_adapter.unattended.watch import watched

    started_at, manner = now(), Manner(full, accept_deletions)
    with telling(settings.log_format, quiet, verbose) as say, watched("run", settings, started_at):
        results = run_all(settings, started_at, say, manner)
    print_results(settings, results)


@app.command()
def fetch(
    config: Config = None,
    server: Server = None,
    folder: Folder = None,
    study: Study = None,
    out: Out = None,
    patients: Patients = None,
    group: Group = None,
    list: ListOf = None,
    page_size: PageSize = None,
    engine: Engine = None,
    workers: Workers = None,
    spark_master: SparkMaster = None,
    full: Full = False,
    accept_deletions: AcceptDeletions = False,
    retry_quarantine: RetryQuarantine = False,
    dry_run: DryRun = False,
    log_format: LogFormat = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Bring the landing store up to date with the server or folder."""
    settings = settings_from(config, True, given(locals()))
    if dry_run:
        _foretell(settings)
        return
    from fhir_adapter.pipeline import Manner, fetch_only
    from fhir_adapter.unattended.watch import watched

    started_at, manner = now(), Manner(full, accept_deletions, retry_quarantine)
    with telling(settings.log_format, quiet, verbose) as say, watched("fetch", settings, started_at):
        fetched = fetch_only(settings, started_at, say, manner)
    print_ledger(fetched.ledger)
    if retry_quarantine:
        print_retried(fetched.retried)


def _foretell(settings: Settings) -> None:
    """What a fetch would ask for. Only the server is asked, with a few small searches; nothing is made here."""
    from fhir_adapter.ehr.folder import scan
    from fhir_adapter.pipeline.checking import foresee
    from fhir_adapter.pipeline.connection import connected

    if settings.folder:
        print(f"{len(list(scan(settings.folder)))} files of {settings.folder} would be read")
        return
    with connected(settings.server, settings) as transport:
        print_checked(foresee(transport, settings, now()))


def _stage(
    last: Stage, config: Path | None, flags: dict[str, Any], as_of: str = "", *, individual: bool = False
) -> None:
    from fhir_adapter.pipeline import continue_from_store

    settings = settings_from(config, False, flags)
    with telling(settings.log_format) as say:
        results = continue_from_store(settings, now(), last, say, as_of, individual=individual)
    print_results(settings, results)


@app.command()
def build(
    config: Config = None,
    study: Study = None,
    set: SetParameter = None,
    out: Out = None,
    as_of: AsOf = "",
    engine: Engine = None,
    workers: Workers = None,
    spark_master: SparkMaster = None,
) -> None:
    """Map what was fetched to the cohort model and judge every person."""
    _stage("build", config, given(locals()), as_of)


@app.command()
def analyze(
    config: Config = None,
    study: Study = None,
    set: SetParameter = None,
    out: Out = None,
    as_of: AsOf = "",
    engine: Engine = None,
    workers: Workers = None,
    spark_master: SparkMaster = None,
) -> None:
    """Compute times to event and every statistic of the study (builds first)."""
    _stage("analyze", config, given(locals()), as_of)


@app.command()
def report(
    config: Config = None,
    study: Study = None,
    set: SetParameter = None,
    out: Out = None,
    as_of: AsOf = "",
    engine: Engine = None,
    workers: Workers = None,
    spark_master: SparkMaster = None,
) -> None:
    """Write the report (builds and analyses first)."""
    _stage("report", config, given(locals()), as_of)


@app.command()
def publish(
    config: Config = None,
    server: Server = None,
    study: Study = None,
    set: SetParameter = None,
    out: Out = None,
    publish: Publish = None,
    publish_to: PublishTo = None,
    deqm: Deqm = None,
    engine: Engine = None,
    workers: Workers = None,
    spark_master: SparkMaster = None,
    individual: Individual = False,
    dry_run: WouldSend = False,
) -> None:
    """Build the MeasureReports and write them to the server; unchanged ones are left alone."""
    flags = given(locals())
    if dry_run:
        _foresee(settings_from(config, False, flags), individual)
    else:
        _stage("publish", config, flags, individual=individual)


def _foresee(settings: Settings, individual: bool) -> None:
    from fhir_adapter.pipeline.foreseeing import foresee_publishing

    with telling(settings.log_format) as say:
        found = foresee_publishing(settings, say, individual=individual)
    print_foreseen(settings, found)
