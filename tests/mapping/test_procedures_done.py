"""Collections, infusions, transplants and radiotherapy as Procedures, in American, local and Chinese words."""

from __future__ import annotations

from typing import Any

import pytest
from mapping.hospital import CPT, ICD10PCS, Json, about, concept, nothing_but, read, seen


def done(code: Json, **elements: Any) -> Json:
    if not any(name.startswith("performed") for name in elements):
        elements["performedDateTime"] = "2024-05-20"
    return about("Procedure", code=code, status=elements.pop("status", "completed"), **elements)


COLLECTIONS = [
    (concept((CPT, "38225")), ()),
    (concept(("urn:oid:2.16.840.1.113883.6.12", "0537T")), ()),
    (concept(("https://hospital.example.org/fhir/CodeSystem/procedure", "MNC-COLLECT")), ()),
    (concept(text="外周血单个核细胞采集"), ("matched-by-text",)),
    (concept(text="淋巴细胞单采术"), ("matched-by-text",)),
    (concept(text="CAR-T leukapheresis, day 1"), ("matched-by-text",)),
    (concept(text="MNC collection"), ("matched-by-text",)),
]


@pytest.mark.parametrize(("code", "flags"), COLLECTIONS)
def test_a_lymphapheresis_is_a_collection(code: Json, flags: tuple[str, ...]) -> None:
    period = {"start": "2024-05-20T23:00:00Z", "end": "2024-05-21T18:00:00Z"}
    (found,) = seen(done(code, id="aph", performedPeriod=period)).collections
    assert found.on is not None
    assert found.ended is not None
    assert (found.on.iso, found.ended.iso) == ("2024-05-21", "2024-05-22")
    assert (str(found.source), found.source.element) == ("Procedure/aph/_history/3", "performedPeriod")
    assert found.succeeded
    assert found.flags == flags


OTHER_COLLECTIONS = [
    concept((CPT, "38206")),
    concept((CPT, "36511")),
    concept(("https://hospital.example.org/fhir/CodeSystem/procedure", "HPC-COLLECT"), text="CD34+ collection"),
    concept(text="CD34+ collection"),
    concept(text="外周血造血干细胞采集"),
    concept(text="自体造血干细胞单采术"),
    concept(text="Peripheral blood stem cell collection"),
    concept(text="治疗性白细胞单采"),
    concept(text="Therapeutic leukapheresis"),
    concept(text="血小板单采"),
    concept(text="plasma exchange"),
    concept(text="granulocyte apheresis"),
]


@pytest.mark.parametrize("code", OTHER_COLLECTIONS, ids=str)
def test_another_collection_of_cells_is_no_lymphapheresis(code: Json) -> None:
    found = read(done(code))
    nothing_but("procedure-not-in-study", found)


FAILURES: list[Json] = [
    {"status": "stopped"},
    {"outcome": {"text": "采集失败"}},
    {"outcome": {"text": "细胞数不足"}},
    {"outcome": {"coding": [{"system": "http://snomed.info/sct", "code": "385671000"}]}},
    {"statusReason": {"text": "insufficient cells"}},
]


@pytest.mark.parametrize("elements", FAILURES)
def test_a_failed_collection_is_kept_as_failed(elements: Json) -> None:
    assert [one.succeeded for one in seen(done(concept((CPT, "38225")), **elements)).collections] == [False]


@pytest.mark.parametrize("outcome", ["采集成功", "successful", "2.1 x 10^9 cells"])
def test_any_other_outcome_is_a_success(outcome: str) -> None:
    assert [one.succeeded for one in seen(done(concept((CPT, "38225")), outcome={"text": outcome})).collections] == [
        True
    ]


