"""Evidence for servers of FHIR 4.3 and 5.0, and the other documents as FHIR 5.0 spells them."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

from study12_estimates import CUT, FLOW, START, estimates, study

from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.publish.documents import Document
from fhir_adapter.publish.evidence import build_evidence
from fhir_adapter.publish.identity import EVIDENCE
from fhir_adapter.publish.measure_report import build_reports
from fhir_adapter.publish.release import as_r5, from_r5

UCUM = {"unit": "1", "system": "http://unitsofmeasure.org", "code": "1"}
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
PART = "pfs.12m[bsab_failure=refractory]"


def in_a_subgroup() -> Estimate:
    (whole,) = [one for one in estimates() if one.id == "pfs.12m"]
    return whole.model_copy(update={"id": PART, "population": "bsab_failure=refractory", "n": 8, "value": 0.5})


FOUND = (*estimates(), in_a_subgroup())


@cache
def reports() -> tuple[Document, ...]:
    return build_reports(FOUND, study(), flow=FLOW, period_start=START, period_end=CUT)


@cache
def evidence() -> dict[str, dict[str, Any]]:
    """Every Evidence by its title."""
    return {one.resource["title"]: one.resource for one in build_evidence(reports(), FOUND, study())}


def test_every_scored_statistic_and_its_subgroups_are_evidence_of_their_own() -> None:
    found = build_evidence(reports(), FOUND, study())
    scored = [one for one in FOUND if one.method != "count"]
    assert len({one.id for one in found}) == len(found) == len(scored)
    assert "PFS at 12 months (bsab_failure=refractory)" in evidence()


def test_an_interval_and_its_level_stand_where_fhir_has_an_element_for_them() -> None:
    one = evidence()["PFS at 12 months (infused)"]
    (statistic,) = one["statistic"]
    assert statistic["quantity"] == {"value": Decimal("0.545455"), **UCUM}
    (interval,) = statistic["attributeEstimate"]
    assert interval["type"]["coding"][0]["code"] == "C53324"
    assert interval["level"] == Decimal("0.95")
    ends = {name: end["value"] for name, end in interval["range"].items()}
    assert ends == {"low": Decimal("0.229"), "high": Decimal("0.78")}
    assert (statistic["numberOfEvents"], statistic["sampleSize"]) == (5, {"knownDataCount": 12})


def test_a_median_not_reached_has_no_value_and_says_why() -> None:
    (statistic,) = evidence()["PFS, median (infused)"]["statistic"]
    assert "value" not in statistic["quantity"]
    assert statistic["quantity"]["_value"]["extension"] == [{"url": ABSENT, "valueCode": "temp-unknown"}]


def test_a_range_is_no_interval() -> None:
    (statistic,) = evidence()["Washout (infused)"]["statistic"]
    (between,) = statistic["attributeEstimate"]
    assert between["type"]["coding"][0]["code"] == "C38013"
    assert "level" not in between


def test_it_is_named_by_its_report_and_its_statistic() -> None:
    (identifier,) = evidence()["PFS at 12 months (bsab_failure=refractory)"]["identifier"]
    assert identifier["system"] == EVIDENCE
    assert identifier["value"].startswith("bsab-cart-dlbcl.site-01.pfs.2025-08-01.pfs-12m-bsab_failure-refractory")


def test_in_release_5_a_report_has_the_names_of_that_release() -> None:
    shaped = {one.id: one.resource for one in as_r5((*reports(), *build_evidence(reports(), FOUND, study())))}
    report = shaped["bsab-cart-dlbcl.site-01.pfs.2025-08-01"]
    group = next(one for one in report["group"] if one["code"]["coding"][0]["code"] == "pfs.12m")
    assert group["measureScoreQuantity"] == {"value": Decimal("0.545455"), **UCUM}
    strata = [stratum for one in group["stratifier"] for stratum in one.get("stratum", ())]
    assert [one["valueCodeableConcept"]["text"] for one in strata] == ["refractory"]
    assert isinstance(group["stratifier"][0]["code"], dict)
    assert "measureScoreQuantity" in strata[0]


def test_a_report_of_release_5_reads_as_it_was() -> None:
    before = [one.resource for one in reports() if one.type == "MeasureReport"]
    assert [from_r5(one.resource) for one in as_r5(reports()) if one.type == "MeasureReport"] == before
