"""Words that mislead: a class beside a name, a denial beside a category, one thing named inside another."""

from __future__ import annotations

from typing import Any

import pytest
from mapping.hospital import (
    ATC,
    CPT,
    ICD10CM,
    ICD10PCS,
    LOINC,
    MEDDRA,
    RXNORM,
    SNOMED,
    Json,
    about,
    concept,
    nothing_but,
    observation,
    read,
    seen,
)

FORM = "https://hospital.example.org/fhir/CodeSystem/form"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def given(medication: Json, **elements: Any) -> Json:
    return about(
        "MedicationAdministration",
        status="completed",
        medicationCodeableConcept=medication,
        effectiveDateTime="2022-05-04",
        **elements,
    )


def done(code: Json, **elements: Any) -> Json:
    return about("Procedure", status="completed", code=code, performedDateTime="2024-05-20", **elements)


def agents(*resources: Json) -> list[str]:
    subject = seen(*resources)
    return [one.agent for one in subject.doses] + [one.product for one in subject.infusions]


# --- a class of drugs beside the drug


NAMED_WITH_CLASS = [
    ("格菲妥单抗(CD3×CD20双抗)", "glofitamab"),
    ("glofitamab (CD3xCD20 bispecific antibody)", "glofitamab"),
    ("Epcoritamab s.c. (CD3/CD20)", "epcoritamab"),
    ("Blinatumomab CD19/CD3", "blinatumomab"),
    ("Study drug: glofitamab", "glofitamab"),
    ("阿基仑赛注射液（CAR-T细胞）", "axicabtagene-ciloleucel"),
    ("Yescarta CAR-T cells", "axicabtagene-ciloleucel"),
    ("tisagenlecleucel (CD19 CAR-T)", "tisagenlecleucel"),
    ("瑞基奥仑赛注射液(CD19 CAR-T)", "relmacabtagene-autoleucel"),
]


@pytest.mark.parametrize(("text", "agent"), NAMED_WITH_CLASS)
def test_a_drug_named_with_its_class_is_that_drug(text: str, agent: str) -> None:
    assert agents(given({"text": text})) == [agent]


def test_a_generic_code_beside_a_product_code_is_the_product() -> None:
    assert agents(given(concept((ICD10PCS, "XW033C3"), (RXNORM, "1987402")))) == ["axicabtagene-ciloleucel"]


def test_the_product_of_an_infusion_is_found_beside_the_word_for_all() -> None:
    (found,) = seen(done({"text": "CAR-T细胞回输(阿基仑赛)"})).infusions
    assert found.product == "axicabtagene-ciloleucel"


@pytest.mark.parametrize("text", ["CD3 × CD20 bispecific antibody", "CD3 x CD20双抗", "CD20-CD3 双抗", "CD3-CD20双抗"])
def test_a_cross_between_targets_may_stand_free_or_be_a_hyphen(text: str) -> None:
    assert agents(given({"text": text})) == ["cd3xcd20-bispecific-unspecified"]


INSIDE = [
    ("多西紫杉醇", "paclitaxel"),
    ("长春碱酰胺", "vinblastine"),
    ("德曲妥珠单抗", "trastuzumab"),
    ("恩美曲妥珠单抗", "trastuzumab"),
    ("阿托珠单抗", "tocilizumab"),
]


@pytest.mark.parametrize(("text", "other"), INSIDE)
def test_a_longer_name_is_not_the_shorter_one_inside(text: str, other: str) -> None:
    assert other not in agents(given({"text": text}))


def test_the_code_with_two_histories_is_decided_by_the_name() -> None:
    (found,) = seen(given(concept((ATC, "L01FX24", "Mosunetuzumab")))).doses
    assert found.agent == "mosunetuzumab"
    assert "code-and-text-disagree" in found.flags


def test_a_text_that_names_another_drug_is_flagged_even_when_the_display_agrees() -> None:
    (found,) = seen(given(concept((ATC, "L01FX28", "Glofitamab"), text="Epcoritamab 48 mg s.c."))).doses
    assert (found.agent, found.flags) == ("glofitamab", ("code-and-text-disagree",))


# --- collections


