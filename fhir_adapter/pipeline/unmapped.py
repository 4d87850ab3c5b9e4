"""What the records say that nobody understands yet: a list by weight, and ConceptMaps to fill in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fhir_adapter.fhir.r4 import Observation, decode
from fhir_adapter.fhir.record import Record, Unreadable
from fhir_adapter.mapping.gaps import Gap, gaps_of, undecided_people
from fhir_adapter.mapping.relevance import Appraised, Relevance, read_relevance
from fhir_adapter.mapping.study import StudyFolder, common_folder
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline import with_last_parameters
from fhir_adapter.pipeline.build import Cohort, build
from fhir_adapter.pipeline.fetching.passed_over import recall_passed_over
from fhir_adapter.pipeline.map_drafts import renewed, write_drafts
from fhir_adapter.pipeline.moment import known
from fhir_adapter.pipeline.site import study_of
from fhir_adapter.progress import Progress
from fhir_adapter.publish.csv_table import Row, write_table
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

FOLDER = "unmapped"
LIST, CODES = "list.csv", "codes.csv"
LIST_COLUMNS = (
    *("matters", "why", "table", "system", "code", "text", "records", "patients", "undecided", "candidates"),
    "example",
)
CODES_COLUMNS = ("table", "code", "display")
_ORDER = ("likely", "perhaps", "no")
_EXAMPLES = 20  # Observations looked at for each code: what it measures does not change from one to the next


@dataclass(frozen=True)
class Listed:
    """What was not understood, the most telling first.

    `undecided` are the people about whom an answer could change; `drafts` the ConceptMaps that wait to be filled in;
    `passed_over` counts the Patients of a folder of whom nothing was read, so that their codes are in no list.
    """

    appraised: tuple[Appraised, ...]
    undecided: frozenset[str]
    people: int
    included: int
    passed_over: int
    folder: Path
    drafts: tuple[Path, ...]


def list_unmapped(settings: Settings, say: Progress) -> Listed:
    """List what the last fetch brought and the study does not know, and renew the drafts in the output folder."""
    settings = with_last_parameters(settings, say)
    study = study_of(settings)
    with Store.reopen(OutputFolder(settings.out).store) as store:
        view = known(store).view
        cohort, passed_over = build(view, study, gaps=True), recall_passed_over(view)
        gaps = gaps_of(cohort.unmapped)
        seen = _observations(gaps, view.of_type("Observation"))
    relevance = read_relevance(common_folder(study.folder) / "relevance.toml", study.terms, study.units)
    undecided, appraised = _appraised(gaps, seen, cohort, relevance)
    folder = settings.out / FOLDER
    files = {
        LIST: _list(appraised, undecided),
        CODES: _codes(study, {one.table for one in gaps} & set(study.terms.maps)),
    }
    drafts = renewed(folder, appraised, study.terms)
    write_drafts(folder, {**files, **drafts})
    return Listed(
        appraised,
        undecided,
        people=cohort.tallies.included + cohort.tallies.excluded,
        included=len(cohort.people),
        passed_over=passed_over,
        folder=folder,
        drafts=tuple(folder / name for name in sorted(drafts)),
    )


def _observations(gaps: Iterable[Gap], records: Iterable[Record]) -> dict[str, list[Observation]]:
    """Some Observations of every code that is not known, by code and text."""
    wanted = {source: _key(gap) for gap in gaps if gap.table == "observation" for source in gap.sources[:_EXAMPLES]}
    found: dict[str, list[Observation]] = defaultdict(list)
    for record in records:
        if key := wanted.get(record.source):
            try:
                resource = decode(record.body)
            except Unreadable:
                continue
            if isinstance(resource, Observation):
                found[key].append(resource)
    return found


def _key(gap: Gap) -> str:
    return "\x1f".join((gap.system, gap.code, gap.text))


def _appraised(
    gaps: Sequence[Gap], seen: Mapping[str, list[Observation]], cohort: Cohort, relevance: Relevance
) -> tuple[frozenset[str], tuple[Appraised, ...]]:
    """The people about whom an answer could change, and every gap in the order in which it should be looked at."""
    looked_at = [(gap, seen.get(_key(gap), []) if gap.table == "observation" else []) for gap in gaps]
    open_gaps = [gap for gap, examples in looked_at if not relevance.ruled_out(gap, examples)]
    included = frozenset(one.subject_id for one in cohort.people)
    undecided = undecided_people(open_gaps, included, cohort.left_at)
    found = [relevance.appraise(gap, undecided, examples) for gap, examples in looked_at]
    return undecided, tuple(sorted(found, key=lambda one: (_ORDER.index(one.matters), -one.gap.records)))


def _list(appraised: Iterable[Appraised], undecided: frozenset[str]) -> bytes:
    return write_table(LIST_COLUMNS, (_row(one, undecided) for one in appraised))


def _row(one: Appraised, undecided: frozenset[str]) -> Row:
    gap = one.gap
    return {
        "matters": one.matters,
        "why": one.why,
        "table": gap.table,
        "system": gap.system,
        "code": gap.code,
        "text": gap.text,
        "records": gap.records,
        "patients": len(gap.people),
        "undecided": len(gap.people & undecided),
        "candidates": one.candidates,
        "example": gap.sources[0],
    }


def _codes(study: StudyFolder, tables: Iterable[str]) -> bytes:
    """What a code may be translated to: the study's vocabulary of every table concerned."""
    rows = (
        {"table": table, "code": code, "display": study.study.display(code)}
        for table in sorted(tables)
        for code in study.terms.codes_of(study.terms[table].vocabulary)
    )
    return write_table(CODES_COLUMNS, rows)
