"""A grade of CRS or ICANS as an Observation → AdverseEvent."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_adapter.cohort.events import AdverseEvent
from fhir_adapter.fhir.r4 import Observation
from fhir_adapter.mapping.adverse_event import grades_in
from fhir_adapter.mapping.reading import Said
from fhir_adapter.mapping.result import Place, Result, concept_of, whole_number


def map_graded_event(name: str, result: Result, __: Observation, place: Place) -> Iterator[Said]:
    """A grade of CRS or ICANS as an Observation; 0 or a negated text says that there was none."""
    term = name.removesuffix("-grade")
    concept = concept_of(result)
    number = whole_number(result)
    named = grades_in(concept, place.reader)
    bounds = None
    if number is not None:
        bounds = (number, number)
    elif named:
        bounds = (max(map(int, named)),) * 2
    elif place.reader.denied(concept):
        bounds = (0, 0)
    if bounds is None or not 0 <= bounds[0] <= 5:
        yield place.aside("grade-not-read")
        return
    scale = place.reader.terms["grading-scale"].translate(concept).code if concept else None
    yield AdverseEvent(
        on=place.on,
        source=place.source,
        flags=place.flags,
        term=term,
        grade_min=bounds[0],
        grade_max=bounds[1],
        scale=scale or "",
        carrier="observation",
    )
