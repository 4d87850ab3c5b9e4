"""Habits of laboratories and pharmacies that must not lose data: ranges as text, ingredients, midnight, spellings."""

from __future__ import annotations

import shutil
from decimal import Decimal
from itertools import permutations
from pathlib import Path

import pytest
from mapping.hospital import GERMAN_ATC, LOINC, Json, about, concept, observation, read, seen, study

from fhir_adapter.errors import StudyError
from fhir_adapter.fhir.r4 import Patient, PatientLink, Quantity, Reference
from fhir_adapter.mapping.patient import survivors
from fhir_adapter.mapping.study import read_study

MAPPINGS = Path(__file__).parents[2] / "mappings"


def leukocytes(**elements: object) -> Json:
    return observation(concept((LOINC, "6690-2")), valueQuantity={"value": 2, "unit": "10*9/L"}, **elements)


def test_limits_of_a_component_are_its_own() -> None:
    part = {
        "code": concept((LOINC, "751-8")),
        "valueQuantity": {"value": 0.4, "unit": "K/uL"},
        "referenceRange": [{"low": {"value": 1.8, "unit": "K/uL"}, "high": {"value": 6.3, "unit": "K/uL"}}],
    }
    (lab,) = seen(observation({"text": "CBC"}, component=[part])).labs
    assert (lab.lower_limit, lab.upper_limit) == (Decimal("1.8"), Decimal("6.3"))


@pytest.mark.parametrize("text", ["3.5～9.5", "3.5—9.5", "3.5--9.5", "3.5-9.5 10^9/L", "(3.5-9.5)", "[3.5-9.5]"])
def test_a_range_is_read_however_it_is_typed(text: str) -> None:
    (lab,) = seen(leukocytes(referenceRange=[{"text": text}])).labs
    assert (lab.lower_limit, lab.upper_limit) == (Decimal("3.5"), Decimal("9.5"))


def test_an_upper_limit_alone_is_read_in_full_width() -> None:
    (lab,) = seen(leukocytes(referenceRange=[{"text": "＜9.5"}])).labs
    assert (lab.lower_limit, lab.upper_limit) == (None, Decimal("9.5"))


def test_the_range_that_is_called_normal_is_the_one() -> None:
    normal = {
        "low": {"value": 3.5},
        "type": concept(("http://terminology.hl7.org/CodeSystem/referencerange-meaning", "normal")),
    }
    (lab,) = seen(leukocytes(referenceRange=[{"low": {"value": 1}, "text": "critical"}, normal])).labs
    assert lab.lower_limit == Decimal("3.5")


RANGE = [{"low": {"value": 1.8, "unit": "10*9/L"}, "high": {"value": 6.3, "unit": "10*9/L"}}]


def test_a_unit_taken_from_the_range_is_flagged() -> None:
    (lab,) = seen(observation(concept((LOINC, "751-8")), valueString="< 0.1", referenceRange=RANGE)).labs
    assert [flag for flag in lab.flags if "unit" in flag]


def test_a_german_drug_file_names_the_ingredient_only() -> None:
    product: Json = {
        "resourceType": "Medication",
        "id": "m1",
        "code": {"coding": [{"system": "http://fhir.de/CodeSystem/ifa/pzn", "code": "18087893"}]},
        "ingredient": [{"itemCodeableConcept": concept((GERMAN_ATC, "L01FX28"))}],
    }
    given = about("MedicationAdministration", status="completed", effectiveDateTime="2024-05-01")
    (dose,) = seen(given | {"medicationReference": {"reference": "Medication/m1"}}, shared=[product]).doses
    assert dose.agent == "glofitamab"


@pytest.mark.parametrize(
    ("code", "agent"), [("L01AA01", "cyclophosphamide"), ("L01BB05", "fludarabine"), ("L01DB01", "doxorubicin")]
)
def test_german_codes_of_chemotherapy_are_known(code: str, agent: str) -> None:
    given = about(
        "MedicationAdministration",
        status="completed",
        effectiveDateTime="2024-05-01",
        medicationCodeableConcept=concept((GERMAN_ATC, code)),
    )
    assert [one.agent for one in seen(given).doses] == [agent]


@pytest.mark.parametrize(
    ("moment", "day"), [("2024-05-01T24:00:00+08:00", "2024-05-02"), ("2024-12-31T24:00:00Z", "2025-01-01")]
)
def test_the_end_of_a_day_is_the_start_of_the_next(moment: str, day: str) -> None:
    (lab,) = seen(leukocytes() | {"effectiveDateTime": moment}).labs
    assert lab.on is not None
    assert lab.on.iso == day