NO_LYMPHAPHERESIS = [
    "单采血小板输注",
    "输注单采血小板",
    "单采血小板",
    "单采置管",
    "CD34+细胞单采",
    "CD34+ leukapheresis",
    "Leukapheresis for CD34+ stem cells",
    "PBSC leukapheresis",
    "CD34+ MNC collection",
    "供者淋巴细胞采集",
    "donor lymphocyte collection",
]


@pytest.mark.parametrize("text", NO_LYMPHAPHERESIS)
def test_platelets_stem_cells_lines_and_donors_are_no_lymphapheresis(text: str) -> None:
    found = read(done({"text": text}))
    assert found.subject is not None
    assert found.subject.collections == ()
    assert len(found.set_aside) + len(found.subject.transfusions) == 1


# --- diagnoses


GENERAL_AND_SPECIFIC = [
    concept(text="Non-Hodgkin lymphoma, DLBCL"),
    concept(text="非霍奇金淋巴瘤 弥漫性大B细胞淋巴瘤 IV期"),
    concept(text="弥漫性大B细胞淋巴瘤（非霍奇金淋巴瘤）"),
    concept(("http://hl7.org/fhir/sid/icd-10", "C83.3"), (SNOMED, "118601006")),
    concept((ICD10CM, "C83.30"), (ICD10CM, "C85.90")),
]


@pytest.mark.parametrize("code", GENERAL_AND_SPECIFIC, ids=str)
def test_the_specific_diagnosis_counts_beside_the_general_one(code: Json) -> None:
    assert [one.disease for one in seen(about("Condition", code=code)).diagnoses] == ["dlbcl"]


def test_stage_and_sites_of_another_cancer_are_not_the_lymphomas() -> None:
    breast = about(
        "Condition",
        code=concept((SNOMED, "254837009")),
        recordedDate="2014-05-01",
        stage=[{"summary": {"text": "Stage IV"}}],
        bodySite=[{"text": "breast"}],
    )
    subject = seen(breast)
    assert [one.disease for one in subject.diagnoses] == ["other-cancer"]
    assert subject.stagings == ()
    assert subject.disease_sites == ()


@pytest.mark.parametrize("status", ["refuted", "entered-in-error"])
def test_a_refutation_counts_wherever_it_stands(status: str) -> None:
    two = concept(("urn:local", "A"), (VERIFICATION, status))
    nothing_but(f"verification-{status}", read(about("Condition", code={"text": "DLBCL"}, verificationStatus=two)))


@pytest.mark.parametrize("text", ["rule out CRS", "排除CRS", "无CRS", "rule out ICANS"])
def test_a_condition_that_denies_crs_is_no_crs(text: str) -> None:
    events = seen(about("Condition", code={"text": text}, recordedDate="2024-06-05")).adverse_events
    assert [one for one in events if one.grade_max > 0] == []


@pytest.mark.parametrize("text", ["rule out DLBCL", "排除弥漫性大B细胞淋巴瘤", "Family history of DLBCL"])
def test_a_disease_that_is_denied_or_a_relatives_is_not_the_persons(text: str) -> None:
    assert seen(about("Condition", code={"text": text})).diagnoses == ()


def test_crs_dated_by_its_record_says_so() -> None:
    (found,) = seen(about("Condition", code={"text": "CRS grade 2"}, recordedDate="2024-06-05")).adverse_events
    assert "onset-from-recorded-date" in found.flags


# --- responses


@pytest.mark.parametrize(
    "text",
    [
        "无PD",
        "no PD",
        "rule out PD",
        "cannot exclude PD",
        "疑似PD",
        "未达CR",
        "not in CR",
        "not CR",
        "非CR",
        "未达完全缓解",
        "PD-1 antibody",
        "no evidence of progression",
    ],
)
def test_a_denied_or_doubtful_category_is_not_that_category(text: str) -> None:
    found = read(observation(concept((FORM, "RESP")), valueString=text))
    assert found.subject is not None
    assert [one.category for one in found.subject.assessments if one.category in ("CR", "PR", "PD")] == []
    assert found.subject.assessments or found.set_aside


MIXED = [
    ("CR, no evidence of relapse", "CR"),
    ("PR, not CR", "PR"),
    ("CR（未见复发）", "CR"),
    ("PD, infection excluded", "PD"),
    ("CR, PET negative", "CR"),
]


@pytest.mark.parametrize(("text", "category"), MIXED)
def test_a_denial_of_something_else_leaves_the_category(text: str, category: str) -> None:
    (found,) = seen(observation(concept((FORM, "RESP")), valueString=text)).assessments
    assert found.category == category


