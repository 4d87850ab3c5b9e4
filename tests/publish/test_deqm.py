"""The shape of the DEQM summary profile: links to the Measure, scoring of every group, supplemental data, counts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from study12_estimates import CUT, FLOW, ORDER, START, estimates, study

from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.publish.deqm import PROFILE, SCORING, SUPPLEMENTAL_DATA, as_deqm
from fhir_adapter.publish.documents import Document
from fhir_adapter.publish.measure_report import build_reports
from fhir_adapter.publish.report_reading import read_report

GROUP_LINK = "http://hl7.org/fhir/5.0/StructureDefinition/extension-MeasureReport.group.linkId"
POPULATION_LINK = "http://hl7.org/fhir/5.0/StructureDefinition/extension-MeasureReport.group.population.linkId"


@cache
def measured() -> tuple[tuple[Document, ...], tuple[Document, ...]]:
    """The documents of the study as they are, and in the shape of DEQM."""
    return plain(estimates()), as_deqm(plain(estimates()), estimates())


def plain(found: tuple[Estimate, ...]) -> tuple[Document, ...]:
    return build_reports(found, study(), flow=FLOW, period_start=START, period_end=CUT)


def pairs(found: tuple[Estimate, ...] | None = None) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every Measure with its report, in the shape of DEQM."""
    shaped = measured()[1] if found is None else as_deqm(plain(found), found)
    return zip((one.resource for one in shaped[::2]), (one.resource for one in shaped[1::2]), strict=True)


def said(part: dict[str, Any], url: str) -> Any:
    (found,) = [one for one in part["extension"] if one["url"] == url]
    return next(value for name, value in found.items() if name.startswith("value"))


def test_a_report_claims_the_profile_and_never_names_what_it_was_computed_from() -> None:
    reports = [report for _, report in pairs()]
    assert len(reports) == len(ORDER)
    for report in reports:
        assert report["meta"] == {"profile": [PROFILE]}
        assert report["type"] == "summary"
        assert {"date", "reporter", "period"} <= set(report)
        assert "evaluatedResource" not in report


def test_every_group_and_population_links_to_that_of_the_measure() -> None:
    for measure, report in pairs():
        for asked, group in zip(measure["group"], report["group"], strict=True):
            assert said(group, GROUP_LINK) == group["id"] == asked["id"]
            known = {one["id"] for one in asked["population"]}
            for one in group["population"]:
                assert said(one, POPULATION_LINK) == one["id"]
                assert one["id"] in known


def test_a_measure_has_no_elements_of_another_release() -> None:
    assert all("hl7.org/fhir/5.0" not in str(measure) for measure, _ in pairs())


def test_every_group_says_how_it_is_scored() -> None:
    scorings = {said(group, SCORING)["coding"][0]["code"] for _, report in pairs() for group in report["group"]}
    assert scorings == {"proportion", "continuous-variable", "cohort"}


def test_the_supplemental_data_are_contained_observations_about_the_cohort() -> None:
    for _, report in pairs():
        references = [one["valueReference"]["reference"] for one in report["extension"]]
        assert {one["url"] for one in report["extension"]} == {SUPPLEMENTAL_DATA}
        assert references == [f"#{one['id']}" for one in report["contained"]]
        codes = {one["code"]["coding"][0]["code"]: one["valueQuantity"]["value"] for one in report["contained"]}
        assert {name: float(value) for name, value in codes.items()} == {"baseline.age": 53, "baseline.male": 0.5}


def test_a_population_without_count_is_left_out() -> None:
    gone = {"value": None, "numerator": None, "suppressed": ("value", "numerator")}
    found = tuple(one.model_copy(update=gone) if one.id == "response.cr" else one for one in estimates())
    groups = [group for _, report in pairs(found) for group in report["group"]]
    (withheld,) = [group for group in groups if group["id"] == "response.cr"]
    told = {one["id"]: one["count"] for one in withheld["population"]}
    assert told == {"response.cr.initial-population": 12, "response.cr.denominator": 12}


def test_a_group_that_was_not_computed_keeps_its_populations_which_say_why() -> None:
    groups = [group for _, report in pairs() for group in report["group"]]
    (group,) = [one for one in groups if one["id"] == "relapse.12m"]
    assert [("count" in one, "_count" in one) for one in group["population"]] == [(False, True)] * 2


def test_what_is_read_back_is_the_same_in_both_shapes() -> None:
    before = [read_report(one.resource) for one in measured()[0][1::2]]
    assert [read_report(report) for _, report in pairs()] == before


def test_equal_results_are_equal_documents() -> None:
    assert as_deqm(measured()[0], estimates()) == measured()[1]
