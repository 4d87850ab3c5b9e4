"""A statistic in FHIR: the score of a group, and the extension that says what R4 has no element for.

`mappings/common/fhir/StructureDefinition-statistic.json` defines the extension,
`docs/reference/measure-reports.md` explains it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

from fhir_adapter.analysis.wording import is_share
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.finding import Json
from fhir_adapter.publish.codes import DATA_ABSENT_REASON, UCUM
from fhir_adapter.publish.documents import Resource
from fhir_adapter.publish.identity import STATISTIC

_PLACES = Decimal("0.000001")


def exact(value: float) -> int | Decimal:
    """`value` rounded half up to six decimals, without trailing zeros, so that equal gives equal bytes."""
    rounded = Decimal(repr(value)).quantize(_PLACES, rounding=ROUND_HALF_UP).normalize()
    return int(rounded) if rounded == rounded.to_integral_value() else rounded


def quantity(value: float, unit: str) -> Resource:
    """A Quantity in UCUM; without `unit` a bare number."""
    return {"value": exact(value), **_unit(unit)}


def absent(reason: str, unit: str = "") -> Resource:
    """A Quantity that has no value, and says why with a code of data-absent-reason."""
    return {"_value": no_value(reason), **_unit(unit)}


def no_value(reason: str) -> Resource:
    """What stands beside an element that has no value (`_value`, `_count`): why it has none."""
    return {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": reason}]}


def score(estimate: Estimate | None, scoring: str) -> Resource:
    """The measureScore: the value, or why there is none (`temp-unknown` for a median not reached, `masked` for one that
    is withheld).

    A proportion has no unit: it is a plain fraction, and validators refuse any other. None is a statistic that
    was not computed.
    """
    if estimate is None:
        return absent("not-applicable")
    unit = "" if scoring == "proportion" else estimate.unit
    if "value" in estimate.suppressed:
        return absent("masked", unit)
    if estimate.not_estimable or (estimate.value is None and not estimate.not_reached):
        return absent("unknown" if estimate.n else "not-applicable", unit)
    if estimate.not_reached or estimate.value is None:
        return absent("temp-unknown", unit)
    return quantity(estimate.value, unit)


def extension(estimate: Estimate) -> Resource:
    """The `statistic` extension of one group."""
    return {"url": STATISTIC, "extension": list(_parts(estimate))}


def not_computed() -> Resource:
    """The extension of a group whose statistic does not exist under the parameters in force."""
    reason = "not computed with the parameters and the data of this report"
    return {"url": STATISTIC, "extension": [{"url": "notEstimable", "valueString": reason}]}


def _parts(estimate: Estimate) -> Iterator[Resource]:
    yield {"url": "method", "valueCode": estimate.method}
    yield {"url": "population", "valueCode": estimate.population}
    if estimate.timepoint_months is not None:
        yield {"url": "timepoint", "valueDuration": quantity(estimate.timepoint_months, "mo")}
    yield from _interval(estimate)
    for name, value in (("rangeLow", estimate.range_low), ("rangeHigh", estimate.range_high)):
        if value is not None:
            yield {"url": name, "valueDecimal": exact(value)}
    for name, count in (
        ("people", None if "n" in estimate.suppressed else estimate.n),
        ("atRisk", estimate.at_risk),
        ("events", estimate.events),
        ("missing", None if "missing" in estimate.suppressed else estimate.missing),
    ):
        if count is not None:
            yield {"url": name, "valueUnsignedInt": count}
    if estimate.not_estimable:
        yield {"url": "notEstimable", "valueString": estimate.not_estimable}
    for withheld in estimate.suppressed:
        yield {"url": "suppressed", "valueCode": withheld}
    for name, setting in sorted(estimate.parameters.items()):
        yield _parameter(name, setting)


def _interval(estimate: Estimate) -> Iterator[Resource]:
    if estimate.ci_level is None:
        return
    yield {"url": "ciLevel", "valueDecimal": exact(estimate.ci_level)}
    if estimate.not_estimable:
        return
    ends = {"ciLow": ("ci_low", estimate.ci_low), "ciHigh": ("ci_high", estimate.ci_high)}
    for name, (field, end) in ends.items():
        if field in estimate.suppressed:
            continue
        if end is not None and math.isfinite(end):
            yield {"url": name, "valueDecimal": exact(end)}
        else:
            is_open = name == "ciHigh" and not is_share(estimate) and not estimate.no_interval
            yield {"url": name, "valueQuantity": absent("positive-infinity" if is_open else "unknown", estimate.unit)}


def _parameter(name: str, setting: Json) -> Resource:
    parts = [{"url": "name", "valueString": name}, {"url": "value", "valueString": setting_text(setting)}]
    return {"url": "parameter", "extension": parts}


def setting_text(setting: Json) -> str:
    """The value of a parameter as text: lists are joined by `;`, what is empty is `none`."""
    if isinstance(setting, tuple):
        return ";".join(setting) or "none"
    return str(setting).lower() if isinstance(setting, bool | None) else str(setting) or "none"


def _unit(unit: str) -> Resource:
    return {"unit": unit, "system": UCUM, "code": unit} if unit else {}
