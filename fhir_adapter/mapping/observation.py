"""Observation → laboratory result, performance status, stage, lesion, site, response or graded adverse event."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Literal, TypeAlias, cast

from fhir_adapter.cohort.events import (
    AdverseEvent,
    Assessment,
    Contact,
    DiseaseSite,
    Lab,
    Lesion,
    Performance,
    ResponseCategory,
    Source,
    Staging,
)
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.fhir.r4 import CodeableConcept, Component, Observation, Quantity, ReferenceRange
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.adverse_event import grades_in
from fhir_adapter.mapping.condition import is_extranodal
from fhir_adapter.mapping.reading import Reader, Said, set_aside, source_of
from fhir_adapter.mapping.terminology import normalise

NO_SITE = "none"
_LOOKS_ALIKE = "other"  # measurements whose names resemble ours and that the study's tables know not to be ours
_NOT_A_RESULT = {"entered-in-error", "cancelled", "registered", "unknown"}
_PRELIMINARY = "preliminary"
_ONE_DIGIT = frozenset(map(Decimal, range(10)))
_COMPARATORS = {"", "<", "<=", ">", ">="}
_NUMBER = re.compile(r"(<=|>=|<|>|≤|≥)?\s*(\d+(?:\.\d+)?)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?(?:\s*[x*]\s*\d+(?:\.\d+)?){0,2})\s*(mm|cm)")
_UNIT = r"\s*(?P<unit>[^\d\s(\[].*|\s10.*)?"
_RANGE = re.compile(r"[(\[]?\s*(\d+(?:\.\d+)?)\s*(?:-{1,2}|~|to|bis)\s*(\d+(?:\.\d+)?)\s*[)\]]?" + _UNIT)
_UP_TO = re.compile(r"(?:<|<=|≤|up to)\s*(\d+(?:\.\d+)?)" + _UNIT)

Comparator: TypeAlias = Literal["", "<", "<=", ">", ">="]
Result: TypeAlias = Observation | Component
Mapper: TypeAlias = Callable[[str, Result, Observation, "_Place"], Iterator[Said]]


class _Place:
    """When and where a result was recorded, for every event made from it."""

    def __init__(
        self, on: PartialDate | None, record: Record, element: str, flags: tuple[str, ...], reader: Reader
    ) -> None:
        self.on = on
        self.record = record
        self.element = element
        self.flags = flags
        self.reader = reader

    @property
    def source(self) -> Source:
        return source_of(self.record, self.element)

    def aside(self, reason: str) -> Said:
        return set_aside(self.record, reason)


def map_observation(resource: Observation, record: Record, reader: Reader) -> Iterator[Said]:
    """One result, or the components of a panel. Cancelled, registered and wrong entries are set aside."""
    if resource.status in _NOT_A_RESULT:
        yield set_aside(record, f"status-{resource.status}")
        return
    moment = resource.effectiveDateTime or resource.effectiveInstant
    on, _, _ = reader.span(moment, resource.effectivePeriod)
    if on and resource.dataAbsentReason is None:
        yield Contact(on=on, source=source_of(record, "effective[x]"), kind="observation")
    flags = ("preliminary",) if resource.status == _PRELIMINARY else ()
    code, unmapped = reader.translate("observation", resource.code, source_of(record, "code"))
    known = [(code.code, cast(Result, resource), "value[x]", code.flags)]
    for number, part in enumerate(resource.component):
        found = reader.terms["observation"].translate(part.code)
        known.append((found.code, part, f"component[{number}].value[x]", found.flags))
    used = [
        (name, result, element, extra) for name, result, element, extra in known if name not in (None, _LOOKS_ALIKE)
    ]
    if not used:
        yield from unmapped
        for part in resource.component:
            yield from reader.translate("observation", part.code, source_of(record, "component.code"))[1]
        yield set_aside(record, "observation-ambiguous" if code.ambiguous else "observation-not-in-study")
        return
    if on is None:
        yield set_aside(record, "no-usable-date")
        # An assessment whose day is lost is still known to have been made.
        used = [one for one in used if one[0] == "response"]
        flags = (*flags, "undated")
    for name, result, element, extra in used:
        if result is resource and resource.component and not _has_value(resource):
            continue
        place = _Place(on, record, element, (*flags, *extra), reader)
        yield from _MAPPERS.get(name, _lab)(name, result, resource, place)


def _has_value(result: Result) -> bool:
    return any(
        (
            result.valueQuantity,
            result.valueCodeableConcept,
            result.valueInteger is not None,
            result.valueString,
            result.valueBoolean is not None,
        )
    )


def _concept(result: Result) -> CodeableConcept | None:
    """A coded or textual answer as a concept."""
    if result.valueCodeableConcept:
        return result.valueCodeableConcept
    return CodeableConcept(text=result.valueString) if result.valueString else None


def _whole(result: Result) -> int | None:
    """A whole number of one digit, however it is written; None when it is not one."""
    if result.valueInteger is not None:
        return result.valueInteger
    quantity = result.valueQuantity
    if quantity and quantity.value is not None and not quantity.comparator:
        return int(quantity.value) if quantity.value in _ONE_DIGIT else None
    text = result.valueString or (result.valueCodeableConcept.text if result.valueCodeableConcept else "")
    return int(text.strip()) if text.strip().isdecimal() and len(text.strip()) == 1 else None


def _performance(_: str, result: Result, __: Observation, place: _Place) -> Iterator[Said]:
    ecog = _whole(result)
    if ecog is None or not 0 <= ecog <= 5:
        yield place.aside("ecog-not-0-to-5")
    else:
        yield Performance(on=place.on, source=place.source, flags=place.flags, ecog=ecog)


def _stage(_: str, result: Result, __: Observation, place: _Place) -> Iterator[Said]:
    found, unmapped = place.reader.translate("stage", _concept(result), place.source)
    yield from unmapped
    if found.code:
        flags = (*place.flags, *found.flags)
        yield Staging(on=place.on, source=place.source, flags=flags, stage=int(found.code))
    else:
        yield place.aside("stage-not-read")


def _lesion(name: str, result: Result, _: Observation, place: _Place) -> Iterator[Said]:
    """The longest single dimension; "75 x 62 mm" as text is read too."""
    sizes = [result.valueQuantity] if result.valueQuantity else _written_sizes(result.valueString)
    exact = [one for one in sizes if one.value is not None and not one.comparator]
    if not exact:
        yield place.aside("lesion-without-exact-size")
        return
    lengths = [place.reader.units.convert(name, one.value, one) for one in exact if one.value is not None]
    known = [length for length in lengths if length is not None]
    if len(known) < len(exact) or not all(place.reader.units.plausible(name, length) for length in known):
        yield place.aside("unit-not-known" if len(known) < len(exact) else "value-not-plausible")
    else:
        yield Lesion(on=place.on, source=place.source, flags=place.flags, longest_mm=max(known))


def _written_sizes(text: str) -> list[Quantity]:
    found = _SIZE.fullmatch(normalise(text))
    if not found:
        return []
    return [Quantity(value=Decimal(part), unit=found[2]) for part in re.split(r"\s*[x*]\s*", found[1])]


def _site(_: str, result: Result, resource: Observation, place: _Place) -> Iterator[Said]:
    concept = _concept(result) or resource.bodySite
    named = place.reader.terms["body-site"].every(concept)
    if result.valueBoolean is False or place.reader.denied(concept):
        # "liver; spleen negative": which of them is denied cannot be told.
        yield place.aside("sites-partly-denied" if len(named) > 1 else "site-not-involved")
        return
    if not named:
        _unknown, unmapped = place.reader.translate("body-site", concept, place.source)
        yield from unmapped
        yield place.aside("site-not-read")
    # "none" beside a site belongs to something else that the text says.
    for site in sorted(named - {NO_SITE} or named):
        extranodal = is_extranodal(place.reader, site)
        yield DiseaseSite(on=place.on, source=place.source, flags=place.flags, site=site, extranodal=extranodal)


def _response(_: str, result: Result, __: Observation, place: _Place) -> Iterator[Said]:
    found, unmapped = place.reader.translate("response", _concept(result), place.source)
    yield from unmapped
    if found.code is None:
        yield place.aside("response-ambiguous" if found.ambiguous else "response-not-read")
        return
    if found.by == "text" and found.code != "NE" and place.reader.denied(_concept(result)):
        yield place.aside("denied-or-only-suspected")
        return
    category = cast(ResponseCategory, found.code)
    method = "category" if found.by == "code" else "text"
    flags = (*place.flags, *found.flags)
    yield Assessment(on=place.on, source=place.source, flags=flags, category=category, method=method)


def _graded_event(name: str, result: Result, __: Observation, place: _Place) -> Iterator[Said]:
    """A grade of CRS or ICANS as an Observation; 0 or a negated text says that there was none."""
    term = name.removesuffix("-grade")
    concept = _concept(result)
    number = _whole(result)
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


def _lab(name: str, result: Result, resource: Observation, place: _Place) -> Iterator[Said]:
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


_MAPPERS: dict[str, Mapper] = {
    "ecog": _performance,
    "stage": _stage,
    "lesion-diameter": _lesion,
    "extranodal-site": _site,
    "response": _response,
    "crs-grade": _graded_event,
    "icans-grade": _graded_event,
}
