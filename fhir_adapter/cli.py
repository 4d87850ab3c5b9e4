"""Commands. The only place that prints or exits; heavy libraries are imported when a command needs them."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from fhir_adapter import __version__
from fhir_adapter.errors import FhirAdapterError, UsageError

if TYPE_CHECKING:
    from fhir_adapter.pipeline import Results, Stage
    from fhir_adapter.pipeline.demo import CutCompared
    from fhir_adapter.settings import Settings
    from fhir_adapter.store import StreamLedger

EXIT_CODES = (
    "Exit codes: 0 ok, 1 bug, 2 usage or configuration, 3 authentication or authorisation, 4 server not ready (what "
    "was fetched is saved), 5 incomplete data (nothing published), 6 another run holds the output folder, 7 disk, "
    "130/143 signals."
)

app = typer.Typer(
    name="fhir-adapter",
    help="From a hospital's FHIR R4 server to a study cohort, its survival analysis and MeasureReports.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

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
PageSize = Annotated[int | None, typer.Option(help="Resources to ask for in one page.")]
Publish = Annotated[bool | None, typer.Option("--publish/--no-publish", help="Write the MeasureReports to the server.")]
PublishTo = Annotated[str | None, typer.Option(help="Another FHIR server to write the MeasureReports to.")]


def main() -> NoReturn:
    """Run a command; every error ends in a sentence, a hint and a documented exit code."""
    os.umask(0o077)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app(standalone_mode=True)
    except FhirAdapterError as problem:
        _complain(problem)
        sys.exit(problem.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as bug:  # the message of an unexpected exception may hold a patient's data, so it stays unsaid
        print("".join(traceback.format_tb(bug.__traceback__)), file=sys.stderr, end="")
        print(f"{type(bug).__name__}: this is a bug in fhir-adapter; the lines above say where", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    print("terminated", file=sys.stderr)
    sys.exit(143)


def _complain(problem: FhirAdapterError) -> None:
    print(f"fhir-adapter: {problem.message}", file=sys.stderr)
    if problem.hint:
        print(f"  {problem.hint}", file=sys.stderr)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _settings(config: Path | None, need_source: bool, flags: dict[str, Any]) -> Settings:
    from fhir_adapter.settings import read_settings

    given = dict(flags)
    given["set"] = dict(_pair(one) for one in given.get("set") or ())
    return read_settings(config, given, need_source=need_source)


def _pair(text: str) -> tuple[str, str]:
    key, found, value = text.partition("=")
    if not found or not key.strip():
        raise UsageError("--set needs KEY=VALUE", "for example --set interval_days=28")
    return key.strip(), value.strip()


def _version(wanted: bool) -> None:
    if wanted:
        print(f"fhir-adapter {__version__}")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """From a hospital's FHIR R4 server to a study cohort, its survival analysis and MeasureReports."""


@app.command()
def demo(out: Annotated[Path, typer.Option(help="Where the results go.")] = Path("out/demo")) -> None:
    """Run the whole job on invented patients against a FHIR server of its own; compare with the published study."""
    from fhir_adapter.pipeline.demo import demo as show

    compared = show(out, _now(), _say)
    for cut in compared:
        _print_comparison(cut)
    if not all(row.same for cut in compared for row in cut.rows):
        raise typer.Exit(1)


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
) -> None:
    """Fetch, build, analyse, report and publish, in this order."""
    settings = _settings(config, True, _given(locals()))
    from fhir_adapter.pipeline import run as run_all

    _print_results(settings, run_all(settings, _now(), _say))


@app.command()
def fetch(
    config: Config = None,
    server: Server = None,
    folder: Folder = None,
    out: Out = None,
    patients: Patients = None,
    page_size: PageSize = None,
) -> None:
    """Bring the landing store up to date with the server or folder."""
    settings = _settings(config, True, _given(locals()))
    from fhir_adapter.pipeline import fetch_only

    fetched = fetch_only(settings, _now(), _say)
    _print_ledger(fetched.ledger)


def _stage(last: Stage, config: Path | None, flags: dict[str, Any]) -> None:
    from fhir_adapter.pipeline import continue_from_store

    settings = _settings(config, False, flags)
    _print_results(settings, continue_from_store(settings, _now(), last, _say))


@app.command()
def build(config: Config = None, study: Study = None, set: SetParameter = None, out: Out = None) -> None:
    """Map what was fetched to the cohort model and judge every person."""
    _stage("build", config, _given(locals()))


@app.command()
def analyze(config: Config = None, study: Study = None, set: SetParameter = None, out: Out = None) -> None:
    """Compute times to event and every statistic of the study (builds first)."""
    _stage("analyze", config, _given(locals()))


@app.command()
def report(config: Config = None, study: Study = None, set: SetParameter = None, out: Out = None) -> None:
    """Write the report (builds and analyses first)."""
    _stage("report", config, _given(locals()))


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
    _stage("publish", config, _given(locals()))


