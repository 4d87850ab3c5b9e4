"""A number of an Observation → Lab, in the canonical unit of its measurement, with the laboratory's own limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal, TypeAlias, cast

from fhir_adapter.cohort.events import Lab
from fhir_adapter.fhir.r4 import Observation, Quantity, ReferenceRange
from fhir_adapter.mapping.reading import Reader, Said
from fhir_adapter.mapping.result import Place, Result
from fhir_adapter.mapping.terminology import normalise

_COMPARATORS = {"", "<", "<=", ">", ">="}
_NUMBER = re.compile(r"(<=|>=|<|>|≤|≥)?\s*(\d+(?:\.\d+)?)")
_UNIT = r"\s*(?P<unit>[^\d\s(\[].*|\s10.*)?"
_RANGE = re.compile(r"[(\[]?\s*(\d+(?:\.\d+)?)\s*(?:-{1,2}|~|to|bis)\s*(\d+(?:\.\d+)?)\s*[)\]]?" + _UNIT)
_UP_TO = re.compile(r"(?:<|<=|≤|up to)\s*(\d+(?:\.\d+)?)" + _UNIT)

Comparator: TypeAlias = Literal["", "<", "<=", ">", ">="]


def map_lab(name: str, result: Result, resource: Observation, place: Place) -> Iterator[Said]:
    units = place.reader.units
    if name not in units.analytes:
        yield place.aside("observation-not-used")
        return
    quantity = _number(result)
    if quantity is None or quantity.value is None:
        yield place.aside("lab-without-number")
        return
    if quantity.comparator not in _COMPARATORS:
        yield place.aside("comparator-not-known")
        return
    flags = place.flags
    if not (quantity.unit or quantity.code):
        # The laboratory's own range says in which unit it reports; magnitude is checked below.
        quantity, flags = _with_unit_of(result.referenceRange, quantity), (*flags, "unit-from-range")
    value = units.convert(name, quantity.value, quantity) if quantity.value is not None else None
    if value is None:
        yield place.aside("unit-missing" if not (quantity.unit or quantity.code) else "unit-not-known")
        return
    if not units.plausible(name, value):
        yield place.aside("value-not-plausible")
        return
    low, high = _limits(name, result.referenceRange, quantity, place.reader)
    yield Lab(
        on=place.on,
        source=place.source,
        flags=flags,
        observable=name,
        value=value,
        comparator=cast(Comparator, quantity.comparator),
        unit=units.canonical(name),
        lower_limit=low,
        upper_limit=high,
        as_reported=f"{quantity.comparator}{quantity.value} {quantity.unit or quantity.code}",
    )


def _number(result: Result) -> Quantity | None:
    """The number of a result, however it was sent."""
    if result.valueQuantity:
        return result.valueQuantity
    if result.valueInteger is not None:
        return Quantity(value=Decimal(result.valueInteger))
    found = _NUMBER.fullmatch(result.valueString.strip()) if result.valueString else None
    if not found:
        return None
    comparator = {"≤": "<=", "≥": ">="}.get(found[1] or "", found[1] or "")
    return Quantity(value=Decimal(found[2]), comparator=comparator)


def _with_unit_of(ranges: tuple[ReferenceRange, ...], number: Quantity) -> Quantity:
    """The number with the unit of its reference range, when the range has exactly one."""
    limits = [limit for entry in ranges for limit in (entry.low, entry.high) if limit and (limit.unit or limit.code)]
    if len({(limit.unit, limit.code) for limit in limits}) != 1:
        return number
    return Quantity(value=number.value, comparator=number.comparator, unit=limits[0].unit, code=limits[0].code)


def _limits(
    name: str, ranges: tuple[ReferenceRange, ...], value: Quantity, reader: Reader
) -> tuple[Decimal | None, Decimal | None]:
    """The laboratory's normal limits in the canonical unit; none when there is no normal range, or more than one.

    A range that is typed as normal wins over one that does not say what it is.
    """
    typed = [entry for entry in ranges if entry.type and _is_normal(entry)]
    normal = typed or [entry for entry in ranges if entry.type is None]
    if len(normal) != 1:
        return None, None
    entry = normal[0]
    low, high = entry.low, entry.high
    if low is None and high is None and entry.text:
        low, high = _written_limits(entry.text)
    return _limit(name, low, value, reader), _limit(name, high, value, reader)


def _limit(name: str, limit: Quantity | None, value: Quantity, reader: Reader) -> Decimal | None:
    if limit is None or limit.value is None:
        return None
    return reader.units.convert(name, limit.value, limit if limit.unit or limit.code else value)


def _written_limits(text: str) -> tuple[Quantity | None, Quantity | None]:
    """Limits written as text; a unit behind them is theirs."""
    plain = normalise(text, fold=False)
    if found := _RANGE.fullmatch(plain):
        unit = (found["unit"] or "").strip()
        return Quantity(value=Decimal(found[1]), unit=unit), Quantity(value=Decimal(found[2]), unit=unit)
    if found := _UP_TO.fullmatch(plain):
        return None, Quantity(value=Decimal(found[1]), unit=(found["unit"] or "").strip())
    return None, None


def _is_normal(entry: ReferenceRange) -> bool:
    return entry.type is not None and any(coding.code == "normal" for coding in entry.type.coding)
