"""Subgroups as strata, counts that are withheld, and the canonical base of a site."""

from __future__ import annotations

import json
from typing import Any

import pytest
from study12_estimates import CUT, FLOW, START, estimates, study

from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.publish.canonical_base import with_base, without_base
from fhir_adapter.publish.identity import CANON
from fhir_adapter.publish.measure_report import build_reports
from fhir_adapter.publish.report_reading import ReportRead, read_report

MASKED = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]}


def reports(found: tuple[Estimate, ...], **parameters: Any) -> dict[str, dict[str, Any]]:
    documents = build_reports(found, study(parameters=parameters), flow=FLOW, period_start=START, period_end=CUT)
    return {one.id.split(".")[2]: one.resource for one in documents if one.type == "MeasureReport"}


def group(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in report["group"] if one["code"]["coding"][0]["code"] == name)


def with_subgroups(name: str, *populations: str) -> tuple[Estimate, ...]:
    (whole,) = [one for one in estimates() if one.id == name]
    parts = [whole.model_copy(update={"id": f"{name}[{one}]", "population": one, "n": 6}) for one in populations]
    return (*estimates(), *parts)


def read(report: dict[str, Any]) -> ReportRead:
    found = read_report(report)
    assert found is not None
    return found


def test_a_statistic_of_a_subgroup_is_a_stratum_of_the_group_of_the_whole() -> None:
    found = with_subgroups("pfs.12m", "bsab_failure=relapsed", "bsab_failure=refractory", "bsab_targets=CD3xCD20")
    strata = {
        one["code"][0]["coding"][0]["code"]: [stratum["value"]["text"] for stratum in one.get("stratum", ())]
        for one in group(reports(found)["pfs"], "pfs.12m")["stratifier"]
    }
    assert strata == {
        "bsab_failure": ["relapsed", "refractory"],
        "bsab_targets": ["CD3xCD20"],
        "washout_days": [],
        "cart_targets": [],
    }


def test_a_stratum_comes_back_as_the_statistic_of_its_subgroup() -> None:
    found = with_subgroups("response.cr", "cart_targets=CD19")
    back = {one.id: one for one in read(reports(found)["response"]).estimates}
    part = back["response.cr[cart_targets=CD19]"]
    assert (part.n, part.population, part.denominator) == (6, "cart_targets=CD19", 12)


def test_what_is_withheld_is_masked_and_comes_back_as_withheld() -> None:
    gone = dict.fromkeys(("value", "ci_low", "ci_high", "numerator"))
    hidden = {**gone, "suppressed": tuple(gone)}
    found = tuple(one.model_copy(update=hidden) if one.id == "response.cr" else one for one in estimates())
    report = reports(found)["response"]
    part = group(report, "response.cr")
    assert part["measureScore"] == {"_value": MASKED}
    assert [one.get("_count") for one in part["population"]] == [None, None, MASKED]
    (back,) = [one for one in read(report).estimates if one.id == "response.cr"]
    assert (back.suppressed, back.value, back.numerator, back.denominator) == (tuple(gone), None, None, 12)


def test_a_statistic_of_too_few_people_does_not_tell_how_many() -> None:
    hidden = {"n": 0, "value": None, "denominator": None, "numerator": None}
    hidden |= {"suppressed": ("value", "n", "numerator", "denominator"), "population": "bsab_failure=relapsed"}
    found = tuple(one.model_copy(update=hidden) if one.id == "response.cr" else one for one in estimates())
    part = group(reports(found)["response"], "response.cr")
    assert [one.get("_count") for one in part["population"]] == [MASKED] * 3
    assert not any(one["url"] == "people" for one in part["extension"][0]["extension"])


def test_reasons_to_leave_with_few_people_are_withheld_and_never_one_alone() -> None:
    """Ten and twenty left at the diagnosis. Ten is below 15; the twenty goes too, or the ten could be computed."""
    told = {one.reason: one.people for one in read(reports(estimates())["attrition"]).leavers}
    assert (told["no_diagnosis"], told["other_disease"]) == (10, 20)
    hidden = {one.reason: one.people for one in read(reports(estimates(), min_cell=15)["attrition"]).leavers}
    assert (hidden["no_diagnosis"], hidden["other_disease"]) == (None, None)


@pytest.mark.parametrize("base", ["https://hospital.example/fhir", "http://a.example"])
def test_every_address_of_ours_moves_to_the_base_of_the_site_and_back(base: str) -> None:
    for report in reports(estimates()).values():
        moved = with_base(report, base)
        assert CANON not in json.dumps({name: value for name, value in moved.items() if name != "text"}, default=str)
        assert moved["measure"].startswith(f"{base}/Measure/")
        assert without_base(moved, base) == report


def test_addresses_of_others_stay_where_they_are() -> None:
    resource = {"url": f"{CANON}x/Measure", "system": "http://loinc.org", "text": f"see {CANON}/Measure"}
    assert with_base(resource, "https://hospital.example/fhir") == resource


def test_without_a_base_nothing_moves() -> None:
    resource = {"url": f"{CANON}/Measure/x"}
    assert with_base(resource, "") is resource
