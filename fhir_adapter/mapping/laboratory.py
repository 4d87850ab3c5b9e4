"""A number of an Observation → Lab, in the canonical unit of its measurement, with the laboratory's own limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import cast

from fhir_adapter.cohort.events import Comparator, Lab
from fhir_adapter.fhir.r4 import CodeableConcept, Observation, Quantity, ReferenceRange
from fhir_adapter.mapping.reading import UNIT, Reader, Said, Unmapped
from fhir_adapter.mapping.reference_range import limits_of, normal_ranges
from fhir_adapter.mapping.result import Place, Result
from fhir_adapter.mapping.terminology import normalise
from fhir_adapter.mapping.written_number import with_decimal_point

_COMPARATORS = {"", "<", "<=", ">", ">="}
_NUMBER = re.compile(r"(<=|>=|<|>|≤|≥)?\s*(\d+(?:\.\d+)?)\s*(?P<unit>[^\d\s(\[~+.,-].*|\s10.*)?")
_CLUMPED = "clumped"
_WEAK_FLAGS = {
    "blood-gas": "sample-blood-gas",
    "capillary": "sample-capillary",
    "estimated": "sample-estimated",
    "derived": "sample-derived",
}


def map_lab(name: str, result: Result, resource: Observation, place: Place) -> Iterator[Said]:
    """A laboratory value. What cannot be understood without a guess is set aside with its reason."""
    units = place.reader.units
    if name not in units.analytes:
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
    ranges = normal_ranges(result.referenceRange, place.reader, place.on)
    quantity, flags = _with_unit(name, written, result.referenceRange, ranges, place.reader)
    value = units.convert(name, written.value, quantity)
    if value is None:
        yield from _unknown_unit(result, place)
        yield place.aside("unit-missing" if not (quantity.unit or quantity.code) else "unit-not-known")
        return
    if not units.plausible(name, value):
        yield place.aside("value-not-plausible")
        return
    low, high = (_limit(name, limit, quantity, place.reader) for limit in limits_of(ranges))
    yield Lab(
        on=place.on,
        source=place.source,
        flags=(*place.flags, *(flag for weak, flag in _WEAK_FLAGS.items() if weak in sample), *flags),
        observable=name,
        value=value,
        comparator=cast(Comparator, quantity.comparator),
        unit=units.canonical(name),
        lower_limit=low,
        upper_limit=high,
        as_reported=f"{quantity.comparator}{quantity.value} {quantity.unit or quantity.code}",
        specimen=_specimen(resource),
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
    place = CodeableConcept(text=resource.specimen.display) if resource.specimen else None
    told = (resource.code, resource.method, place, *resource.interpretation, *result.interpretation)
    found = frozenset(code for concept in told for code in table.every(concept))
    noted = frozenset(code for note in resource.note for code in table.every(CodeableConcept(text=note.text)))
    return found | (noted & {_CLUMPED})


def _specimen(resource: Observation) -> str:
    """What tells one sample from another: the reference, else the number that the laboratory gave it."""
    specimen = resource.specimen
    if specimen is None:
        return ""
    number = specimen.identifier
    return specimen.reference or (f"{number.system}|{number.value}" if number and number.value else "")


def _with_unit(
    name: str, number: Quantity, ranges: tuple[ReferenceRange, ...], normal: list[ReferenceRange], reader: Reader
) -> tuple[Quantity, tuple[str, ...]]:
    """The number with a unit, and a flag when the unit is not its own.

    A number without a unit has that of its reference range, if the range has exactly one; else the one unit, if there
    is only one, in which the laboratory's normal limits are those of healthy people.
    """
    if number.unit or number.code:
        return number, ()
    limits = [limit for entry in ranges for limit in (entry.low, entry.high) if limit and (limit.unit or limit.code)]
    if len({(limit.unit, limit.code) for limit in limits}) == 1:
        return _in_unit(number, limits[0].unit, limits[0].code), ("unit-from-range",)
    low, high = limits_of(normal)
    stated = [limit for limit in (low, high) if limit]
    if any(limit.unit or limit.code for limit in stated):
        units = {limit.unit for limit in stated}
        return (_in_unit(number, stated[0].unit), ("unit-from-range",)) if len(units) == 1 else (number, ())
    inferred = reader.units.unit_of(name, low.value if low else None, high.value if high else None)
    return (_in_unit(number, inferred), ("unit-inferred",)) if inferred else (number, ())


def _in_unit(number: Quantity, unit: str, code: str = "") -> Quantity:
    return Quantity(value=number.value, comparator=number.comparator, unit=unit, code=code)


def _limit(name: str, limit: Quantity | None, value: Quantity, reader: Reader) -> Decimal | None:
    """A limit in the canonical unit; one without a unit has that of the value."""
    if limit is None or limit.value is None:
        return None
    return reader.units.convert(name, limit.value, limit if limit.unit or limit.code else value)
