"""The same facts in other words and other elements, as hospitals differ in how they write them."""

from __future__ import annotations

from typing import Any

import pytest
from mapping.hospital import LOINC, MEDDRA, PERSON, SNOMED, Json, about, concept
from spec.edge_cases.chart import assessed, chart, done, given, left, mapped, member, resource
from spec.edge_cases.infused import CRS, adverse_event, condition, found, grades, lab

from fhir_adapter.cohort.subject import Subject

BSAB = given("glofitamab", "2024-01-22")
SCAN = "2024-02-20"
DISPOSITION = "http://terminology.hl7.org/CodeSystem/discharge-disposition"


def asked(name: str | Json, on: str = SCAN, **answer: Any) -> Json:
    """An Observation with its answer."""
    code = name if isinstance(name, dict) else {"text": name}
    return resource("Observation", f"obs {name} {answer}", status="final", code=code, effectiveDateTime=on, **answer)


def person(*resources: Json) -> Subject:
    subject = mapped(chart(BSAB, *resources)).subject
    assert subject is not None
    return subject


# ---------------------------------------------------------------------------------------------- results


@pytest.mark.parametrize(
    "written", ["0,45 10*9/L", "0.45 ×10⁹/L", "450 /mm^3", "0,45 K/UL", "0.45 x10(9)/L", "450 #/uL"]
)
def test_a_result_sent_as_text_is_read_with_point_or_comma(written: str) -> None:
    """A decimal comma is one when it can be nothing else."""
    assert grades("neutrophil-count-decreased", lab("neutrophils", 0, valueString=written, valueQuantity=None)) == (
        4,
        4,
    )


def test_a_comma_that_may_stand_for_thousands_is_not_read() -> None:
    """`1,500` is fifteen hundred or one and a half: nobody guesses."""
    assert (
        found("neutrophil-count-decreased", lab("neutrophils", 0, valueString="1,500 /uL", valueQuantity=None)) is None
    )


@pytest.mark.parametrize("text", [">1.8", "≥ 1.8", ">= 1,8", "Adults: >1.8", "> 1.8 10*9/L"])
def test_a_range_with_a_lower_end_only_is_a_lower_limit(text: str) -> None:
    """Below it a value has grade 1."""
    value = lab("neutrophils", 1.7, "10*9/L", referenceRange=[{"text": text}])
    assert grades("neutrophil-count-decreased", value) == (1, 1)


def test_white_cells_and_their_share_are_of_one_sample_at_one_moment_in_two_time_zones() -> None:
    """The same moment may be written with another offset."""
    white = lab("leukocytes", 2.0, "10*9/L", "2024-06-09T08:00:00+08:00")
    share = lab("neutrophil-percent", 20, "%", "2024-06-09T00:00:00Z")
    assert grades("neutrophil-count-decreased", white, share) == (4, 4)


def test_one_sample_is_told_by_its_number() -> None:
    """A laboratory may name the sample by a number instead of a resource."""
    tube = {"identifier": {"system": "urn:lab", "value": "T-1"}}
    white = lab("leukocytes", 2.0, "10*9/L", "2024-06-09T08:00:00+08:00", specimen=tube)
    share = lab("neutrophil-percent", 20, "%", "2024-06-09T08:07:00+08:00", specimen=tube)
    assert grades("neutrophil-count-decreased", white, share) == (4, 4)


# ---------------------------------------------------------------------------------------------- CRS and ICANS


@pytest.mark.parametrize("text", ["CRS2级", "CRS（2级）", "CRS gr. 2", "II° CRS", "CRS2度"])
def test_the_grade_may_be_joined_to_the_name(text: str) -> None:
    assert grades("crs", condition(text)) == (2, 2)
    assert grades("crs", adverse_event({"text": text})) == (2, 2)


@pytest.mark.parametrize("text", ["suspected CRS", "CRS?", "possible cytokine release syndrome", "疑似CRS", "?CRS"])
def test_what_is_only_suspected_is_no_event(text: str) -> None:
    assert found("crs", condition(text)) is None
    assert found("crs", adverse_event({"text": text})) is None


@pytest.mark.parametrize(
    "elements",
    [{"severity": {"text": "Grade 2"}}, {"stage": [{"summary": {"text": "grade 2"}, "type": {"text": "ASTCT"}}]}],
)
def test_a_grade_may_stand_as_the_severity_or_the_stage_of_a_condition(elements: Json) -> None:
    assert grades("crs", condition("Cytokine release syndrome", **elements)) == (2, 2)


def test_a_grade_may_stand_as_the_severity_of_an_adverse_event() -> None:
    """ "Severe" is still no grade."""
    assert grades("crs", adverse_event(CRS, severity={"text": "Grade 2"})) == (2, 2)
    assert grades("crs", adverse_event(CRS, severity={"text": "severe"})) == (1, 5)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [({"valueBoolean": False}, (0, 0)), ({"valueBoolean": True}, (1, 5)), ({"valueInteger": 2}, (2, 2))],
)
def test_an_observation_of_crs_by_its_code_may_say_only_whether_there_was_one(answer: Json, expected: Any) -> None:
    seen = about("Observation", id="g", status="final", code=concept((MEDDRA, "10052015")), **answer)
    assert grades("crs", seen | {"effectiveDateTime": "2024-06-05"}) == expected


