"""The grade that a record of CRS or ICANS gives, however it is written, and on which scale."""

from __future__ import annotations

from dataclasses import dataclass

from fhir_adapter.fhir.r4 import CodeableConcept
from fhir_adapter.mapping.reading import Reader

UNKNOWN_GRADE = (1, 5)
WORST_OF_SEVERAL = "worst-of-several-grades"
# Answers that are nothing but this: as parts of a text they would mean too much.
_ALONE = {digit: digit for digit in "012345"} | {"无": "0", "否": "0", "no": "0", "No": "0"}


@dataclass(frozen=True)
class Graded:
    """Lowest and highest grade, the scale if the record names one, and a flag when the worst of several was taken."""

    lowest: int
    highest: int
    scale: str
    flags: tuple[str, ...] = ()


def read_grade(reader: Reader, answer: CodeableConcept | None, *context: CodeableConcept | None) -> Graded | None:
    """The grade in `answer`; None when it gives none. The scale may also stand in the `context`.

    Of several grades ("G2-3", "grade 2, later grade 3") the worst counts, flagged.
    """
    named = grades_in(answer, reader)
    if answer is None or not named:
        return None
    worst = max(map(int, named))
    several = len(named) > 1 or reader.terms["grade"].narrows(answer)
    return Graded(worst, worst, scale_of(reader, answer, *context), (WORST_OF_SEVERAL,) if several else ())


def grades_in(concept: CodeableConcept | None, reader: Reader) -> frozenset[str]:
    """The grades that an answer names; one that is nothing but a digit, or a no, is that grade."""
    if concept is None:
        return frozenset()
    if (alone := concept.text.strip()) in _ALONE:
        return frozenset((_ALONE[alone],))
    return reader.terms["grade"].every(concept)


def scale_of(reader: Reader, *concepts: CodeableConcept | None) -> str:
    """The grading scale that the first of some concepts to name one names; empty when none does."""
    found = (reader.terms["grading-scale"].translate(concept).code for concept in concepts if concept)
    return next((scale for scale in found if scale), "")
