"""Conditions: what disease, when, how sure, with stage and sites."""

from __future__ import annotations

from typing import Any

import pytest
from mapping.hospital import ICD10CM, SNOMED, Json, about, concept, facts, nothing_but, read, seen

VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def suffers(code: Json, **elements: Any) -> Json:
    return about("Condition", **{"code": code, "recordedDate": "2023-02-14"} | elements)


DISEASES = [
    (concept((ICD10CM, "C83.33", "DLBCL, intra-abdominal lymph nodes")), "dlbcl"),
    (concept(("urn:oid:2.16.840.1.113883.6.90", "C83.398")), "dlbcl"),
    (concept((ICD10CM, "C83.390")), "primary-cns-lymphoma"),
    (concept(("http://hl7.org/fhir/sid/icd-10", "C83.3")), "dlbcl"),
    (concept((SNOMED, "109969005")), "dlbcl"),
    (concept(("urn:oid:2.16.840.1.113883.6.96", "109969005")), "dlbcl"),
    (concept(("http://terminology.hl7.org/CodeSystem/icd-o-3", "9680/3")), "dlbcl"),
    (concept(("http://terminology.hl7.org/CodeSystem/icd-o-3", "9679/3")), "pmbl"),
    (concept(("http://hl7.org/fhir/sid/icd-10", "C83.1")), "mantle-cell-lymphoma"),
    (concept(("http://hl7.org/fhir/sid/icd-10", "C82.1")), "follicular-lymphoma"),
    (concept(("http://hl7.org/fhir/sid/icd-10", "C50.9")), "other-cancer"),
    (concept(text="弥漫性大B细胞淋巴瘤（GCB型）"), "dlbcl"),
    (concept(text="DLBCL, NOS, relapsed"), "dlbcl"),
    (concept(text="High-grade B-cell lymphoma with MYC and BCL2"), "hgbl"),
    (concept(text="原发纵隔大B细胞淋巴瘤"), "pmbl"),
    (concept(text="Richter transformation"), "transformed-lymphoma"),
    (concept(text="滤泡性淋巴瘤转化为弥漫性大B细胞淋巴瘤"), "transformed-lymphoma"),
    (concept(text="原发中枢神经系统弥漫性大B细胞淋巴瘤"), "primary-cns-lymphoma"),
    (concept(text="T-cell/histiocyte-rich large B-cell lymphoma"), "dlbcl"),
]


@pytest.mark.parametrize(("code", "disease"), DISEASES)
def test_a_disease_is_known_by_code_or_name(code: Json, disease: str) -> None:
    (found,) = seen(suffers(code)).diagnoses
    assert found.disease == disease
    assert ("matched-by-text" in found.flags) == ("coding" not in code)


def test_the_onset_and_the_day_of_record_are_two_things() -> None:
    (found,) = seen(suffers({"text": "DLBCL"}, id="dx", onsetPeriod={"start": "2022-11"})).diagnoses
    assert found.on is not None
    assert found.recorded is not None
    assert (found.on.iso, found.recorded.iso) == ("2022-11", "2023-02-14")
    assert (str(found.source), found.source.element, found.label) == ("Condition/dx/_history/3", "code", "DLBCL")
    (undated,) = seen(suffers({"text": "DLBCL"}, onsetAge={"value": 61})).diagnoses
    assert undated.on is None


@pytest.mark.parametrize("status", ["refuted", "entered-in-error", "unconfirmed", "provisional", "differential"])
def test_a_disease_nobody_confirmed_is_set_aside(status: str) -> None:
    unsure = suffers(concept((ICD10CM, "C83.33")), verificationStatus=concept((VERIFICATION, status)))
    nothing_but(f"verification-{status}", read(unsure))


@pytest.mark.parametrize("elements", [{}, {"verificationStatus": concept((VERIFICATION, "confirmed"))}])
@pytest.mark.parametrize("clinical", ["active", "relapse", "remission", "resolved", "inactive"])
def test_a_disease_in_remission_is_still_that_disease(elements: Json, clinical: str) -> None:
    system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    found = seen(suffers({"text": "DLBCL"}, clinicalStatus=concept((system, clinical)), **elements))
    assert len(found.diagnoses) == 1


def test_another_disease_is_set_aside_and_listed() -> None:
    found = read(suffers(concept((ICD10CM, "I10", "Essential hypertension"))))
    nothing_but("condition-not-in-study", found)
    assert [(one.table, one.code, one.text) for one in found.unmapped] == [
        ("condition", "I10", "Essential hypertension")
    ]


def test_a_condition_without_code_is_set_aside() -> None:
    bare = suffers({})
    del bare["code"]
    found = read(bare)
    nothing_but("condition-not-in-study", found)
    assert found.unmapped == ()


STAGES = [("IV期B组", 4), ("Ann Arbor IVB", 4), ("III E+S", 3), ("Stage IIE", 2), ("Ⅰ期", 1), ("Ann Arbor 4期", 4)]


@pytest.mark.parametrize(("text", "stage"), STAGES)
def test_the_stage_of_a_condition_is_dated_by_its_record_and_flagged(text: str, stage: int) -> None:
    (found,) = seen(
        suffers({"text": "DLBCL"}, onsetDateTime="2022-11-01", stage=[{"summary": {"text": text}}])
    ).stagings
    assert (found.stage, found.evidence, found.source.element) == (stage, "condition", "stage.summary")
    assert "stage-from-condition" in found.flags
    assert found.on is not None
    assert found.on.iso == "2023-02-14"


def test_a_stage_without_a_record_day_takes_the_onset() -> None:
    undated = suffers({"text": "DLBCL"}, onsetDateTime="2022-11-01", stage=[{"summary": {"text": "IV"}}])
    del undated["recordedDate"]
    (found,) = seen(undated).stagings
    assert found.on is not None
    assert found.on.iso == "2022-11-01"


def test_a_coded_stage_is_read_and_an_unknown_one_is_not_guessed() -> None:
    coded = suffers({"text": "DLBCL"}, stage=[{"summary": concept((SNOMED, "44255004"))}])
    assert [one.stage for one in seen(coded).stagings] == [3]
    for summary in [{"text": "advanced"}, {"text": "limited stage"}, concept((SNOMED, "1")), {"text": "I-IV"}]:
        assert seen(suffers({"text": "DLBCL"}, stage=[{"summary": summary}, {}])).stagings == ()


def test_sites_of_the_lymphoma_tell_organs_from_lymphatic_tissue() -> None:
    sites = [
        concept((SNOMED, "10200004")),
        {"text": "脾"},
        {"text": "骨髓"},
        {"text": "Tonsil"},
        {"text": "elbow grease"},
    ]
    subject = seen(suffers({"text": "DLBCL"}, bodySite=sites))
    assert {(one.site, one.extranodal) for one in subject.disease_sites} == {
        ("liver", True),
        ("spleen", False),
        ("bone-marrow", True),
        ("tonsil", False),
    }
    assert {one.source.element for one in subject.disease_sites} == {"bodySite"}


def test_a_code_of_two_diseases_is_neither() -> None:
    two = concept(("http://hl7.org/fhir/sid/icd-10", "C83.3"), ("http://hl7.org/fhir/sid/icd-10", "C82.1"))
    nothing_but("condition-ambiguous", read(suffers(two)))


def test_a_disease_is_no_contact() -> None:
    subject = seen(suffers({"text": "DLBCL"}))
    assert subject.contacts == ()
    assert len(facts(subject)) == 1