BESIDES = [
    "DLBCL, no evidence of CNS disease",
    "弥漫性大B细胞淋巴瘤 CD5阴性",
    "弥漫性大B细胞淋巴瘤（未见骨髓侵犯）",
    "DLBCL, HIV negative",
]


@pytest.mark.parametrize("text", BESIDES)
def test_a_denial_of_something_else_leaves_the_disease(text: str) -> None:
    assert [one.disease for one in seen(about("Condition", code={"text": text})).diagnoses] == ["dlbcl"]


@pytest.mark.parametrize("text", ["fludarabine before CAR-T cells", "氟达拉滨（CAR-T细胞回输前清淋）"])
def test_a_drug_given_for_the_cells_is_that_drug(text: str) -> None:
    assert agents(given({"text": text})) == ["fludarabine"]


# --- adverse events


def happened(event: Json, **elements: Any) -> Json:
    return about("AdverseEvent", actuality="actual", event=event, date="2024-06-05", **elements)


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("CRS grade 1 (fever)", 1),
        ("细胞因子释放综合征2级（发热、低血压）", 2),
        ("CRS 2级, 已排除感染", 2),
        ("CRS grade 2 with headache", 2),
    ],
)
def test_crs_with_its_signs_is_crs(text: str, grade: int) -> None:
    (found,) = seen(happened({"text": text})).adverse_events
    assert (found.term, found.grade) == ("crs", grade)


def test_a_graded_crs_is_not_denied_by_a_no_about_something_else() -> None:
    (found,) = seen(happened(concept((MEDDRA, "10052015"), text="CRS grade 2, no ICANS"))).adverse_events
    assert (found.term, found.grade) == ("crs", 2)


@pytest.mark.parametrize("text", ["CRS grade 2, HIV negative", "CRS 2级，血培养未见细菌", "CRS 2级 否认头痛"])
def test_a_denial_of_something_else_leaves_the_grade(text: str) -> None:
    (found,) = seen(happened({"text": text})).adverse_events
    assert found.grade == 2


@pytest.mark.parametrize("text", ["CRS G2/3", "CRS grade 2/3", "CRS G2-3", "CRS 2~3级"])
def test_the_worse_of_two_grades_counts(text: str) -> None:
    (found,) = seen(happened({"text": text})).adverse_events
    assert found.grade_max == 3


@pytest.mark.parametrize("text", ["CRS Grade: 2", "CRS Grade:2", "CRS G 2", "CRS Grad 2"])
def test_a_grade_is_read_with_a_colon_or_a_space(text: str) -> None:
    (found,) = seen(happened({"text": text})).adverse_events
    assert found.grade == 2


def test_the_day_something_was_written_down_is_no_contact() -> None:
    late = about("AdverseEvent", actuality="actual", event={"text": "CRS G2"}, recordedDate="2024-09-01")
    assert seen(late).contacts == ()


# --- sites


@pytest.mark.parametrize("text", ["肝脏未见受累", "bone marrow negative"])
def test_a_site_that_is_not_involved_in_words_is_none(text: str) -> None:
    assert [
        one.site for one in seen(observation(concept((FORM, "ENS")), valueString=text)).disease_sites if one.extranodal
    ] == []


def test_a_component_that_says_no_is_no_site() -> None:
    no = {"code": {"text": "extranodal involvement"}, "valueBoolean": False}
    assert seen(observation({"text": "imaging"}, bodySite={"text": "liver"}, component=[no])).disease_sites == ()


def test_two_products_used_are_none_in_particular() -> None:
    (found,) = seen(done(concept((CPT, "38228")), usedCode=[{"text": "Yescarta"}, {"text": "Kymriah"}])).infusions
    assert found.product == "car-t-unspecified"


def test_an_unmapped_display_is_listed_by_its_words() -> None:
    found = read(given({"coding": [{"display": "Wundermittel"}]}))
    assert [one.text for one in found.unmapped] == ["Wundermittel"]


def test_a_result_that_was_not_obtained_is_no_contact() -> None:
    why = concept(("http://terminology.hl7.org/CodeSystem/data-absent-reason", "not-performed"))
    assert seen(observation(concept((LOINC, "777-3")), dataAbsentReason=why)).contacts == ()
