"""One answer of an Observation, its own or that of a component, and what every mapper of an answer gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TypeAlias

import msgspec

from fhir_adapter.cohort.events import Source
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.fhir.r4 import CodeableConcept, Component, Observation
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.reading import Reader, Said, set_aside, source_of

_ONE_DIGIT = frozenset(map(Decimal, range(10)))

Result: TypeAlias = Observation | Component
Mapper: TypeAlias = Callable[[str, Result, Observation, "Place"], Iterator[Said]]


class Place(msgspec.Struct, frozen=True, gc=False):
    """When and where a result was recorded, for every event made from it."""

    on: PartialDate | None
    record: Record
    element: str
    flags: tuple[str, ...]
    reader: Reader

    @property
    def source(self) -> Source:
        return source_of(self.record, self.element)

    def aside(self, reason: str) -> Said:
        return set_aside(self.record, reason)


def has_value(result: Result) -> bool:
    return any(
        (
            result.valueQuantity,
            result.valueCodeableConcept,
            result.valueInteger is not None,
            result.valueString,
            result.valueBoolean is not None,
        )
    )


def concept_of(result: Result) -> CodeableConcept | None:
    """A coded or textual answer as a concept."""
    if result.valueCodeableConcept:
        return result.valueCodeableConcept
    return CodeableConcept(text=result.valueString) if result.valueString else None


def whole_number(result: Result) -> int | None:
    """A whole number of one digit, however it is written; None when it is not one."""
    if result.valueInteger is not None:
        return result.valueInteger
    quantity = result.valueQuantity
    if quantity and quantity.value is not None and not quantity.comparator:
        return int(quantity.value) if quantity.value in _ONE_DIGIT else None
    text = result.valueString or (result.valueCodeableConcept.text if result.valueCodeableConcept else "")
    return int(text.strip()) if text.strip().isdecimal() and len(text.strip()) == 1 else None
