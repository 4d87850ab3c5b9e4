"""The size of a lesion → its longest single dimension: an exact one, or the interval that the record leaves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from fhir_adapter.cohort.events import Lesion
from fhir_adapter.fhir.r4 import Observation, Quantity
from fhir_adapter.mapping.reading import Said
from fhir_adapter.mapping.result import Place, Result
from fhir_adapter.mapping.terminology import normalise
from fhir_adapter.mapping.units import Units
from fhir_adapter.mapping.written_number import with_decimal_point

_NUMBER = r"\d+(?:\.\d+)?"
_SIZE = re.compile(rf"({_NUMBER}(?:\s*(?:mm|cm)?\s*(?:[x*]|by)\s*{_NUMBER}){{0,2}})\s*(mm|cm)")
_BETWEEN = re.compile(rf"({_NUMBER})\s*(?:mm|cm)?\s*(?:-|~|to|至|到)\s*({_NUMBER})\s*(mm|cm)")
_BOUND = re.compile(rf"(<=|>=|<|>)\s*({_NUMBER})\s*(mm|cm)")
# Words before a size that leave it what it is. A size that is only about right decides nothing, and is not read.
_INTRODUCED = re.compile(r"^(?:(?:largest|longest|maximum)(?: diameter| dimension)?|最大径|最大直径|最长径)\s*:?\s*")
Interval = tuple[Quantity, Quantity]


def map_lesion(name: str, result: Result, _: Observation, place: Place) -> Iterator[Said]:
    """The longest single dimension; "75 x 62 mm", "7-8 cm" and ">10 cm" as text are read too."""
    units = place.reader.units
    sizes = _sizes(result, units.analytes[name].low, units.analytes[name].high)
    if not sizes:
        yield place.aside("lesion-without-size")
        return
    ends = [_millimetres(name, one, units) for size in sizes for one in size]
    known = [length for length in ends if length is not None]
    if len(known) < len(ends) or not all(units.plausible(name, length) for length in known):
        yield place.aside("unit-not-known" if len(known) < len(ends) else "value-not-plausible")
        return
    shortest, longest = max(known[::2]), max(known[1::2])
    yield Lesion(
        on=place.on,
        source=place.source,
        flags=place.flags if shortest == longest else (*place.flags, "size-is-a-range"),
        longest_mm=longest,
        at_least_mm=None if shortest == longest else shortest,
    )


def _millimetres(name: str, size: Quantity, units: Units) -> Decimal | None:
    return None if size.value is None else units.convert(name, size.value, size)


def _sizes(result: Result, least: Decimal, most: Decimal) -> Sequence[Interval]:
    """Every dimension as (shortest, longest); `least` and `most` millimetres are where open ends lie."""
    quantity = result.valueQuantity
    if quantity is None:
        return _written(_plain(result.valueString), least, most)
    if quantity.value is None:
        return ()
    return (
        _bounded(
            quantity.comparator,
            Quantity(quantity.value, "", quantity.unit, quantity.system, quantity.code),
            least,
            most,
        ),
    )


def _plain(text: str) -> str:
    return _INTRODUCED.sub("", with_decimal_point(normalise(text)))


def _written(text: str, least: Decimal, most: Decimal) -> Sequence[Interval]:
    if found := _SIZE.fullmatch(text):
        parts = re.findall(_NUMBER, found[1])
        exact = [Quantity(value=Decimal(part), unit=found[2]) for part in parts]
        return [(one, one) for one in exact]
    if found := _BETWEEN.fullmatch(text):
        low, high = sorted((Decimal(found[1]), Decimal(found[2])))
        return ((Quantity(value=low, unit=found[3]), Quantity(value=high, unit=found[3])),)
    if found := _BOUND.fullmatch(text):
        return (_bounded(found[1], Quantity(value=Decimal(found[2]), unit=found[3]), least, most),)
    return ()


def _bounded(comparator: str, size: Quantity, least: Decimal, most: Decimal) -> Interval:
    if comparator.startswith("<"):
        return Quantity(value=least, unit="mm"), size
    if comparator.startswith(">"):
        return size, Quantity(value=most, unit="mm")
    return size, size
