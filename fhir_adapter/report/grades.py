"""How many people had each grade of each adverse event, as rows that add up to everybody infused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from fhir_adapter.analysis import wording
from fhir_adapter.analysis.disclosure import hidden_cells
from fhir_adapter.analysis.toxicity import graded_terms, transaminases, worst_of
from fhir_adapter.cohort.case import Case
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.study import Study
from fhir_adapter.report.table import DASH, Table
from fhir_adapter.report.tables import rate, told_field

GRADES = range(6)
_SYNDROMES = {"crs": "CRS", "icans": "ICANS"}
_HEADS = (*(f"Grade {grade}" for grade in GRADES), "Grade open", "Not known")


@dataclass(frozen=True, slots=True)
class GradeRow:
    """One term: people by their worst grade from 0 to 5, with a grade that is only bounded, and without a report.

    `name` is that of the estimates about the term.
    """

    name: str
    term: str
    grades: tuple[int, ...]
    open: int
    unknown: int

    @property
    def cells(self) -> tuple[int, ...]:
        """Grades 0 to 5, open, not known; they add up to everybody."""
        return (*self.grades, self.open, self.unknown)

    @property
    def is_assessed(self) -> bool:
        return sum(self.cells) > self.unknown


def grade_rows(people: Sequence[Case], study: Study) -> tuple[GradeRow, ...]:
    """CRS, ICANS, the laboratory terms in force, other terms that were found, and ALT and AST together."""
    return tuple(_row(name, term, codes, people) for name, (term, codes) in _terms(people, study).items())


def by_grade(rows: Sequence[GradeRow], study: Study) -> Table:
    """People by worst grade: one line per term that somebody was assessed for; the note names the others."""
    least = study.parameters.min_cell
    lines = tuple((row.term, *told(row, least)) for row in rows if row.is_assessed)
    unseen = [row.term for row in rows if not row.is_assessed]
    note = f"Nobody was assessed for: {', '.join(unseen)}." if unseen and lines else ""
    return Table(("Term", *_HEADS), lines, note)


def rates(rows: Sequence[GradeRow], estimates: Mapping[str, Estimate], study: Study) -> Table:
    """Any grade, and grade 3 or higher, with their intervals: of everybody infused."""
    digits = study.parameters.digits
    graded = (
        (row.term, estimates.get(f"{row.name}.any"), estimates.get(f"{row.name}.grade3"))
        for row in rows
        if row.is_assessed
    )
    elevated = ((one.label, one, None) for name, one in estimates.items() if _is_elevation(name))
    lines = tuple(
        (term, rate(any_grade, digits), rate(severe, digits), _unknown(any_grade))
        for term, any_grade, severe in (*graded, *elevated)
    )
    return Table(("Term", "Any grade, or elevated", "Grade 3 or higher", "Not known"), lines)


def _unknown(one: Estimate | None) -> str:
    return told_field(one, "missing") if one else DASH


def _is_elevation(name: str) -> bool:
    return name.startswith("toxicity.") and name.endswith(".elevated")


def told(row: GradeRow, least: int) -> tuple[str, ...]:
    """The numbers of a row as they may be told."""
    few = hidden_cells(row.cells, least)
    return tuple(wording.WITHHELD if place in few else str(number) for place, number in enumerate(row.cells))


def _terms(people: Sequence[Case], study: Study) -> dict[str, tuple[str, frozenset[str]]]:
    """Name of the estimates → term to print, and the codes it consists of."""
    terms = {code: (name, frozenset({code})) for code, name in _SYNDROMES.items()}
    graded = graded_terms(study)
    terms |= {f"toxicity.{code}": (term, frozenset({code})) for code, term in graded.items()}
    if both := transaminases(study):
        terms["toxicity.alt-ast"] = ("ALT or AST increased", both)
    known = {*_SYNDROMES, *graded}
    others = dict(_others(people, known))
    return terms | {f"toxicity.{code}": (others[code], frozenset({code})) for code in sorted(others)}


def _others(people: Sequence[Case], known: Set[str]) -> Iterator[tuple[str, str]]:
    """Code and name of further terms that somebody was graded for."""
    for person in people:
        for one in person.toxicities:
            if one.code not in known and one.grade_min is not None:
                yield one.code, one.term


def _row(name: str, term: str, codes: Set[str], people: Sequence[Case]) -> GradeRow:
    found = [worst_of(person, codes) for person in people]
    settled = Counter(one[0] for one in found if one and one[0] == one[1])
    unsettled = sum(one is not None and one[0] != one[1] for one in found)
    return GradeRow(name, term, tuple(settled[grade] for grade in GRADES), unsettled, found.count(None))