# ---------------------------------------------------------------------------------------------- baseline


@pytest.mark.parametrize(
    "answer",
    [
        {"valueString": "ECOG 2"},
        {"valueString": "2分"},
        {"valueCodeableConcept": {"text": "ECOG PS: 2"}},
        {"valueCodeableConcept": concept((SNOMED, "422894000", "ECOG performance status - grade 2"))},
        {"valueString": "Grade 2"},
    ],
)
def test_a_performance_status_is_read_from_words(answer: Json) -> None:
    assert [one.ecog for one in person(asked(concept((LOINC, "89247-1")), **answer)).performances] == [2]


@pytest.mark.parametrize("text", ["1-2", "ECOG 1-2", "ECOG 1/2", "1~2分", "ambulatory"])
def test_a_performance_status_that_leaves_two_scores_open_is_none(text: str) -> None:
    assert person(asked("ECOG", valueString=text)).performances == ()


@pytest.mark.parametrize("text", ["8,1 cm", "81 x 50 mm", "Largest diameter: 8.1 cm", "8.1 by 5 cm", "最大径8.1cm"])
def test_a_lesion_is_read_however_its_size_is_introduced(text: str) -> None:
    size = asked(concept((LOINC, "33728-7")), valueString=text)
    assert [one.longest_mm for one in person(size).lesions] == [81]


def test_a_size_that_is_only_about_right_decides_nothing() -> None:
    """About 7.6 cm may be 7.5 cm."""
    assert person(asked(concept((LOINC, "33728-7")), valueString="约7.6cm")).lesions == ()


@pytest.mark.parametrize(
    "text",
    ["DLBCL transformed from FL", "DLBCL, transformed", "FL transformed to DLBCL", "滤泡淋巴瘤转化为弥漫大B细胞淋巴瘤"],
)
def test_a_transformed_lymphoma_is_not_taken_for_one_that_began_as_such(text: str) -> None:
    told = resource("Condition", "told", code={"text": text}, onsetDateTime="2021-06-01")
    others = [one for one in chart(BSAB) if one["resourceType"] != "Condition"]
    assert left([told, *others]) == "other_disease"
    assert member([told, *others], transformed="include")


@pytest.mark.parametrize(
    "text",
    [
        "PBMC单采 (G-CSF + plerixafor, mobilised CD34+)",
        "Leukapheresis: stem cell harvest",
        "HPC, Apheresis",
        "粒细胞单采",
        "Granulocyte apheresis",
        "血浆置换",
    ],
)
def test_a_collection_of_other_cells_is_not_the_index_however_it_is_named(text: str) -> None:
    """What names lymphocytes and stem cells is ambiguous, and is no collection of either."""
    one = member(chart(BSAB, done(text, "2024-03-20")))
    assert [collection.on.iso for collection in one.subject.collections if collection.on] == ["2024-03-04"]


# ---------------------------------------------------------------------------------------------- response, death


@pytest.mark.parametrize(
    "name", ["Lugano classification", "Metabolic response", "PET-CT response", "Response", "最佳疗效"]
)
def test_a_response_is_read_under_the_names_that_forms_give_it(name: str) -> None:
    one = member(chart(BSAB, asked(name, "2024-05-01", valueString="Complete metabolic response")))
    assert one.response.verdict == "CR"


@pytest.mark.parametrize(
    ("text", "best"), [("Complete response", "CR"), ("PD", "PD"), ("worsened", "NE"), ("stable", "NE")]
)
def test_a_category_given_as_the_disease_status_is_a_category(text: str, best: str) -> None:
    """A disease status is a trend; an answer in the words of a response is that response."""
    status = asked(concept((LOINC, "97509-4")), "2024-05-01", valueCodeableConcept={"text": text})
    assert member(chart(BSAB, status)).response.verdict == best


@pytest.mark.parametrize(("text", "best"), [("Progression", "PD"), ("no progression", "NE"), ("progression?", "NE")])
def test_progression_without_more_words_is_progressive_disease(text: str, best: str) -> None:
    assert member(chart(BSAB, asked("Response assessment", "2024-05-01", valueString=text))).response.verdict == best


@pytest.mark.parametrize(("end", "days"), [({"end": "2024-08-01"}, ["2024-08-01"]), ({}, [None])])
def test_a_stay_that_ended_with_death_is_a_death(end: Json, days: list[str | None]) -> None:
    """The discharge disposition says so; without the end of the stay its day is not known."""
    stay = resource(
        "Encounter",
        "last stay",
        status="finished",
        period={"start": "2024-07-20", **end},
        hospitalization={"dischargeDisposition": concept((DISPOSITION, "exp", "Expired"))},
    )
    one = person(assessed("CR", "2024-05-01"), stay)
    assert [death.on.iso if death.on else None for death in one.deaths] == days
    assert max(contact.on.iso for contact in one.contacts if contact.on) == "2024-07-20"
    assert PERSON.get("deceasedBoolean") is None
