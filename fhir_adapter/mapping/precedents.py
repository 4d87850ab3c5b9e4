"""A plain laboratory result is mapped as an earlier one was that differs from it only in number, day and names.

What a laboratory says around its numbers it says thousands of times. How one of them was mapped, at length, is
therefore remembered; the next needs only its own number, its day and the names of its record and its sample.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TypeAlias

import msgspec

from fhir_adapter.cohort.events import Lab, Source
from fhir_adapter.cohort.subject import Sex
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.fhir.r4 import Observation, Quantity
from fhir_adapter.mapping.scale import Scale
from fhir_adapter.mapping.units import Analyte

_REMEMBERED = 4096

Key: TypeAlias = tuple[object, ...]


class Precedent(msgspec.Struct, frozen=True, gc=False):
    """The result of a number, and the scale by which numbers like it are read."""

    lab: Lab
    scale: Scale
    analyte: Analyte

    def of(self, number: Quantity, on: PartialDate, source: Source, specimen: str) -> Lab | None:
        """The result of another number; None when it is not as plain as the first."""
        value = self.scale.read(number.value)
        if value is None or not self.analyte.is_plausible(value):
            return None
        return msgspec.structs.replace(
            self.lab, on=on, source=source, value=value, as_reported=self.scale.as_written(number), specimen=specimen
        )


class Precedents:
    """What was mapped with the tables of a study."""

    def __init__(self) -> None:
        self._known: dict[Key, Precedent] = {}

    def __reduce__(self) -> tuple[type[Precedents], tuple[()]]:
        """What another process needs: it remembers for itself."""
        return Precedents, ()

    def find(self, key: Key) -> Precedent | None:
        try:
            return self._known.get(key)
        except TypeError:  # a limit that is a signalling NaN has no hash
            return None

    def keep(self, key: Key, precedent: Precedent) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        with suppress(TypeError):
            self._known[key] = precedent


def key_of(resource: Observation, sex: Sex) -> Key | None:
    """All of an Observation by which a result is mapped, but its number, its day and its names.

    None where more than that counts: parts, notes, a reason for having no value, and limits that depend on the age. An
    element that a mapper of laboratory results begins to read belongs here too.
    """
    number, specimen = resource.valueQuantity, resource.specimen
    if number is None or resource.component or resource.note or resource.dataAbsentReason:
        return None
    for entry in resource.referenceRange:
        if entry.age:
            return None
    return (
        resource.status,
        resource.code,
        resource.method,
        specimen and specimen.display,
        resource.interpretation,
        resource.referenceRange,
        number.unit,
        number.code,
        number.comparator,
        sex,
    )
