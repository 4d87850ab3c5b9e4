"""A grade of CRS or ICANS as an Observation → AdverseEvent."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_adapter.cohort.events import AdverseEvent
from fhir_adapter.fhir.r4 import Observation
from fhir_adapter.mapping.grades import UNKNOWN_GRADE, Graded, read_grade, scale_of
from fhir_adapter.mapping.reading import Reader, Said
from fhir_adapter.mapping.result import Place, Result, concept_of, whole_number


def map_graded_event(name: str, result: Result, resource: Observation, place: Place) -> Iterator[Said]:
    """A grade of CRS or ICANS as an Observation; 0 or a negated text says that there was none."""
    graded = _grade(result, resource, place.reader)
    if graded is None or not 0 <= graded.lowest <= 5:
        yield place.aside("grade-not-read")
        return
    yield AdverseEvent(
        on=place.on,
        source=place.source,
        flags=(*place.flags, *graded.flags),
        term=name.removesuffix("-grade"),
        grade_min=graded.lowest,
        grade_max=graded.highest,
        scale=graded.scale,
        carrier="observation",
    )


def _grade(result: Result, resource: Observation, reader: Reader) -> Graded | None:
    """The answer's grade; its scale may also stand in the name or the method of the observation."""
    if result.valueBoolean is not None:
        return Graded(
            *(UNKNOWN_GRADE if result.valueBoolean else (0, 0)), scale_of(reader, result.code, resource.method)
        )
    answer, number = concept_of(result), whole_number(result)
    if number is not None:
        return Graded(number, number, scale_of(reader, answer, result.code, resource.method))
    if found := read_grade(reader, answer, result.code, resource.method):
        return found
    return Graded(0, 0, "") if reader.denied(answer) else None
