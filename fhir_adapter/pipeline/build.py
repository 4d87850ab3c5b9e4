"""From the landing store to the judged cohort: person by person, in order of their id, and never all at once.

The records are read here and judged by an engine, some people at a time. What is written of a person goes to its file
at once; what stays in memory is a row of numbers for the statistics, and counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial

from msgspec.structs import replace

from fhir_adapter.analysis.adjudication import Decided, decisions, reviews
from fhir_adapter.analysis.agreement import agreement
from fhir_adapter.cohort.case import Case, Course, Graded
from fhir_adapter.cohort.estimate import Estimate, EventTime
from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.cohort.flow import FlowRow, flow
from fhir_adapter.cohort.review import Rulings
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.tallies import Tallies
from fhir_adapter.engine import Engine, Serial
from fhir_adapter.errors import UsageError
from fhir_adapter.judging.batch import FINDINGS, SUBJECTS, Answer, Asked, judge_people
from fhir_adapter.judging.packed import Packed
from fhir_adapter.judging.person import Told, tell_of
from fhir_adapter.mapping.reading import Unmapped
from fhir_adapter.mapping.study import StudyFolder
from fhir_adapter.pipeline.charts import Charts
from fhir_adapter.progress import Progress
from fhir_adapter.publish.adjudication_table import adjudication_table
from fhir_adapter.publish.cohort_tables import BY_PERSON, whole_tables
from fhir_adapter.publish.csv_table import heads
from fhir_adapter.publish.parquet_tables import ParquetTable
from fhir_adapter.publish.places import Place
from fhir_adapter.report.swimmer import MOST_LANES
from fhir_adapter.store import View


@dataclass(frozen=True)
class Cohort:
    """Everybody, judged: rows about who is in, in order of their id, and counts of everything else.

    `courses` are those of everybody in a small cohort, and empty in a large one. If that was asked for, `told` is
    everything about everybody, `unmapped` what is not known of anybody's records, and `left_at` the step at which each
    left who is not in the cohort; otherwise nothing but the files of the cohort says so much.
    """

    study: Study
    people: tuple[Case, ...]
    courses: tuple[Course, ...]
    times: tuple[EventTime, ...]
    flow: tuple[FlowRow, ...]
    tallies: Tallies
    decided: tuple[Decided, ...]
    told: tuple[Packed, ...] = ()
    unmapped: tuple[Unmapped, ...] = ()
    left_at: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def agreement(self) -> tuple[Estimate, ...]:
        """How often the rules and the reviewers agree."""
        return agreement(reviews(self.decided), self.study)


def build(
    view: View,
    folder: StudyFolder,
    *,
    engine: Engine | None = None,
    say: Progress | None = None,
    place: Place | None = None,
    whole: bool = False,
    gaps: bool = False,
) -> Cohort:
    """Map and judge everybody in the store, as it is or as it was. The answer is the same whatever the engine.

    The files of `cohort/` are written to `place`, if there is one. `whole` keeps everything about everybody, packed;
    `gaps` keeps what of their records is not known.
    """
    charts = Charts(view, folder)
    _check_rulings(folder.rulings, charts)
    asked = Asked(folder, charts.reader(), written=place is not None, whole=whole, gaps=gaps)
    found, say = _Found(charts.tallies()), say or Progress()
    with ExitStack() as stack:
        files = _Files(place, stack) if place else None
        for answer in (engine or Serial()).map(partial(judge_people, asked), charts.batches(found.tallies)):
            found.add(answer)
            if files:
                files.add(answer)
            say.people(found.done, charts.people)
        if files:
            files.finish()
    cohort = found.cohort(charts, folder)
    if place:
        _write_whole(place, cohort)
    return cohort


def find_person(view: View, folder: StudyFolder, patient: str) -> Told | None:
    """The person with this Patient id (or one merged into them), judged; None if there is nobody."""
    charts = Charts(view, folder)
    _check_rulings(folder.rulings, charts)
    chart = charts.of(patient)
    return tell_of(chart, folder, charts.reader())[0] if chart else None


def _check_rulings(rulings: Rulings, charts: Charts) -> None:
    """A decision about somebody who is not among the data is a slip that would otherwise never be noticed."""
    if lines := [str(one.line) for one in rulings.strangers(charts.known_ids)]:
        raise UsageError(
            f"the adjudication file is about people who are not among the data: line {', '.join(lines)}",
            "write the logical id of the Patient as in subjects.csv, or take these lines away",
        )


class _Found:
    """What the answers add up to."""

    def __init__(self, tallies: Tallies) -> None:
        self.done, self.tallies = 0, tallies
        self._people: list[Case] = []
        self._courses: list[Course] = []
        self._times: list[EventTime] = []
        self._reviewed: dict[str, tuple[AnyFinding, ...]] = {}
        self._told: list[Packed] = []
        self._unmapped: list[Unmapped] = []
        self._left_at: dict[str, str] = {}
        self._graded: dict[Graded, Graded] = {}

    def add(self, answer: Answer) -> None:
        self.done += answer.people
        self.tallies.add(answer.tallies)
        self._people += map(self._sharing, answer.cases)
        self._times += answer.times
        self._reviewed |= answer.reviewed
        self._told += answer.told
        self._unmapped += answer.unmapped
        self._left_at |= answer.left_at
        if len(self._people) <= MOST_LANES:
            self._courses += answer.courses
        else:
            self._courses.clear()

    def _sharing(self, case: Case) -> Case:
        """The same person; equal grades of many people are one object."""
        return replace(case, toxicities=tuple(self._graded.setdefault(one, one) for one in case.toxicities))

    def cohort(self, charts: Charts, folder: StudyFolder) -> Cohort:
        rulings = folder.rulings
        subject_of = {one: charts.survivor_of[one] for one in rulings.people}
        return Cohort(
            study=folder.study,
            people=tuple(self._people),
            courses=tuple(self._courses),
            times=tuple(self._times),
            flow=_flow(charts, self.tallies),
            tallies=self.tallies,
            decided=decisions(rulings, subject_of, self._reviewed),
            told=tuple(self._told),
            unmapped=tuple(sorted(self._unmapped)),
            left_at=self._left_at,
        )


class _Files:
    """The tables of `cohort/` that grow with every person, open until everybody is in them."""

    def __init__(self, place: Place, stack: ExitStack) -> None:
        self._place = place
        self._subjects = ParquetTable(SUBJECTS)
        self._open = {name: stack.enter_context(place.open(name)) for name in (*BY_PERSON, FINDINGS)}
        for name, columns in BY_PERSON.items():
            self._open[name].write(heads(columns))

    def add(self, answer: Answer) -> None:
        for name, text in answer.text.items():
            self._open[name].write(text)
        self._subjects.add(answer.subjects)

    def finish(self) -> None:
        with self._place.open(f"{SUBJECTS}.parquet") as file:
            file.write(self._subjects.finished())


def _write_whole(place: Place, cohort: Cohort) -> None:
    """The tables that are about everybody together."""
    tables = whole_tables(cohort.flow, cohort.tallies)
    for name, content in {**tables, "adjudication.csv": adjudication_table(cohort.decided)}.items():
        with place.open(name) as file:
            file.write(content)


def _flow(charts: Charts, tallies: Tallies) -> tuple[FlowRow, ...]:
    """The attrition, from every Patient resource that the source holds."""
    exits = tallies.exits.copy()
    exits["person", "patient_unusable"] = charts.unusable
    exits["person", "merged_into_another"] = charts.merged
    exits["person", "no_treatment_of_the_study"] = charts.passed_over
    return flow(charts.patients, {key: count for key, count in exits.items() if count})
