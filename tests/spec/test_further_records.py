"""Records that a study may read beyond the usual: diagnostic reports, and specimens of collected cells."""

from __future__ import annotations

from typing import Any

import pytest
from mapping.hospital import LOINC, Json, concept
from spec.edge_cases.chart import anchors, assessed, chart, given, mapped, member, resource, washout

BSAB = given("glofitamab", "2024-01-22")
PARTIAL = concept((LOINC, "LA28369-9", "PR"))
READ = "diagnostic_report,specimen"


def report(conclusion: Json, on: str = "2024-05-01", **elements: Any) -> Json:
    told = {"status": "final", "code": {"text": "PET-CT"}, "effectiveDateTime": on, "conclusionCode": [conclusion]}
    return resource("DiagnosticReport", f"report {on}", **{**told, **elements})


def specimen(kind: str = "Leukapheresis product", on: str = "2024-03-10", **elements: Any) -> Json:
    told = {"status": "available", "type": {"text": kind}, "collection": {"collectedDateTime": on}}
    return resource("Specimen", "cells", **{**told, **elements})


def best(*resources: Json, **parameters: str) -> str:
    return member(chart(BSAB, *resources), **{"further_records": READ, **parameters}).response.verdict


def test_a_report_counts_only_where_the_study_reads_reports() -> None:
    assert best(report(PARTIAL), further_records="specimen") == "NE"
    assert best(report(PARTIAL)) == "PR"


@pytest.mark.parametrize("conclusion", [PARTIAL, {"text": "Partial metabolic response"}])
def test_a_response_may_be_the_conclusion_code_of_a_report(conclusion: Json) -> None:
    """By code, or in the words of a concept."""
    assert best(report(conclusion)) == "PR"


def test_what_a_report_concludes_in_free_text_is_not_read() -> None:
    """Progression that stands only in a text is no progression."""
    assert best({**report({"text": "see text"}), "conclusion": "Progressive disease"}) == "NE"


@pytest.mark.parametrize(
    "elements", [{"status": "cancelled"}, {"status": "registered"}, {"status": "entered-in-error"}]
)
def test_a_report_that_is_not_there_says_nothing(elements: Json) -> None:
    assert best(report(PARTIAL, **elements)) == "NE"


def test_the_investigator_decides_over_the_report_of_the_same_day() -> None:
    """A report of the radiologist and the category of the investigator."""
    seen = assessed("CR", "2024-05-01") | {"performer": [{"display": "Investigator"}]}
    assert best(report(PARTIAL, resultsInterpreter=[{"display": "Radiologist"}]), seen) == "CR"


def test_a_specimen_of_collected_lymphocytes_tells_the_day_of_the_collection() -> None:
    one = member(chart(BSAB, specimen(), without=("collection",)), further_records=READ)
    assert anchors(one).apheresis is not None
    assert washout(one) == 48


def test_a_specimen_that_failed_is_not_the_one_that_was_infused() -> None:
    one = member(chart(BSAB, specimen(status="unsatisfactory")), further_records=READ)
    assert washout(one) == 42


@pytest.mark.parametrize("kind", ["Blood", "Bone marrow aspirate", "CD34+ collection"])
def test_another_specimen_is_no_collection(kind: str) -> None:
    assert washout(member(chart(BSAB, specimen(kind)), further_records=READ)) == 42


def test_the_product_leads_to_its_specimen() -> None:
    """Of two collections the one whose specimen the infusion names is the index, though it is not the last."""
    early = specimen(on="2024-02-20")
    cells = given("CD19 CAR-T cells", "2024-04-01", supportingInformation=[{"reference": "Specimen/cells"}])
    one = member(chart(BSAB, early, cells, without=("infusion",)), further_records=READ)
    assert washout(one) == 29


def test_a_record_that_the_study_does_not_read_is_counted_with_its_reason() -> None:
    found = mapped(chart(BSAB, report(PARTIAL), specimen()))
    assert [one.type for one in found.set_aside if one.reason == "record-not-accepted"] == [
        "DiagnosticReport",
        "Specimen",
    ]
