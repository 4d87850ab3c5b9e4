"""Which of a result's reference ranges is the normal one for this person, and its limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from fhir_adapter.cohort.subject import Sex
from fhir_adapter.fhir.r4 import CodeableConcept, Quantity, Range, ReferenceRange
from fhir_adapter.mapping.terminology import ConceptMap, normalise
from fhir_adapter.mapping.written_number import with_decimal_point

_UNIT = r"\s*(?P<unit>[^\d\s(\[].*|\s10.*)?"
_RANGE = re.compile(r"[(\[]?\s*(\d+(?:\.\d+)?)\s*(?:-{1,2}|~|to|bis)\s*(\d+(?:\.\d+)?)\s*[)\]]?" + _UNIT)
_UP_TO = re.compile(r"(?:<|<=|≤|up to)\s*(\d+(?:\.\d+)?)" + _UNIT)
_FROM = re.compile(r"(?:>|>=|≥)\s*(\d+(?:\.\d+)?)" + _UNIT)
_LABELLED = re.compile(r"(?P<label>[^\d<≤>≥]+?)\s*:?\s*(?P<limits>[\d<≤>≥(\[].*)")
_YEARS = {"a", "year", "years", "yr", "y", "岁", "jahre"}
Limits = tuple[Quantity | None, Quantity | None]
Years = tuple[int, int]
"""The least and the most that somebody's age may be."""


def normal_ranges(
    ranges: Iterable[ReferenceRange], audiences: ConceptMap, sex: Sex, years: Years | None
) -> list[ReferenceRange]:
    """The ranges that may be the normal one for this person: several when nobody says which of them applies.

    A range that is typed as normal wins over one that does not say what it is, one for the person's own sex over one
    for everybody. A range for the other sex or for another age is never theirs.
    """
    split = [part for entry in ranges for part in _parts(entry)]
    typed = [entry for entry in split if entry.type and _is_normal(entry)]
    fitting = [
        entry
        for entry in typed or [entry for entry in split if entry.type is None]
        if _audience(entry, audiences) <= {sex} | ({"male", "female"} if sex == "unknown" else set())
        and _fits_age(entry.age, years)
    ]
    own = [entry for entry in fitting if _audience(entry, audiences) == {sex}]
    return own or fitting


def limits_of(ranges: Sequence[ReferenceRange]) -> Limits:
    """Lower and upper limit; none when there is no range, or more than one."""
    if len(ranges) != 1:
        return None, None
    (entry,) = ranges
    if entry.low is None and entry.high is None and entry.text:
        return _written_limits(entry.text)
    return entry.low, entry.high


def _parts(entry: ReferenceRange) -> list[ReferenceRange]:
    """A text such as "M: 130-175; F: 115-150" is one range for each part."""
    texts = [part.strip() for part in re.split(r"[;；\n]", entry.text) if part.strip()]
    if entry.low or entry.high or len(texts) < 2:
        return [entry]
    return [ReferenceRange(type=entry.type, appliesTo=entry.appliesTo, age=entry.age, text=text) for text in texts]


def _audience(entry: ReferenceRange, audiences: ConceptMap) -> frozenset[str]:
    """The sexes that a range is for, as far as it says so."""
    told = (*entry.appliesTo, CodeableConcept(text=entry.text)) if entry.text else entry.appliesTo
    return frozenset(code for concept in told for code in audiences.every(concept))


def _fits_age(ages: Range | None, years: Years | None) -> bool:
    """False when the person is surely too young or too old for a range; only ages in years are read."""
    if ages is None or years is None:
        return True
    least, most = years
    low, high = _in_years(ages.low), _in_years(ages.high)
    return not ((low is not None and most < low) or (high is not None and least > high))


def _in_years(age: Quantity | None) -> Decimal | None:
    if age is None or age.value is None:
        return None
    return age.value if normalise(age.code or age.unit) in _YEARS else None


def _written_limits(text: str) -> Limits:
    """Limits written as text; a unit behind them is theirs, a label before them says for whom they are."""
    plain = with_decimal_point(normalise(text, fold=False))
    if labelled := _LABELLED.fullmatch(plain):
        plain = labelled["limits"] if not plain.startswith("up to") else plain
    if found := _RANGE.fullmatch(plain):
        unit = (found["unit"] or "").strip()
        return Quantity(value=Decimal(found[1]), unit=unit), Quantity(value=Decimal(found[2]), unit=unit)
    if found := _UP_TO.fullmatch(plain):
        return None, Quantity(value=Decimal(found[1]), unit=(found["unit"] or "").strip())
    if found := _FROM.fullmatch(plain):
        return Quantity(value=Decimal(found[1]), unit=(found["unit"] or "").strip()), None
    return None, None


def _is_normal(entry: ReferenceRange) -> bool:
    return entry.type is not None and any(coding.code == "normal" for coding in entry.type.coding)
