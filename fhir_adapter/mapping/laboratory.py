"""A number of an Observation → Lab, in the canonical unit of its measurement, with the laboratory's own limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import cast

from fhir_adapter.cohort.events import Comparator, Lab
from fhir_adapter.fhir.r4 import CodeableConcept, Observation, Quantity
from fhir_adapter.mapping.reading import UNIT, Reader, Said, Unmapped
from fhir_adapter.mapping.result import Place, Result
from fhir_adapter.mapping.terminology import normalise
from fhir_adapter.mapping.written_number import with_decimal_point

_COMPARATORS = {"", "<", "<=", ">", ">="}
_NUMBER = re.compile(r"(<=|>=|<|>|≤|≥)?\s*(\d+(?:\.\d+)?)\s*(?P<unit>[^\d\s(\[~+.,-].*|\s10.*)?")
_CLUMPED = "clumped"
_REMEMBERED = 4096
_WEAK_FLAGS = {
    "blood-gas": "sample-blood-gas",
    "capillary": "sample-capillary",
    "estimated": "sample-estimated",
    "derived": "sample-derived",
}


def map_lab(name: str, result: Result, resource: Observation, place: Place) -> Iterator[Said]:
    """A laboratory value. What cannot be understood without a guess is set aside with its reason."""
    analyte = place.reader.units.analytes.get(name)
    if analyte is None:
        yield place.aside("observation-not-used")
        return
    written = _number(result)
    if written is None or written.value is None:
        yield place.aside("lab-without-number")
        return
    if written.comparator not in _COMPARATORS:
        yield place.aside("comparator-not-known")
        return
    sample = _sample(result, resource, place.reader)
    if name == "platelets" and _CLUMPED in sample:
        yield place.aside("sample-clumped")
        return
    scale = place.reader.scale(name, written, result.referenceRange, place.on)
    value = scale.read(written.value)
    if value is None:
        yield from _unknown_unit(result, place)
        yield place.aside("unit-not-known" if scale.unit.unit or scale.unit.code else "unit-missing")
        return
    if not analyte.is_plausible(value):
        yield place.aside("value-not-plausible")
        return
    yield Lab(
        on=place.on,
        source=place.source,
        flags=(*place.flags, *_weaknesses(sample), *scale.flags),
        observable=name,
        value=value,
        comparator=cast(Comparator, written.comparator),
        unit=analyte.canonical,
        lower_limit=scale.lower_limit,
        upper_limit=scale.upper_limit,
        as_reported=scale.as_written(written),
        specimen=name_of_sample(resource),
    )


def _unknown_unit(result: Result, place: Place) -> Iterator[Unmapped]:
    """The unit that was written in a field of its own; what stands behind a number in a text may be anything."""
    written = result.valueQuantity
    if written and (written.unit or written.code):
        yield Unmapped(UNIT, written.system if written.code else "", written.code, written.unit, str(place.source))


def _number(result: Result) -> Quantity | None:
    """The number of a result, however it was sent."""
    if result.valueQuantity:
        return result.valueQuantity
    if result.valueInteger is not None:
        return Quantity(value=Decimal(result.valueInteger))
    found = _NUMBER.fullmatch(with_decimal_point(normalise(result.valueString, fold=False)))
    if not found:
        return None
    comparator = {"≤": "<=", "≥": ">="}.get(found[1] or "", found[1] or "")
    return Quantity(value=Decimal(found[2]), comparator=comparator, unit=(found["unit"] or "").strip())


def _sample(result: Result, resource: Observation, reader: Reader) -> frozenset[str]:
    """How the value was obtained, as far as that makes it weaker. A note is read for clumped platelets only."""
    table = reader.terms["sample"]
    place = _worded(resource.specimen.display) if resource.specimen else None
    told = (resource.code, resource.method, place, *resource.interpretation)
    found = table.every_of(told if result is resource else (*told, *result.interpretation))
    if not resource.note:
        return found
    noted = table.every_of(tuple(CodeableConcept(text=note.text) for note in resource.note))
    return found | (noted & {_CLUMPED})


@lru_cache(maxsize=_REMEMBERED)
def _worded(text: str) -> CodeableConcept:
    """Words as a concept: the same object for the same words, by which is found what they are known to mean."""
    return CodeableConcept(text=text)


def _weaknesses(sample: frozenset[str]) -> tuple[str, ...]:
    return tuple(flag for weak, flag in _WEAK_FLAGS.items() if weak in sample) if sample else ()


def name_of_sample(resource: Observation) -> str:
    """What tells one sample from another: the reference, else the number that the laboratory gave it."""
    specimen = resource.specimen
    if specimen is None:
        return ""
    number = specimen.identifier
    return specimen.reference or (f"{number.system}|{number.value}" if number and number.value else "")
