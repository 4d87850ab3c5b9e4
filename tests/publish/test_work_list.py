"""What somebody should look at although nobody leaves an endpoint for it."""

from __future__ import annotations

import pytest
from mapping.hospital import ATC, LOINC, MEDDRA, SNOMED, Json, concept
from spec.edge_cases.chart import assessed, chart, given, member, resource

from fhir_adapter.publish.work_list import for_review

GLOFITAMAB = concept((ATC, "L01FX28", "glofitamab"))
BSAB = given(GLOFITAMAB, "2024-01-22")


def reasons(*resources: Json) -> list[tuple[str, int]]:
    """Every reason and how many records it is about."""
    return [(reason, len(sources)) for reason, sources in for_review(member(chart(BSAB, *resources)))]


def test_sound_records_want_no_look() -> None:
    assert reasons(assessed("CR", "2024-05-01")) == []


@pytest.mark.parametrize("status", ["stopped", "on-hold"])
def test_a_dose_that_was_perhaps_not_given_is_listed(status: str) -> None:
    assert reasons(given(GLOFITAMAB, "2024-02-05", status=status)) == [("dose_perhaps_not_given", 1)]


def test_a_code_and_words_that_name_two_drugs_are_listed() -> None:
    mixed = given(concept((ATC, "L01FX28"), text="epcoritamab"), "2024-02-05")
    assert reasons(mixed) == [("code_and_text_disagree", 1)]


def test_an_ipi_that_its_components_cannot_have_is_listed() -> None:
    ecog, stage, ipi = (
        resource("Observation", name, status="final", code={"text": name}, effectiveDateTime="2024-02-20", **answer)
        for name, answer in (
            ("ECOG", {"valueInteger": 2}),
            ("Ann Arbor stage", {"valueString": "IV"}),
            ("IPI", {"valueInteger": 1}),
        )
    )
    assert reasons(ecog, stage, ipi) == [("ipi_recorded_differs", 1)]


def test_a_toxicity_that_was_recorded_otherwise_than_measured_is_listed() -> None:
    low = resource(
        "Observation",
        "hb",
        status="final",
        code={"text": "hemoglobin"},
        effectiveDateTime="2024-04-10",
        valueQuantity={"value": 75, "unit": "g/L"},
    )
    event = resource(
        "AdverseEvent",
        "anemia",
        actuality="actual",
        event=concept((MEDDRA, "10002272"), text="Anemia grade 2"),
        date="2024-04-10",
    )
    assert reasons(low, event) == [("toxicity_recorded_differs", 2)]


def observed(name: Json, on: str, **answer: Json | str) -> Json:
    return resource("Observation", f"seen {on}", status="final", code=name, effectiveDateTime=on, **answer)


def test_a_progression_that_was_only_told_and_does_not_count_is_listed() -> None:
    """Worse by the disease status, or by a physician's word: somebody should look whether it was progression."""
    worse = observed(
        concept((LOINC, "97509-4")), "2024-06-01", valueCodeableConcept=concept((SNOMED, "271299001", "worsened"))
    )
    told = observed({"text": "Clinical progression"}, "2024-07-01", valueString="yes")
    assert reasons(worse, told) == [("progression_not_counted", 1)] * 2


def test_an_improvement_is_not_listed() -> None:
    better = observed(
        concept((LOINC, "97509-4")), "2024-06-01", valueCodeableConcept=concept((SNOMED, "268910001", "improved"))
    )
    assert reasons(better) == []


def test_assessments_of_a_day_that_disagree_are_listed_with_the_one_that_gives_way() -> None:
    ct = observed({"text": "CT response"}, "2024-05-01", valueString="PR")
    assert reasons(assessed("CR", "2024-05-01"), ct) == [("assessments_of_a_day_disagree", 1)]