SPELLINGS = [
    "/nl",
    "/µl",
    "k/ul",
    "K/ul",
    "10*3/ul",
    "10^3/µl",
    "X10^9/L",
    "X10*9/L",
    "Tsd/µl",
    "cells/mcL",
    "K/mcL",
    "万/µL",
]


@pytest.mark.parametrize("unit", SPELLINGS)
def test_cells_are_counted_in_many_spellings(unit: str) -> None:
    assert study().units.convert("platelets", Decimal(5), Quantity(unit=unit)) is not None


@pytest.mark.parametrize("unit", ["mg/l FEU", "ng/ml FEU", "µg/ml FEU"])
def test_d_dimer_in_small_letters_is_d_dimer(unit: str) -> None:
    assert study().units.convert("d-dimer", Decimal(5), Quantity(unit=unit)) is not None


def test_a_number_is_converted_exactly_or_not_at_all() -> None:
    digits = "1.23456789012345678901234567890123456789"
    shifted = Decimal("0.123456789012345678901234567890123456789")
    found = study().units.convert("hemoglobin", shifted, Quantity(unit="g/dL"))
    assert found is None or str(found) == digits
    assert (
        str(study().units.convert("hemoglobin", Decimal("7.912345678901234"), Quantity(unit="g/dL")))
        == "79.12345678901234"
    )


def test_d_dimer_of_either_kind_can_be_elevated() -> None:
    assert set(study().study.elevated_terms) == {"d-dimer", "d-dimer-ddu"}


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "9e999999"])
@pytest.mark.parametrize("code", ["89247-1", "718-7", "33728-7"])
def test_what_is_no_number_breaks_nothing(code: str, value: str) -> None:
    found = read(observation(concept((LOINC, code)), valueQuantity={"value": value, "unit": "g/dL"}))
    assert len(found.set_aside) == 1


@pytest.mark.parametrize("status", ["completed", "stopped"])
@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_a_dose_of_no_number_breaks_nothing(value: str, status: str) -> None:
    given = about("MedicationAdministration", status=status, effectiveDateTime="2024-05-01")
    dosage = {"dose": {"value": value, "unit": "mg"}}
    found = read(given | {"medicationCodeableConcept": {"text": "glofitamab"}, "dosage": dosage})
    assert found.subject is not None
    assert found.subject.doses or found.set_aside


def test_who_survives_does_not_depend_on_the_order() -> None:
    def linked(kind: str, other: str) -> tuple[PatientLink, ...]:
        return (PatientLink(Reference(reference=f"Patient/{other}"), kind),)

    people = {
        "a": Patient(id="a", link=linked("replaced-by", "b")),
        "b": Patient(id="b"),
        "c": Patient(id="c", link=linked("replaces", "a")),
        "d": Patient(id="d", link=linked("replaces", "a")),
    }
    answers = [survivors({name: people[name] for name in order}) for order in permutations(people)]
    assert all(answer == answers[0] for answer in answers)


SHAPES = [
    ("bsab-cart-dlbcl/study.toml", 'bsab = "bispecific-antibody"', 'bsab = ["bispecific-antibody"]', "bsab"),
    ("bsab-cart-dlbcl/study.toml", "[value_sets]", "value_sets = 1\n[other]", "value_sets"),
    ("bsab-cart-dlbcl/study.toml", 'd-dimer = "D-dimer', 'd-dimr = "D-dimer', "d-dimr"),
    ("bsab-cart-dlbcl/study.toml", 'crs_scale = "astct-2019"', 'crs_scale = "astct2019"', "crs_scale"),
    ("bsab-cart-dlbcl/conceptmaps/medication.json", "", '{"group": {"a": 1}}', "medication.json"),
    (
        "bsab-cart-dlbcl/conceptmaps/medication.json",
        "",
        '{"group": [{"element": [{"target": [{"code": "x"}]}]}]}',
        "medication.json",
    ),
    ("common/codesystems/agent.json", '{"code": "glofitamab", ', "{", "agent.json"),
]


@pytest.mark.parametrize(("file", "old", "new", "names"), SHAPES)
def test_a_study_file_of_a_wrong_shape_is_named(tmp_path: Path, file: str, old: str, new: str, names: str) -> None:
    shutil.copytree(MAPPINGS, tmp_path / "mappings")
    path = tmp_path / "mappings" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1) if old else new, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        read_study(tmp_path / "mappings" / "bsab-cart-dlbcl")
    assert names in str(caught.value)
