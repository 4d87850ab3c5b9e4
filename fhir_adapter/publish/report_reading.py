"""A MeasureReport read back into the statistics it was made of: the other direction of `measure_report`.

What comes back is what was told: numbers to six decimals, parameters as text, the family as endpoint and the text of
the Measure as label. Reports of other software have no `statistic` extension and give nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.fhir.canonical import parse_json
from fhir_adapter.publish import identity
from fhir_adapter.publish.answer import code_in
from fhir_adapter.publish.canonical_base import without_base
from fhir_adapter.publish.codes import DATA_ABSENT_REASON, MEASURE_POPULATION
from fhir_adapter.publish.documents import Resource, model_class
from fhir_adapter.publish.release import Release, from_r5
from fhir_adapter.publish.stratifier import EXCLUSION_REASON, STEP, subgroup_id

_KEY_PARTS = 4
# The fields of an estimate and what the extension calls them: as they are, and numbers.
_TOLD = {
    "method": "method",
    "population": "population",
    "n": "people",
    "not_estimable": "notEstimable",
    "missing": "missing",
    "at_risk": "atRisk",
    "events": "events",
}
_NUMBERS = {
    "timepoint_months": "timepoint",
    "ci_level": "ciLevel",
    "ci_low": "ciLow",
    "ci_high": "ciHigh",
    "range_low": "rangeLow",
    "range_high": "rangeHigh",
}


@dataclass(frozen=True, slots=True)
class Leavers:
    """People who left at a step of the attrition for a reason; `people` is None where the count is withheld."""

    step: str
    reason: str
    people: int | None


@dataclass(frozen=True, slots=True)
class ReportRead:
    """One report: whose it is (`study`, `site`, `family`, `cut` as in its identifier), its period, what it tells."""

    study: str
    site: str
    family: str
    cut: str
    start: str
    end: str
    estimates: tuple[Estimate, ...]
    leavers: tuple[Leavers, ...]


class NotAReport(ValueError):
    """Bytes that are no valid MeasureReport of the release that the server speaks."""


def read_body(body: bytes, base: str = "", release: Release = "4.0") -> ReportRead | None:
    """What a MeasureReport tells, from its bytes; `base` is the site's canonical base. Raises `NotAReport`."""
    try:
        model = model_class("MeasureReport", release).model_validate(parse_json(body))
        checked = cast(Resource, parse_json(model.model_dump_json().encode()))
        return read_report(without_base(from_r5(checked) if release == "5.0" else checked, base))
    except ValueError:  # no JSON, not as the model has it, or no number where one belongs
        raise NotAReport from None


def read_report(resource: Mapping[str, Any]) -> ReportRead | None:
    """What a valid R4 MeasureReport tells; None when it is none of ours, or about one person."""
    key = _key(resource)
    if resource.get("type") != "summary" or len(key) != _KEY_PARTS:
        return None
    study, site, family, cut = key
    groups, period = resource.get("group", []), resource.get("period", {})
    return ReportRead(
        study,
        site,
        family,
        cut,
        start=str(period.get("start", "")),
        end=str(period.get("end", "")),
        estimates=tuple(one for group in groups for one in _estimates(group, family)),
        leavers=tuple(one for group in groups for one in _leavers(group)),
    )


def _key(resource: Mapping[str, Any]) -> list[str]:
    ours = (one for one in resource.get("identifier", ()) if one.get("system") == identity.REPORT)
    return str(next((one.get("value", "") for one in ours), "")).split(".")


def _estimates(group: Resource, family: str) -> Iterator[Estimate]:
    """The statistic of a group, and the same one in every subgroup."""
    name = code_in(group.get("code"), identity.STATISTIC_CODES)
    label = _label(group.get("code", {}), name)
    if name and (whole := _estimate(group, name, family, label)):
        yield whole
    for stratum in _strata(group):
        population = code_in(stratum.get("value"), identity.STRATUM_CODES)
        if population and (part := _estimate(stratum, subgroup_id(name, population), family, label)):
            yield part


def _estimate(part: Resource, id: str, family: str, label: str) -> Estimate | None:
    """The statistic of a group or stratum; None where nothing was computed."""
    said = _said(part)
    if "method" not in said:
        return None
    counts, score = _counts(part), part.get("measureScore", {})
    withheld = said.pop("suppressed")
    fields = {
        "value": _number(score) if score else counts.get("initial-population"),
        "unit": score.get("code", "1"),
        "not_reached": _absent(score.get("_value", {})) == "temp-unknown",
        "n": 0 if "n" in withheld else _people(counts),
        "numerator": counts.get("numerator"),
        "denominator": counts.get("denominator"),
        "suppressed": tuple(withheld),
    }
    told = {field: said[name] for field, name in _TOLD.items() if name in said}
    numbers = {field: _number(said.get(name)) for field, name in _NUMBERS.items()}
    named = {"id": id, "endpoint": family, "label": label, "parameters": said["parameters"]}
    return Estimate.model_validate({**fields, **told, **numbers, **named})


def _said(part: Resource) -> dict[str, Any]:
    """The values of the `statistic` extension by name; `parameters` as a mapping, `suppressed` as a list."""
    ours = [one for one in part.get("extension", ()) if one.get("url") == identity.STATISTIC]
    inner: Sequence[Resource] = ours[0].get("extension", ()) if ours else ()
    values = [(str(one.get("url")), _value(one)) for one in inner]
    pairs = [{str(half.get("url")): _value(half) for half in one["extension"]} for one in inner if one.get("extension")]
    return {
        **{name: value for name, value in values if name not in ("parameter", "suppressed")},
        "suppressed": [value for name, value in values if name == "suppressed"],
        "parameters": {pair["name"]: pair["value"] for pair in pairs if {"name", "value"} <= pair.keys()},
    }


def _value(extension: Mapping[str, Any]) -> Any:
    return next((value for name, value in extension.items() if name.startswith("value")), None)


def _number(value: Any) -> float | None:
    """A decimal, or the value of a Quantity; None when it has none."""
    if isinstance(value, Mapping):
        value = value.get("value")
    return None if value is None else float(value)


def _absent(beside: Mapping[str, Any]) -> str:
    reasons = (one.get("valueCode", "") for one in beside.get("extension", ()) if one.get("url") == DATA_ABSENT_REASON)
    return str(next(reasons, ""))


def _counts(part: Resource) -> dict[str, int]:
    """People by population, as far as they are told."""
    counted = ((code_in(one.get("code"), MEASURE_POPULATION), one.get("count")) for one in part.get("population", ()))
    return {code: count for code, count in counted if count is not None}


def _people(counts: Mapping[str, int]) -> int:
    asked = ("measure-population", "denominator", "initial-population")
    return next((counts[code] for code in asked if code in counts), 0)


def _strata(group: Resource) -> Iterator[Resource]:
    for one in group.get("stratifier", ()):
        yield from one.get("stratum", ())


def _leavers(group: Resource) -> Iterator[Leavers]:
    step = code_in(group.get("code"), identity.STATISTIC_CODES).removeprefix(STEP)
    for one in group.get("stratifier", ()):
        if code_in(next(iter(one.get("code", ())), None), identity.STRATIFIER_CODES) == EXCLUSION_REASON:
            for stratum in one.get("stratum", ()):
                reason = code_in(stratum.get("value"), identity.EXCLUSION_CODES)
                yield Leavers(step, reason, _counts(stratum).get("denominator-exclusion"))


def _label(concept: Mapping[str, Any], name: str) -> str:
    displays = (one.get("display") for one in concept.get("coding", ()))
    return str(concept.get("text") or next((text for text in displays if text), name))
