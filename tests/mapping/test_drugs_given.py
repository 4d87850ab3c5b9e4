"""Drugs and cells as they are given: every way to name a medication, every status, doses, periods, references."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from mapping.hospital import (
    ATC,
    GERMAN_ATC,
    ICD10PCS,
    RXNORM,
    Json,
    about,
    concept,
    facts,
    nothing_but,
    read,
    reasons,
    seen,
)

from fhir_adapter.cohort.events import Dose

HCPCS = "http://terminology.hl7.org/CodeSystem/HCPCS-all-codes"


def given(medication: Json, **elements: Any) -> Json:
    if not any(name.startswith("effective") for name in elements):
        elements["effectiveDateTime"] = "2024-03-04"
    status = elements.pop("status", "completed")
    return about("MedicationAdministration", status=status, medicationCodeableConcept=medication, **elements)


def refers(reference: Json, **elements: Any) -> Json:
    whole = given({}, **elements) | {"medicationReference": reference}
    del whole["medicationCodeableConcept"]
    return whole


def dose(*resources: Json, **named: Any) -> Dose:
    doses = seen(*resources, **named).doses
    assert len(doses) == 1
    return doses[0]


def test_a_dose_keeps_amount_unit_day_label_and_source() -> None:
    found = dose(
        about(
            "MedicationAdministration",
            id="adm-1",
            status="completed",
            medicationCodeableConcept={
                "coding": [
                    {
                        "system": "urn:oid:2.16.840.1.113883.6.88",
                        "code": "2639792",
                        "display": "glofitamab-gxbm 1 MG/ML",
                    },
                    {"system": "urn:oid:1.2.3.4.5", "code": "MED0815", "display": "GLOFITAMAB IV"},
                ],
                "text": "glofitamab-gxbm (Columvi) IVPB",
            },
            effectivePeriod={"start": "2024-03-04T22:30:00Z", "end": "2024-03-05T02:30:00Z"},
            dosage={"dose": {"value": 2.50, "unit": "mg", "code": "mg"}, "route": {"text": "IV"}},
        )
    )
    assert (found.agent, found.label, found.evidence) == (
        "glofitamab",
        "glofitamab-gxbm (Columvi) IVPB",
        "administration",
    )
    assert (found.amount, found.unit, found.given, found.ongoing) == (Decimal("2.5"), "mg", "yes", False)
    assert found.on is not None
    assert found.ended is not None
    assert (found.on.iso, found.ended.iso) == ("2024-03-05", "2024-03-05")  # the local day in Shanghai
    assert (found.source.reference, found.source.version) == ("MedicationAdministration/adm-1", "3")
    assert found.source.element == "effectivePeriod"
    assert found.flags == ()


CODED = [
    (ATC, "L01FX28", "glofitamab"),
    ("urn:oid:2.16.840.1.113883.6.73", "L01FX27", "epcoritamab"),
    (GERMAN_ATC, "L01FX25", "mosunetuzumab"),
    (ATC, "L01FX34", "odronextamab"),
    (RXNORM, "1597258", "blinatumomab"),
    (RXNORM, "2729439", "mosunetuzumab"),
    (HCPCS, "J9321", "epcoritamab"),
    ("urn:oid:2.16.840.1.113883.6.285", "J9039", "blinatumomab"),
    ("https://hospital.example.org/fhir/CodeSystem/drug", "TRIAL-B2", "cd3xcd19-investigational-2"),
    (ATC, "L01FA03", "obinutuzumab"),
    (ATC, "L01FX22", "loncastuximab-tesirine"),
    (ATC, "L01FX12", "tafasitamab"),
    (ATC, "L01AA01", "cyclophosphamide"),
]


@pytest.mark.parametrize(("system", "code", "agent"), CODED)
def test_a_coded_drug_is_known_without_any_text(system: str, code: str, agent: str) -> None:
    found = dose(given(concept((system, code))))
    assert (found.agent, found.label, found.flags) == (agent, agent, ())


NAMED = [
    ("格菲妥单抗注射液", "glofitamab"),
    ("高罗华 10mg", "glofitamab"),
    ("Columvi 2,5 mg Konzentrat zur Herstellung einer Infusionslösung", "glofitamab"),
    ("RO7082859", "glofitamab"),
    ("glofit", "glofitamab"),
    ("ＥＰＫＩＮＬＹ　４８ｍｇ", "epcoritamab"),
    ("CD3xCD20 bispecific antibody, trial drug 1", "cd3xcd20-investigational-1"),
    ("CD3×CD20 bispecific antibody, trial drug 1", "cd3xcd20-investigational-1"),
    ("奥妥珠单抗", "obinutuzumab"),
    ("佳罗华", "obinutuzumab"),
    ("维泊妥珠单抗", "polatuzumab-vedotin"),
    ("注射用异环磷酰胺", "ifosfamide"),
    ("盐酸米托蒽醌脂质体注射液", "mitoxantrone"),
]


@pytest.mark.parametrize(("text", "agent"), NAMED)
def test_a_drug_known_by_its_name_only_says_so(text: str, agent: str) -> None:
    found = dose(given({"text": text}))
    assert (found.agent, found.label, found.flags) == (agent, text, ("matched-by-text",))


@pytest.mark.parametrize("text", ["研究药物", "Study drug NCT00000000", "Blinded study drug A or placebo"])
def test_a_trial_drug_without_a_name_has_no_target(text: str) -> None:
    assert dose(given({"text": text})).agent == "unknown-study-drug"


@pytest.mark.parametrize(
    "text", ["paracetamol 1 g p.o.", "ceftriaxone (CTX)", "生理盐水", "R-CHOP", "anti-CD20 antibody"]
)
def test_another_drug_is_set_aside_listed_and_still_a_contact(text: str) -> None:
    found = read(given({"text": text}))
    nothing_but("medication-not-in-study", found)
    assert [(one.table, one.text) for one in found.unmapped] == [("medication", text)]
    assert found.subject is not None
    assert [one.kind for one in found.subject.contacts] == ["administration"]


def test_two_drugs_in_one_entry_are_neither() -> None:
    found = read(given({"text": "rituximab + bendamustine"}))
    nothing_but("medication-ambiguous", found)
    assert [one.text for one in found.unmapped] == ["rituximab + bendamustine"]


def test_codes_of_two_drugs_are_neither() -> None:
    nothing_but("medication-ambiguous", read(given(concept((ATC, "L01FX28"), (RXNORM, "2637399")))))


def test_two_codes_of_one_drug_are_that_drug() -> None:
    assert dose(given(concept((ATC, "L01FX28"), (RXNORM, "2639786")))).agent == "glofitamab"


def test_a_name_that_contradicts_the_code_is_flagged() -> None:
    found = dose(given(concept((ATC, "L01FX28"), text="Epcoritamab 48 mg s.c.")))
    assert (found.agent, found.flags) == ("glofitamab", ("code-and-text-disagree",))


def test_the_code_that_once_meant_another_drug_in_germany_is_decided_by_the_name() -> None:
    named = dose(given(concept((GERMAN_ATC, "L01FX24", "Mosunetuzumab"))))
    assert (named.agent, named.flags) == ("mosunetuzumab", ("matched-by-text",))
    assert dose(given(concept((GERMAN_ATC, "L01FX24", "Teclistamab")))).agent == "teclistamab"
    assert dose(given(concept((ATC, "L01FX24")))).agent == "teclistamab"


@pytest.mark.parametrize(
    ("on", "agent"),
    [
        ("2023-12-31", "mosunetuzumab"),
        ("2023", "mosunetuzumab"),
        ("2024-01-01", "teclistamab"),
        ("2024-02", "teclistamab"),
    ],
)
def test_without_a_name_the_day_decides_what_that_code_meant(on: str, agent: str) -> None:
    found = dose(given(concept((GERMAN_ATC, "L01FX24")), effectiveDateTime=on))
    assert (found.agent, found.flags) == (agent, ("code-read-by-date",))


def test_without_a_name_and_a_day_that_code_stays_unknown() -> None:
    found = read(given(concept((GERMAN_ATC, "L01FX24")), effectivePeriod={"end": "2024-03-04"}))
    nothing_but("medication-not-in-study", found)
    assert [(one.system, one.code) for one in found.unmapped] == [(GERMAN_ATC, "L01FX24")]


# --- whether it was given


@pytest.mark.parametrize("status", ["not-done", "entered-in-error", "unknown"])
def test_what_was_not_given_is_neither_dose_nor_contact(status: str) -> None:
    found = read(given({"text": "glofitamab"}, status=status))
    nothing_but(f"status-{status}", found)
    assert found.subject is not None
    assert found.subject.contacts == ()


AMOUNTS: list[tuple[Json, str]] = [
    ({"dosage": {"dose": {"value": 1.2, "unit": "mg"}}}, "yes"),
    ({"effectivePeriod": {"start": "2024-03-04T08:00:00Z", "end": "2024-03-04T09:10:00Z"}}, "yes"),
    ({}, "perhaps"),
    ({"dosage": {"text": "as ordered"}}, "perhaps"),
    ({"dosage": {"dose": {"unit": "mg"}}}, "perhaps"),
    ({"effectivePeriod": {"start": "2024-03-04T08:00:00Z"}}, "perhaps"),
]


@pytest.mark.parametrize("status", ["stopped", "on-hold"])
@pytest.mark.parametrize(("elements", "whether"), AMOUNTS)
def test_an_interrupted_dose_was_given_when_it_says_how_much(status: str, elements: Json, whether: str) -> None:
    subject = seen(given({"text": "glofitamab"}, status=status, **elements))
    assert [one.given for one in subject.doses] == [whether]
    assert len(subject.contacts) == (whether == "yes")


def test_an_interrupted_dose_of_nothing_is_none() -> None:
    nothing = {"dosage": {"dose": {"value": 0, "unit": "mg"}}}
    nothing_but("nothing-given", read(given({"text": "glofitamab"}, status="stopped", **nothing)))
    assert dose(given({"text": "glofitamab"}, **nothing)).given == "perhaps"  # completed, and nothing given


@pytest.mark.parametrize(
    "route", [concept(("http://snomed.info/sct", "72607000")), {"text": "intrathecal"}, {"text": "鞘内注射"}]
)
def test_a_drug_given_into_the_cerebrospinal_fluid_says_so(route: Json) -> None:
    assert dose(given({"text": "methotrexate 12 mg"}, dosage={"route": route})).route == "intrathecal"
    assert dose(given({"text": "methotrexate"}, dosage={"route": {"text": "IV"}})).route == ""


def test_a_running_infusion_without_end_goes_on() -> None:
    running = given({"text": "blinatumomab"}, status="in-progress", effectivePeriod={"start": "2024-03-04"})
    assert dose(running).ongoing
    assert not dose(running | {"status": "completed"}).ongoing
    assert not dose(running | {"effectivePeriod": {"start": "2024-03-04", "end": "2024-04-01"}}).ongoing


def test_a_period_ends_when_it_says() -> None:
    found = dose(given({"text": "倍利妥"}, effectivePeriod={"start": "2024-03-04", "end": "2024-03"}))
    assert found.ended is not None
    assert found.ended.iso == "2024-03"


@pytest.mark.parametrize("when", [{"effectiveDateTime": "9999-12-31"}, {"effectivePeriod": {"end": "2024-03-04"}}])
def test_a_dose_without_a_first_day_is_kept_and_an_infusion_is_not(when: Json) -> None:
    found = dose(given({"text": "glofitamab"}, **when))
    assert found.on is None
    assert "undated" in found.flags
    nothing_but("no-usable-date", read(given({"text": "Yescarta"}, **when)))


def test_a_stop_for_intolerance_is_known() -> None:
    stopped = given({"text": "glofitamab"}, status="stopped", dosage={"dose": {"value": 10, "unit": "mg"}})
    assert dose(stopped | {"statusReason": [{"text": "unacceptable toxicity"}]}).intolerance
    assert dose(stopped | {"statusReason": [{"text": "患者无法耐受"}]}).intolerance
    assert not dose(stopped | {"statusReason": [{"text": "disease progression"}]}).intolerance
    assert not dose(stopped).intolerance


# --- references


MEDICATION: Json = {
    "resourceType": "Medication",
    "id": "m1",
    "meta": {"versionId": "2"},
    "code": {"coding": [{"system": ATC, "code": "L01FX28"}]},
}


@pytest.mark.parametrize(
    "reference", ["Medication/m1", "Medication/m1/_history/2", "https://ehr.example.org/fhir/Medication/m1"]
)
def test_a_reference_leads_to_the_medication_among_the_data(reference: str) -> None:
    assert dose(refers({"reference": reference}), shared=[MEDICATION]).agent == "glofitamab"


def test_a_contained_medication_is_used() -> None:
    inner = {"resourceType": "Medication", "id": "med", "code": {"text": "莫妥珠单抗"}}
    found = dose(refers({"reference": "#med"}, contained=[{"resourceType": "Organization", "id": "org"}, inner]))
    assert (found.agent, found.label) == ("mosunetuzumab", "莫妥珠单抗")
    assert dose(refers({"reference": "#med"}, contained=[inner | {"id": "#med"}])).agent == "mosunetuzumab"


def test_a_medication_that_names_only_its_one_ingredient_is_that_ingredient() -> None:
    prepared = {"resourceType": "Medication", "id": "m1", "ingredient": [{"itemCodeableConcept": {"text": "Epkinly"}}]}
    assert dose(refers({"reference": "Medication/m1"}), shared=[prepared]).agent == "epcoritamab"
    mixed = prepared | {"ingredient": [{"itemCodeableConcept": {"text": one}} for one in ("Epkinly", "rituximab")]}
    nothing_but("medication-not-resolved", read(refers({"reference": "Medication/m1"}), shared=[mixed]))


@pytest.mark.parametrize("reference", ["Medication/gone", "#gone", "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"])
def test_a_reference_to_nothing_falls_back_on_its_display(reference: str) -> None:
    found = dose(refers({"reference": reference, "display": "glofitamab 10 mg"}))
    assert (found.agent, found.flags) == ("glofitamab", ("matched-by-text",))
    nothing_but("medication-not-resolved", read(refers({"reference": reference})))


def test_a_medication_entered_in_error_is_not_used() -> None:
    wrong = MEDICATION | {"status": "entered-in-error"}
    nothing_but("medication-not-resolved", read(refers({"reference": "Medication/m1"}), shared=[wrong]))


# --- cells


CELLS = [
    (concept((ATC, "L01XL03")), "axicabtagene-ciloleucel"),
    (concept((RXNORM, "2044975")), "tisagenlecleucel"),
    (concept((HCPCS, "Q2054")), "lisocabtagene-maraleucel"),
    (concept((ICD10PCS, "XW033M7")), "brexucabtagene-autoleucel"),
    (concept(text="瑞基奥仑赛注射液"), "relmacabtagene-autoleucel"),
    (concept(text="奕凯达"), "axicabtagene-ciloleucel"),
    (concept(text="CD19/CD22 dual CAR-T (investigational)"), "cd19-cd22-cart-investigational"),
    (concept(text="CD19/CD22双靶点CAR-T细胞"), "cd19-cd22-cart-investigational"),
    (concept(text="CD19 CAR-T cells"), "cd19-cart-investigational"),
    (concept(text="CAR-T cells"), "car-t-unspecified"),
]


@pytest.mark.parametrize(("product", "code"), CELLS)
def test_a_cell_product_given_is_an_infusion_and_no_dose(product: Json, code: str) -> None:
    subject = seen(given(product, effectiveDateTime="2024-06-01T01:00:00Z"))
    assert [(one.product, one.on.iso if one.on else "") for one in subject.infusions] == [(code, "2024-06-01")]
    assert subject.doses == ()


@pytest.mark.parametrize("code", ["L01XL01", "L01XL02", "L01XL10", "L01XL11"])
def test_gene_and_virus_products_of_the_same_group_are_no_cells(code: str) -> None:
    nothing_but("medication-not-in-study", read(given(concept((ATC, code)))))


def test_cells_that_perhaps_were_not_infused_are_set_aside() -> None:
    nothing_but("infusion-perhaps-not-given", read(given({"text": "Yescarta"}, status="stopped")))


def test_unverified_codes_count_only_when_the_study_says_so() -> None:
    coded = given(concept((HCPCS, "J9286")))
    nothing_but("medication-not-in-study", read(coded))
    assert dose(coded, unverified_codes="true").agent == "glofitamab"


def test_what_concerns_no_drug_at_all_is_set_aside() -> None:
    bare = given({"text": "x"})
    del bare["medicationCodeableConcept"]
    found = read(bare)
    assert reasons(found) == ["medication-not-resolved"]
    assert found.subject is not None
    assert facts(found.subject) == []
