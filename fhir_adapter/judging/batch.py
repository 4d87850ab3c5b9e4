"""Some people at once: what is written of each, what is kept for the statistics, and what is only counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fhir_adapter.cohort.case import Case, Course, case_of, course_of
from fhir_adapter.cohort.estimate import EventTime
from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.tallies import Tallies
from fhir_adapter.judging.packed import Packed, pack
from fhir_adapter.judging.person import Chart, Told, tell_of
from fhir_adapter.mapping.assemble import Assembled
from fhir_adapter.mapping.reading import Reader, Unmapped
from fhir_adapter.mapping.study import StudyFolder
from fhir_adapter.publish.cohort_tables import BY_PERSON, person_rows
from fhir_adapter.publish.csv_table import Row, lines
from fhir_adapter.publish.finding_lines import finding_lines
from fhir_adapter.publish.parquet_tables import Cells, cells

FINDINGS, SUBJECTS = "findings.ndjson", "subjects"


@dataclass(frozen=True)
class Asked:
    """What is asked of every person. `written`: for the tables of the cohort too. `whole`: for all that is told of
    them. `gaps`: for what of their records is not known.
    """

    folder: StudyFolder
    reader: Reader
    written: bool = False
    whole: bool = False
    gaps: bool = False

    @property
    def study(self) -> Study:
        return self.folder.study


@dataclass
class Answer:
    """What became of some people, in the order in which they came.

    `text` are lines of the tables by file name, `subjects` rows for the Parquet table. `reviewed` are the findings
    about people of whom the adjudication file speaks, by subject id. Only if asked for: all `told`; or all `unmapped`,
    and the step at which each left who is not in the cohort.
    """

    people: int
    text: dict[str, bytes] = field(default_factory=dict)
    subjects: list[Cells] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    courses: list[Course] = field(default_factory=list)
    times: list[EventTime] = field(default_factory=list)
    tallies: Tallies = field(default_factory=Tallies)
    reviewed: dict[str, tuple[AnyFinding, ...]] = field(default_factory=dict)
    told: list[Packed] = field(default_factory=list)
    unmapped: list[Unmapped] = field(default_factory=list)
    left_at: dict[str, str] = field(default_factory=dict)


def judge_people(asked: Asked, charts: Sequence[Chart]) -> Answer:
    """Map and judge these people; nothing of one has to do with another."""
    answer = Answer(len(charts))
    everybody = [tell_of(chart, asked.folder, asked.reader) for chart in charts]
    for told, mapped in everybody:
        _count(answer.tallies, told, mapped)
        if told:
            _keep(answer, told, asked)
    if asked.gaps:
        answer.unmapped = [one for _, mapped in everybody for one in mapped.unmapped]
    if asked.written:
        _write(answer, [told for told, _ in everybody if told], asked.study)
    return answer


def _count(tallies: Tallies, told: Told | None, mapped: Assembled) -> None:
    included = told is not None and isinstance(told.judged, Judgement)
    for one in mapped.set_aside:
        tallies.add_not_used((one.reason, one.type), one.source)
    unknown = (((one.table, one.system, one.code, one.text), one.source) for one in mapped.unmapped)
    tallies.add_unknown(unknown, included=included)
    if told is None:
        return
    judged = told.judged
    if isinstance(judged, Judgement):
        tallies.included += 1
        tallies.add_open(judged.findings(), included=True)
        tallies.add_contradictions(told.left)
    else:
        tallies.excluded += 1
        tallies.add_open(judged.findings, included=False)
        tallies.exits[judged.exit.step, judged.exit.reason] += 1


def _keep(answer: Answer, told: Told, asked: Asked) -> None:
    if isinstance(told.judged, Judgement):
        course = course_of(told.judged)
        answer.cases.append(case_of(told.judged))
        answer.courses += [course] if course else []
        answer.times += told.times
    elif asked.gaps:
        answer.left_at[told.subject.subject_id] = told.judged.exit.step
    if not asked.folder.rulings.people.isdisjoint(told.subject.patient_ids):
        answer.reviewed[told.subject.subject_id] = told.findings
    if asked.whole:
        answer.told.append(pack(told))


def _write(answer: Answer, people: Sequence[Told], study: Study) -> None:
    rows: dict[str, list[Row]] = {name: [] for name in BY_PERSON}
    for told in people:
        if isinstance(told.judged, Judgement):
            for name, some in person_rows(told.judged, told.left, study).items():
                rows[name] += some
    answer.text = {name: lines(columns, rows[name]) for name, columns in BY_PERSON.items()}
    answer.text[FINDINGS] = b"".join(finding_lines(told.subject.subject_id, told.findings) for told in people)
    answer.subjects = cells(SUBJECTS, rows["subjects.csv"])
