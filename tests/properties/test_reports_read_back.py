"""Whatever a statistic says, it says again when its MeasureReport is read back: nothing is lost on the way."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study12_estimates import CUT, START, study

from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.cohort.study import MeasureFamily
from fhir_adapter.publish import identity
from fhir_adapter.publish.codes import MEASURE_POPULATION, MEASURE_SCORING
from fhir_adapter.publish.measure_report import build_reports
from fhir_adapter.publish.report_reading import Leavers, NotAReport, read_body, read_report
from fhir_adapter.publish.statistic import exact, setting_text

POPULATIONS = {
    "proportion": ("initial-population", "denominator", "numerator"),
    "continuous-variable": ("initial-population", "measure-population", "measure-observation"),
    "cohort": ("initial-population",),
}
COUNTS = st.integers(0, 100_000)
VALUES = st.floats(-1e6, 1e6, allow_nan=False) | st.sampled_from([0.0, 6 / 11, 1.0, 1e-7])
MAYBE = st.none() | VALUES
SETTINGS = st.none() | st.booleans() | st.integers() | VALUES | st.text("abc .;", min_size=1).map(str.strip)
SHARED = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["median", "kaplan-meier", "clopper-pearson", "restricted-mean"]),
        "population": st.sampled_from(["infused", "responders", "evaluable"]),
        "timepoint_months": st.none() | st.integers(1, 240),
        "missing": COUNTS,
        "parameters": st.dictionaries(st.sampled_from(["km_ci", "data_cut", "ctcae_version"]), SETTINGS.filter(bool)),
    }
)


@st.composite
def estimates(draw: st.DrawFn) -> tuple[str, Estimate]:
    """A scoring and a statistic that fits it."""
    scoring = draw(st.sampled_from(["proportion", "continuous-variable"]))
    fields: dict[str, Any] = {"n": draw(COUNTS), "value": draw(VALUES), **draw(SHARED)}
    fields |= draw(st.sampled_from([{}, {"ci_level": 0.95, "ci_low": draw(MAYBE), "ci_high": draw(MAYBE)}]))
    if scoring == "proportion":
        fields |= {"denominator": fields["n"], "numerator": draw(st.integers(0, fields["n"]))}
    else:
        fields |= {"unit": draw(st.sampled_from(["1", "d", "mo", "a"])), "events": draw(st.none() | COUNTS)}
        fields |= {"range_low": draw(MAYBE), "range_high": draw(MAYBE), "at_risk": draw(st.none() | COUNTS)}
    fate = draw(st.sampled_from(["known", "not reached", "not estimable", "withheld"]))
    if fate == "not reached":
        fields |= {"value": None, "not_reached": True}
    elif fate == "not estimable":
        fields |= {"value": None, "not_estimable": "nobody was followed that long", "ci_low": None, "ci_high": None}
    elif fate == "withheld":
        fields |= withheld(fields, draw(st.sets(st.sampled_from(["n", "events", "ci_low", "numerator", "at_risk"]))))
    return scoring, Estimate(id="one.statistic", endpoint="family", label="One statistic", **fields)


def withheld(fields: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """What becomes of the fields whose content is withheld, the value among them."""
    names = {name for name in names if fields.get(name) is not None} | {"value"}
    gone = {name: 0 if name in ("n", "missing") else None for name in names}
    return {**gone, "suppressed": tuple(sorted(names))}


def measure(scoring: str, statistic: str, stratifier: str = "") -> MeasureFamily:
    group: dict[str, Any] = {
        "code": {"coding": [{"system": identity.STATISTIC_CODES, "code": statistic, "display": "One statistic"}]},
        "population": [
            {"code": {"coding": [{"system": MEASURE_POPULATION, "code": code}]}, "criteria": {"expression": "all"}}
            for code in POPULATIONS[scoring]
        ],
    }
    if stratifier:
        coded = {"coding": [{"system": identity.STRATIFIER_CODES, "code": stratifier}]}
        group["stratifier"] = [{"code": coded}]
    url, scored = f"{identity.CANON}/Measure/family", {"coding": [{"system": MEASURE_SCORING, "code": scoring}]}
    resource = {"resourceType": "Measure", "id": "family", "url": url, "version": "1", "status": "active"}
    for population in group["population"]:
        population["criteria"]["_language"] = {
            "extension": [
                {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "not-applicable"}
            ]
        }
    return MeasureFamily(
        family="family", url=url, version="1", resource={**resource, "scoring": scored, "group": [group]}
    )


def read_back(family: MeasureFamily, found: tuple[Estimate, ...], flow: tuple[FlowRow, ...] = ()) -> Any:
    """The report as another program reads it from its bytes."""
    asked = study(measures=(family,))
    _, report = build_reports(found, asked, flow=flow, period_start=START, period_end=CUT)
    return read_report(json.loads(report.to_json(), parse_float=Decimal))


def told(one: Estimate) -> dict[str, Any]:
    """What a report tells of a statistic: numbers to six decimals, parameters as text."""
    fields = json.loads(one.model_dump_json())
    rounded = {name: float(exact(value)) if isinstance(value, float) else value for name, value in fields.items()}
    return {**rounded, "parameters": {name: setting_text(value) for name, value in one.parameters.items()}}


@given(estimates())
def test_a_statistic_says_the_same_after_the_round_trip(case: tuple[str, Estimate]) -> None:
    scoring, one = case
    report = read_back(measure(scoring, one.id), (one,))
    assert [told(found) for found in report.estimates] == [told(one)]


@given(COUNTS, st.integers(0, 50))
def test_the_steps_of_the_attrition_and_who_left_there_say_the_same(people: int, left: int) -> None:
    step = Estimate(
        id="attrition.bsab", endpoint="family", label="One statistic", method="count", value=people, n=people
    )
    rows = (FlowRow(step="bsab", reason="no_bsab", n_in=people + left, n_out=left, n_left=people),)
    report = read_back(measure("cohort", step.id, "exclusion-reason"), (step,), rows)
    assert [told(found) for found in report.estimates] == [told(step)]
    assert report.leavers == ((Leavers("bsab", "no_bsab", left),) if left else ())


def test_a_report_says_whose_it_is_and_what_it_covers() -> None:
    report = read_back(measure("cohort", "baseline.n"), ())
    assert (report.study, report.site, report.family, report.cut) == (
        "bsab-cart-dlbcl",
        "site-01",
        "family",
        CUT.isoformat(),
    )
    assert (date.fromisoformat(report.start), date.fromisoformat(report.end)) == (START, CUT)


def test_a_statistic_that_was_not_computed_is_not_read() -> None:
    assert read_back(measure("proportion", "one.statistic"), ()).estimates == ()


def test_a_report_of_other_software_is_none_of_ours() -> None:
    foreign = {"resourceType": "MeasureReport", "status": "complete", "type": "summary", "measure": "urn:x"}
    assert read_report({**foreign, "identifier": [{"system": "https://example.org/other", "value": "a.b.c.d"}]}) is None
    assert read_report(foreign) is None


def test_a_report_about_one_person_is_no_table_of_the_study() -> None:
    key = [{"system": identity.REPORT, "value": "a.b.c.d"}]
    assert read_report({"resourceType": "MeasureReport", "type": "individual", "identifier": key}) is None


PART = {"url": "parameter", "extension": [{"url": "name", "valueString": "x"}]}
ODD = [{"url": "ciLow", "valueString": "low"}, {"url": "people", "valueString": "many"}, {"url": "timepoint"}, PART]


@pytest.mark.parametrize("odd", ODD, ids=lambda one: one["url"])
def test_a_valid_report_with_odd_content_is_read_as_far_as_it_goes_or_left_out(odd: dict[str, Any]) -> None:
    said = [{"url": "method", "valueCode": "median"}, odd]
    code = {"coding": [{"system": identity.STATISTIC_CODES, "code": "x"}]}
    group = {"code": code, "extension": [{"url": identity.STATISTIC, "extension": said}]}
    report = {"resourceType": "MeasureReport", "status": "complete", "type": "summary", "group": [group]}
    report |= {"measure": "https://example.org/Measure/x", "period": {"start": "2024"}}
    report |= {"identifier": [{"system": identity.REPORT, "value": "a.b.c.d"}]}
    try:
        found = read_body(json.dumps(report).encode())
    except NotAReport:
        return
    assert found is not None
    assert [one.parameters for one in found.estimates] == [{}]
