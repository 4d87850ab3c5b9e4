"""Observation → Decision: the day on which treatment with CAR-T was decided."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_adapter.cohort.events import Decision
from fhir_adapter.fhir.r4 import Observation
from fhir_adapter.mapping.reading import Said
from fhir_adapter.mapping.result import Place, Result, concept_of


def map_decision(_: str, result: Result, resource: Observation, place: Place) -> Iterator[Said]:
    """A decision for CAR-T; one against it, or put off, is none."""
    if result.valueBoolean is False or place.reader.denied(resource.code, concept_of(result)):
        yield place.aside("decision-not-taken")
    else:
        yield Decision(on=place.on, source=place.source, flags=place.flags)
