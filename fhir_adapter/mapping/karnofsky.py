"""Observation → Karnofsky performance status."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from fhir_adapter.cohort.events import Karnofsky
from fhir_adapter.fhir.r4 import Observation
from fhir_adapter.mapping.reading import Said
from fhir_adapter.mapping.result import Place, Result
from fhir_adapter.mapping.terminology import normalise

_WRITTEN = re.compile(r"(\d+) ?%?")
_IN_TENS = frozenset(map(Decimal, range(0, 101, 10)))


def map_karnofsky(_: str, result: Result, __: Observation, place: Place) -> Iterator[Said]:
    """A number of tens; another one is no Karnofsky status."""
    percent = _number(result)
    if percent in _IN_TENS:
        yield Karnofsky(on=place.on, source=place.source, flags=place.flags, percent=int(percent))
    else:
        yield place.aside("karnofsky-not-0-to-100")


def _number(result: Result) -> Decimal:
    """The number however it is written; -1 where there is none."""
    if result.valueInteger is not None:
        return Decimal(result.valueInteger)
    quantity = result.valueQuantity
    if quantity and quantity.value is not None and not quantity.comparator:
        return quantity.value
    written = _WRITTEN.fullmatch(normalise(result.valueString))
    return Decimal(written[1] if written else -1)
