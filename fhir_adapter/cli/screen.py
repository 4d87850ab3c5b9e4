"""What commands show on the screen: results on standard output, progress and complaints on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fhir_adapter.instant import written
from fhir_adapter.progress import Progress, State

if TYPE_CHECKING:
    from fhir_adapter.analysis.adjudication import Decided
    from fhir_adapter.ehr.foresee import Foreseen
    from fhir_adapter.pipeline import Results
    from fhir_adapter.pipeline.demo import CutCompared
    from fhir_adapter.pipeline.fetching.landing import Retried
    from fhir_adapter.settings import Settings
    from fhir_adapter.store import StreamLedger


PEOPLE = "people judged"


class Lines(Progress):
    """Progress as lines on standard error."""

    def __init__(self) -> None:
        self._waiting = ("", -1)

    def __call__(self, text: str) -> None:
        print(plain(text), file=sys.stderr, flush=True)

    def stream(self, stream: str, received: int, announced: int | None, state: State = "running") -> None:
        if state == "complete":
            self(f"{stream}: {received} received")
        elif state == "incomplete":
            self(f"{stream}: incomplete")

    def people(self, done: int, of: int) -> None:
        """A line for every tenth that is done, and none where all is done at once."""
        tenths = 10 * done // of if of else 10
        if done < of and (PEOPLE, tenths) != self._waiting:
            self._waiting = PEOPLE, tenths
            self(f"{PEOPLE}: {done} of {of}")

    def waiting(self, what: str, share: float | None = None) -> None:
        """A line for every tenth that is done, not for every time the server is asked."""
        tenths = -1 if share is None else int(10 * share)
        if (what, tenths) != self._waiting:
            self._waiting = what, tenths
            self(f"waiting: {what}" + (f", {10 * tenths} % done" if tenths >= 0 else ""))


def plain(text: str) -> str:
    """Text without anything that a terminal would obey: a file may be named as it likes."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


say = Lines()
_ELEMENTS = 10  # of one document; a reader who wants all compares the files


def now() -> str:
    return written(datetime.now(UTC))


def print_comparison(cut: CutCompared) -> None:
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
    print_paths(cut.out)
    print()


def print_results(settings: Settings, results: Results) -> None:
    study, flow = results.cohort.study, results.cohort.flow
    cut = study.parameters.data_cut
    print(f"study {study.id} {study.version}, {f'data cut {cut}' if cut else 'no data cut'}")
    included = len(results.cohort.people)
    print(f"{included} of {flow[0].n_in} Patients are in the cohort; flow.csv says where the others left")
    print_decided(results.cohort.decided)
    if results.delivery:
        sent, unchanged = len(results.delivery.sent), len(results.delivery.unchanged)
        print(f"published to {settings.destination}: {sent} documents sent, {unchanged} unchanged")
    elif (settings.out / "publish").exists():
        print("nothing was sent to a server; publish/ holds what would be")
    print_paths(settings.out)


def print_foreseen(settings: Settings, found: Sequence[Foreseen]) -> None:
    """One line an entry: what would become of it, and which of its elements would change."""
    for one in found:
        version = f" (version {one.version} is there)" if one.version else ""
        print(plain(f"{one.change:9}  {one.name}{version}"))
        for element in one.elements[:_ELEMENTS]:
            print(plain(f"{'':9}    {element}"))
        if len(one.elements) > _ELEMENTS:
            print(f"{'':9}    and {len(one.elements) - _ELEMENTS} more elements")
    counts = [f"{sum(one.change == change for one in found)} {change}" for change in ("new", "changed", "unchanged")]
    print(f"nothing was written; {settings.destination} would get: {', '.join(counts)}")


def print_decided(decided: Sequence[Decided]) -> None:
    """What became of the decisions of reviewers; silent where there are none."""
    if not decided:
        return
    from fhir_adapter.analysis.adjudication import STATES, counts

    told = counts(decided)
    states = ", ".join(f"{told[state]} {state}" for state in STATES if told[state])
    many = "s" if told["lines"] > 1 else ""
    print(f"{told['lines']} decision{many} of reviewers: {states}; adjudication.csv says which")
    if changed := told["findings_on_changed_records"]:
        print(f"{changed} of them rest on records that have changed since: please look again")


def print_paths(out: Path) -> None:
    for name in ("cohort/subjects.csv", "analysis/estimates.json", "report/index.html", "publish", "run.json"):
        if (out / name).exists():
            print(f"  {out / name}")


def print_retried(retried: Sequence[Retried]) -> None:
    """What became of the things that were set aside."""
    columns = ("accepted", "corrected", "gone", "refused")
    width = max((len(f"{one.stream} {one.reason}") for one in retried), default=10)
    print("  ".join([f"{'set aside':{width}}", *(f"{name:>9}" for name in columns)]))
    for one in retried:
        counts = (f"{getattr(one, name):>9}" for name in columns)
        print("  ".join([f"{f'{one.stream} {one.reason}':{width}}", *counts]))


def print_ledger(ledger: tuple[StreamLedger, ...] | list[StreamLedger]) -> None:
    columns: tuple[tuple[str, Callable[[StreamLedger], object]], ...] = (
        ("announced", lambda one: "-" if one.announced is None else one.announced),
        ("received", lambda one: one.received),
        ("stored", lambda one: one.stored),
        ("duplicate", lambda one: one.duplicate),
        ("quarantined", lambda one: one.quarantined),
        ("deleted", lambda one: one.deleted),
        ("gone", lambda one: one.swept),
        ("retries", lambda one: one.retries),
    )
    width = max((len(one.stream) for one in ledger), default=6)
    print("  ".join([f"{'stream':{width}}", *(f"{name:>11}" for name, _ in columns), "state"]))
    for one in ledger:
        state = "complete" if one.complete and one.balances else "INCOMPLETE"
        note = f": {one.reason}" if one.reason else ""
        line = "  ".join([f"{one.stream:{width}}", *(f"{read(one)!s:>11}" for _, read in columns), state + note])
        print(plain(line))