INFUSIONS = [
    (concept((CPT, "38228")), {}, "car-t-unspecified"),
    (concept((CPT, "0540T")), {}, "car-t-unspecified"),
    (concept((ICD10PCS, "XW033H7")), {}, "axicabtagene-ciloleucel"),
    (concept(("urn:oid:2.16.840.1.113883.6.4", "XW24346")), {}, "brexucabtagene-autoleucel"),
    (concept((ICD10PCS, "XW043C3")), {}, "car-t-unspecified"),
    (concept(text="CAR-T细胞回输"), {}, "car-t-unspecified"),
    (
        concept(text="CAR-T细胞回输"),
        {"usedCode": [{"text": "CD19/CD22双靶点CAR-T细胞"}]},
        "cd19-cd22-cart-investigational",
    ),
    (concept(text="Infusion of CAR-T cells"), {"usedReference": [{"display": "Kymriah"}]}, "tisagenlecleucel"),
    (
        concept((CPT, "38228")),
        {
            "usedReference": [{"reference": "#bag"}],
            "contained": [{"resourceType": "Medication", "id": "bag", "code": {"text": "瑞基奥仑赛注射液"}}],
        },
        "relmacabtagene-autoleucel",
    ),
    (concept((CPT, "38228")), {"usedReference": [{"reference": "Device/pump"}]}, "car-t-unspecified"),
]


@pytest.mark.parametrize(("code", "elements", "product"), INFUSIONS)
def test_a_car_t_infusion_names_its_product_when_the_record_does(code: Json, elements: Json, product: str) -> None:
    (found,) = seen(done(code, performedDateTime="2024-06-02T20:00:00-07:00", **elements)).infusions
    assert found.on is not None
    assert (found.product, found.on.iso) == (product, "2024-06-03")


def test_an_infusion_that_was_stopped_is_set_aside() -> None:
    nothing_but("infusion-perhaps-not-given", read(done(concept((CPT, "38228")), status="stopped")))


@pytest.mark.parametrize(
    "text", ["供者淋巴细胞输注", "donor lymphocyte infusion", "造血干细胞回输", "stem cell infusion"]
)
def test_other_cells_infused_are_no_car_t(text: str) -> None:
    nothing_but("procedure-not-in-study", read(done({"text": text})))


THERAPIES = [
    ("autologous stem cell transplantation", "autologous-hct"),
    ("自体造血干细胞移植", "autologous-hct"),
    ("异基因造血干细胞移植", "allogeneic-hct"),
    ("Allo-HSCT", "allogeneic-hct"),
    ("局部放疗", "radiotherapy"),
    ("ISRT 30 Gy", "radiotherapy"),
]


@pytest.mark.parametrize(("text", "kind"), THERAPIES)
def test_a_treatment_that_is_no_drug_is_a_therapy(text: str, kind: str) -> None:
    assert [one.kind for one in seen(done({"text": text})).therapies] == [kind]


@pytest.mark.parametrize("status", ["preparation", "not-done", "on-hold", "entered-in-error", "unknown"])
def test_what_was_not_done_is_set_aside_and_no_contact(status: str) -> None:
    found = read(done(concept((CPT, "38225")), status=status))
    nothing_but(f"status-{status}", found)
    assert found.subject is not None
    assert found.subject.contacts == ()


@pytest.mark.parametrize("when", [{"performedString": "last May"}, {"performedAge": {"value": 60, "unit": "a"}}])
def test_a_procedure_without_a_day_is_set_aside(when: Json) -> None:
    nothing_but("no-usable-date", read(done(concept((CPT, "38225")), **when)))


def test_a_partial_date_stays_partial() -> None:
    (found,) = seen(done(concept((CPT, "38225")), performedDateTime="2024-05")).collections
    assert found.on is not None
    assert (found.on.exact, found.on.iso) == (False, "2024-05")


@pytest.mark.parametrize("text", ["骨髓活检", "PET/CT", "core needle biopsy"])
def test_other_procedures_are_contacts_only(text: str) -> None:
    found = read(done({"text": text}))
    nothing_but("procedure-not-in-study", found)
    assert found.subject is not None
    assert [one.kind for one in found.subject.contacts] == ["procedure"]


def test_an_unknown_procedure_is_listed() -> None:
    found = read(done(concept(("urn:oid:1.2.3", "OP-5-999", "Appendektomie"))))
    assert [(one.table, one.system, one.code, one.text) for one in found.unmapped] == [
        ("procedure", "urn:oid:1.2.3", "OP-5-999", "Appendektomie")
    ]


def test_pheresis_codes_that_nobody_verified_count_only_when_the_study_says_so() -> None:
    coded = done(concept((ICD10PCS, "6A550Z1")))
    nothing_but("procedure-not-in-study", read(coded))
    assert len(seen(coded, unverified_codes="true").collections) == 1