@app.command()
def explain(
    patient: Annotated[str, typer.Argument(help="Id of the Patient on the source server.")],
    config: Config = None,
    study: Study = None,
    set: SetParameter = None,
    out: Out = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as data.")] = False,
) -> None:
    """Say why a person is in the cohort or not, and why each classification is what it is."""
    from fhir_adapter.pipeline.explain import findings_of
    from fhir_adapter.publish.cohort_tables import tell
    from fhir_adapter.report.explanation import explain as in_sentences

    given = {"study": study, "set": set, "out": out}
    subject_id, findings = findings_of(patient, _settings(config, False, given))
    if as_json:
        print(
            json.dumps(
                {"subject_id": subject_id, "findings": [tell(one) for one in findings]}, ensure_ascii=False, indent=1
            )
        )
    else:
        print(in_sentences(subject_id, findings))


@app.command()
def check(config: Config = None, server: Server = None, patients: Patients = None) -> None:
    """Connect to a server and say how each resource type will be fetched, and what will not work."""
    settings = _settings(config, True, _given(locals()))
    from fhir_adapter.pipeline.fetch import connected, plan_streams

    if settings.folder:
        raise UsageError("`check` is for servers", "name one with --server")
    with connected(settings.server, settings) as transport:
        for stream in plan_streams(transport, settings):
            print(f"{'WARN' if stream.how == 'unsupported' else 'ok':4}  {stream.type:26}  {stream.reason}")


@app.command()
def status(config: Config = None, out: Out = None) -> None:
    """Show the last fetch: what each stream announced, received and stored."""
    settings = _settings(config, False, _given(locals()))
    from fhir_adapter.output_folder import OutputFolder
    from fhir_adapter.store import Store

    with Store.reopen(OutputFolder(settings.out).store) as store:
        last, complete = store.last_run(), store.last_complete_run()
        if last is None:
            raise UsageError("nothing was fetched into this output folder yet", "run `fhir-adapter fetch`")
        print(f"source {store.source}")
        print(
            f"run {last}: {'complete' if last == complete else 'incomplete'}; last complete run: {complete or 'none'}"
        )
        _print_ledger(store.ledger(last))
        print(f"quarantined: {len(store.quarantine())}")


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
            _say(f"{load_fixtures(server.base_url)} Bundles loaded")
        print(server.base_url, flush=True)
        server.wait()


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    """The flags of a command from its local names; asked for before a command imports anything."""
    return {name: value for name, value in arguments.items() if name != "config"}


def _print_comparison(cut: CutCompared) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Data cut {cut.cut.isoformat()}", title_justify="left")
    for column in ("figure", "published", "computed", "same"):
        table.add_column(column, overflow="fold")
    for row in cut.rows:
        table.add_row(row.figure, row.published, row.computed or "-", "yes" if row.same else "NO")
    console = Console(markup=False, highlight=False)
    console.print(table)
    same = sum(row.same for row in cut.rows)
    print(f"{same} of {len(cut.rows)} figures are the same.")
    _print_paths(cut.out)
    print()


def _print_results(settings: Settings, results: Results) -> None:
    study, flow = results.cohort.study, results.cohort.flow
    cut = study.parameters.data_cut
    print(f"study {study.id} {study.version}, {f'data cut {cut}' if cut else 'no data cut'}")
    included = len(results.cohort.judgements)
    print(f"{included} of {flow[0].n_in} Patients are in the cohort; flow.csv says where the others left")
    if results.delivery:
        sent, unchanged = len(results.delivery.sent), len(results.delivery.unchanged)
        print(f"published to {settings.destination}: {sent} documents sent, {unchanged} unchanged")
    elif (settings.out / "publish").exists():
        print("nothing was sent to a server; publish/ holds what would be")
    _print_paths(settings.out)


def _print_paths(out: Path) -> None:
    for name in ("cohort/subjects.csv", "analysis/estimates.json", "report/index.html", "publish", "run.json"):
        if (out / name).exists():
            print(f"  {out / name}")


def _print_ledger(ledger: tuple[StreamLedger, ...] | list[StreamLedger]) -> None:
    columns: tuple[tuple[str, Callable[[StreamLedger], object]], ...] = (
        ("announced", lambda one: "-" if one.announced is None else one.announced),
        ("received", lambda one: one.received),
        ("stored", lambda one: one.stored),
        ("duplicate", lambda one: one.duplicate),
        ("quarantined", lambda one: one.quarantined),
        ("deleted", lambda one: one.deleted),
        ("gone", lambda one: one.swept),
    )
    width = max((len(one.stream) for one in ledger), default=6)
    print("  ".join([f"{'stream':{width}}", *(f"{name:>11}" for name, _ in columns), "state"]))
    for one in ledger:
        state = "complete" if one.complete and one.balances else "INCOMPLETE"
        note = f": {one.reason}" if one.reason else ""
        print("  ".join([f"{one.stream:{width}}", *(f"{read(one)!s:>11}" for _, read in columns), state + note]))
