"""Performance status, stage, lesions, sites and responses as observations of many shapes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from mapping.hospital import LOINC, SNOMED, Json, concept, nothing_but, observation, read, reasons, seen

FORM = "https://hospital.example.org/fhir/CodeSystem/form"


# --- performance status


ECOG: list[tuple[Json, int]] = [
    ({"valueInteger": 1}, 1),
    ({"valueQuantity": {"value": 2, "unit": "{score}"}}, 2),
    ({"valueQuantity": {"value": 2.0}}, 2),
    ({"valueString": "0"}, 0),
    ({"valueString": " 4 "}, 4),
]


@pytest.mark.parametrize(("value", "ecog"), ECOG)
@pytest.mark.parametrize("code", [concept((LOINC, "89247-1")), concept(text="ECOG评分")])
def test_ecog_is_a_whole_number_however_it_is_written(code: Json, value: Json, ecog: int) -> None:
    (found,) = seen(observation(code, "2024-05-01T23:00:00Z", **value)).performances
    assert found.on is not None
    assert (found.ecog, found.on.iso, found.source.element) == (ecog, "2024-05-02", "value[x]")


@pytest.mark.parametrize(
    "value",
    [
        {"valueInteger": 6},
        {"valueInteger": -1},
        {"valueQuantity": {"value": 1.5}},
        {"valueQuantity": {"value": 2, "comparator": "<"}},
        {"valueString": "1-2"},
        {},
    ],
)
def test_what_is_no_ecog_is_not_rounded_into_one(value: Json) -> None:
    nothing_but("ecog-not-0-to-5", read(observation(concept((LOINC, "89247-1")), **value)))


@pytest.mark.parametrize("code", ["89262-0", "89243-0"])
def test_the_interpretation_and_the_karnofsky_index_are_no_ecog(code: str) -> None:
    found = read(observation(concept((LOINC, code)), valueInteger=2))
    assert found.subject is not None
    assert found.subject.performances == ()
    assert len(found.set_aside) == 1


# --- stage


STAGES: list[tuple[Json, Json, int]] = [
    (concept((LOINC, "21908-9")), {"valueCodeableConcept": {"text": "IVB"}}, 4),
    (concept((SNOMED, "385388004")), {"valueCodeableConcept": concept((SNOMED, "44255004"))}, 3),
    (concept(text="Ann Arbor分期"), {"valueString": "III期"}, 3),
    (concept(text="Lugano stage"), {"valueString": "Stage II bulky"}, 2),
]


@pytest.mark.parametrize(("code", "value", "stage"), STAGES)
def test_the_stage_is_one_to_four(code: Json, value: Json, stage: int) -> None:
    (found,) = seen(observation(code, **value)).stagings
    assert (found.stage, found.evidence) == (stage, "observation")


@pytest.mark.parametrize("text", ["limited", "T2N0M0", "I, II or III"])
def test_another_staging_is_not_read(text: str) -> None:
    found = read(observation(concept((LOINC, "21908-9")), valueString=text))
    nothing_but("stage-not-read", found)
    assert [one.table for one in found.unmapped] == ["stage"]


def test_the_parts_of_a_staging_observation_are_not_the_stage() -> None:
    bulky = {"code": concept((SNOMED, "260873006")), "valueCodeableConcept": concept((SNOMED, "52101004"))}
    whole = observation(
        concept((SNOMED, "385388004")),
        valueCodeableConcept=concept((SNOMED, "2640006")),
        method=concept((SNOMED, "254374001")),
        component=[bulky],
    )
    assert [one.stage for one in seen(whole).stagings] == [4]


# --- lesions


SIZES = [(75, "mm", 75), (7.5, "cm", 75), (Decimal("7.6"), "cm", 76), (0.075, "m", 75)]


@pytest.mark.parametrize(("value", "unit", "mm"), SIZES)
def test_a_lesion_is_measured_in_millimetres(value: Any, unit: str, mm: int) -> None:
    size = {"value": float(value), "unit": unit}
    (found,) = seen(observation(concept((LOINC, "33728-7")), valueQuantity=size)).lesions
    assert found.longest_mm == mm


def test_a_tumour_panel_gives_its_largest_dimension_only() -> None:
    panel = observation(
        concept((LOINC, "21889-1", "Size Tumor")),
        component=[
            {"code": concept((LOINC, "33729-5")), "valueQuantity": {"value": 9.9, "unit": "cm"}},
            {"code": concept((LOINC, "33728-7")), "valueQuantity": {"value": 8.1, "unit": "cm"}},
        ],
    )
    assert [(one.longest_mm, one.source.element) for one in seen(panel).lesions] == [(81, "component[1].value[x]")]


@pytest.mark.parametrize("value", [{"valueQuantity": {"unit": "mm"}}, {"valueString": "large"}])
def test_a_size_without_a_number_is_set_aside(value: Json) -> None:
    nothing_but("lesion-without-size", read(observation(concept((LOINC, "33728-7")), **value)))


def test_a_size_with_a_comparator_is_bounded() -> None:
    size = {"value": 75, "comparator": ">", "unit": "mm"}
    (found,) = seen(observation(concept((LOINC, "33728-7")), valueQuantity=size)).lesions
    assert (found.at_least_mm, found.longest_mm) == (75, 500)


def test_a_size_without_unit_is_not_guessed() -> None:
    assert seen(observation(concept((LOINC, "33728-7")), valueQuantity={"value": 7.5})).lesions == ()


# --- sites


SITES: list[tuple[Json, set[tuple[str, bool]]]] = [
    ({"valueCodeableConcept": concept((SNOMED, "39607008", "Lung structure"))}, {("lung", True)}),
    ({"valueCodeableConcept": {"text": "肾上腺"}}, {("adrenal", True)}),
    ({"valueString": "多发骨病灶"}, {("bone", True)}),
    ({"valueString": "脾"}, {("spleen", False)}),
    ({"valueString": "肝门淋巴结"}, {("lymph-node", False)}),
    ({"valueString": "肝、骨髓"}, {("liver", True), ("bone-marrow", True)}),
    ({"valueString": "liver, spleen; tonsil"}, {("liver", True), ("spleen", False), ("tonsil", False)}),
    ({"valueString": "无结外受累"}, {("none", False)}),
    ({"valueBoolean": True, "bodySite": {"text": "stomach"}}, {("stomach", True)}),
]


@pytest.mark.parametrize(("value", "sites"), SITES)
@pytest.mark.parametrize("code", [concept((FORM, "ENS")), concept(text="结外受累部位")])
def test_a_site_is_an_organ_or_lymphatic_tissue(code: Json, value: Json, sites: set[tuple[str, bool]]) -> None:
    assert {(one.site, one.extranodal) for one in seen(observation(code, **value)).disease_sites} == sites


def test_a_site_that_is_not_involved_is_none() -> None:
    free = observation(concept((FORM, "ENS")), valueBoolean=False, bodySite={"text": "stomach"})
    nothing_but("site-not-involved", read(free))


def test_an_unknown_site_is_listed() -> None:
    found = read(observation(concept((FORM, "ENS")), valueString="elbow"))
    nothing_but("site-not-read", found)
    assert [(one.table, one.text) for one in found.unmapped] == [("body-site", "elbow")]


# --- response


RESPONSES: list[tuple[Json, str, str]] = [
    ({"valueCodeableConcept": concept((LOINC, "LA28366-5"))}, "CR", "category"),
    ({"valueCodeableConcept": concept(("urn:oid:2.16.840.1.113883.6.1", "LA28369-9"))}, "PR", "category"),
    ({"valueCodeableConcept": concept((LOINC, "LA28371-5"))}, "SD", "category"),
    ({"valueCodeableConcept": concept((LOINC, "LA28370-7"))}, "PD", "category"),
    ({"valueCodeableConcept": {"text": "部分缓解"}}, "PR", "text"),
    ({"valueString": "PET-CT: CMR"}, "CR", "text"),
    ({"valueString": "疾病进展"}, "PD", "text"),
    ({"valueString": "IR(2)"}, "IR", "text"),
    ({"valueString": "未评价"}, "NE", "text"),
    ({"valueString": "improved"}, "responded-unspecified", "text"),
]


@pytest.mark.parametrize(("value", "category", "method"), RESPONSES)
def test_a_response_is_read_from_code_or_words(value: Json, category: str, method: str) -> None:
    (found,) = seen(observation(concept((FORM, "RESP")), id="resp", **value)).assessments
    assert (found.category, found.method, str(found.source)) == (category, method, "Observation/resp/_history/3")


@pytest.mark.parametrize("text", ["SD/PR", "CR -> PD"])
def test_two_categories_are_none(text: str) -> None:
    nothing_but("response-ambiguous", read(observation(concept((FORM, "RESP")), valueString=text)))


@pytest.mark.parametrize("text", ["mixed", "VGPR", "PRN", "CRP 5"])
def test_words_that_are_no_category_are_not_read(text: str) -> None:
    nothing_but("response-not-read", read(observation(concept((FORM, "RESP")), valueString=text)))


def test_a_preliminary_response_says_so() -> None:
    early = observation(concept((FORM, "RESP")), valueString="CR") | {"status": "preliminary"}
    (found,) = seen(early).assessments
    assert "preliminary" in found.flags


def test_without_a_day_nothing_is_read() -> None:
    undated = observation(concept((FORM, "RESP")), valueString="CR")
    del undated["effectiveDateTime"]
    assert reasons(read(undated)) == ["no-usable-date"]
