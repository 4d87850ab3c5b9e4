"""Units: factors checked by hand, every spelling the same number, refusal instead of a guess."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from mapping.hospital import study

from fhir_adapter.errors import StudyError
from fhir_adapter.fhir.r4 import Quantity
from fhir_adapter.mapping.units import read_units

UNITS = study().units

# observable, value, unit as printed, the same in the canonical unit: worked out by hand
BY_HAND = [
    ("neutrophils", "0.48", "10*9/L", "0.48"),
    ("neutrophils", "480", "/uL", "0.48"),
    ("neutrophils", "480", "cells/µL", "0.48"),
    ("neutrophils", "0.48", "K/μL", "0.48"),
    ("neutrophils", "480", "/mm3", "0.48"),
    ("neutrophils", "480", "10*6/L", "0.48"),
    ("neutrophils", "0.48", "×10⁹/L", "0.48"),
    ("neutrophils", "0.48", "G/L", "0.48"),
    ("leukocytes", "2.1", "x10^9/L", "2.1"),
    ("leukocytes", "2.1", "10^3/uL", "2.1"),
    ("platelets", "5", "10*4/uL", "50"),
    ("platelets", "5", "万/uL", "50"),
    ("platelets", "21", "Gpt/l", "21"),
    ("hemoglobin", "7.9", "g/dL", "79"),
    ("hemoglobin", "7.9", "g/dl", "79"),
    ("hemoglobin", "79", "g/L", "79"),
    ("hemoglobin", "5", "mmol/L", "80.57"),  # 5 x 16.114
    ("alt", "1", "ukat/L", "60"),
    ("alt", "61", "IU/L", "61"),
    ("alt", "61", "U/l", "61"),
    ("bilirubin", "1.2", "mg/dL", "20.52"),  # 1.2 x 17.1
    ("bilirubin", "20.52", "μmol/L", "20.52"),
    ("creatinine", "1.1", "mg/dL", "97.24"),  # 1.1 x 88.4
    ("creatinine", "0.1", "mmol/L", "100"),
    ("fibrinogen", "120", "mg/dL", "1.2"),
    ("fibrinogen", "1.20", "g/L", "1.2"),
    ("albumin", "3.1", "g/dL", "31"),
    ("d-dimer", "550", "ng/mL{FEU}", "0.55"),
    ("d-dimer", "0.55", "ug/mL FEU", "0.55"),
    ("d-dimer", "0.55", "mg/L", "0.55"),
    ("d-dimer-ddu", "275", "ng/mL DDU", "0.275"),
    ("crp", "3.1", "mg/dL", "31"),
    ("ferritin", "650", "ng/mL", "650"),
    ("ferritin", "650", "ug/L", "650"),
    ("lesion-diameter", "7.5", "cm", "75"),
]


@pytest.mark.parametrize(("observable", "value", "unit", "canonical"), BY_HAND)
def test_factors_agree_with_a_calculation_by_hand(observable: str, value: str, unit: str, canonical: str) -> None:
    found = UNITS.convert(observable, Decimal(value), Quantity(unit=unit))
    assert found is not None
    assert str(found) == str(Decimal(canonical))
    assert UNITS.convert(observable, Decimal(value), Quantity(code=unit)) == found


REFUSED = [
    ("fibrinogen", "G/L"),  # gigaparticles a litre are no grams
    ("neutrophils", "g/L"),
    ("neutrophils", "%"),
    ("d-dimer", "mg/L DDU"),
    ("d-dimer-ddu", "ng/mL{FEU}"),
    ("neutrophils", ""),
    ("hemoglobin", "units"),
    ("unheard-of", "g/L"),
]


@pytest.mark.parametrize(("observable", "unit"), REFUSED)
def test_a_unit_that_is_not_in_the_table_is_refused(observable: str, unit: str) -> None:
    assert UNITS.convert(observable, Decimal(1), Quantity(unit=unit)) is None


def test_the_ucum_code_comes_first_and_the_print_helps() -> None:
    assert UNITS.convert("hemoglobin", Decimal(9), Quantity(unit="g/L", code="g/dL")) == 90
    assert UNITS.convert("hemoglobin", Decimal(9), Quantity(unit="g/dL", code="GRAMS")) == 90
    assert UNITS.convert("hemoglobin", Decimal(9), Quantity(unit="", code="g/dL")) == 90


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_has_no_unit(value: str) -> None:
    assert UNITS.convert("hemoglobin", Decimal(value), Quantity(unit="g/L")) is None


def test_equal_values_print_alike() -> None:
    texts = {
        str(UNITS.convert("platelets", Decimal(v), Quantity(unit="K/uL"))) for v in ("100", "100.0", "1e2", "1E+2")
    }
    assert texts == {"100"}
    assert str(UNITS.convert("platelets", Decimal("0.000"), Quantity(unit="K/uL"))) == "0"


PLAUSIBLE = [("hemoglobin", "79", True), ("hemoglobin", "7.9", False), ("neutrophils", "0", True), ("ldh", "0", False)]


@pytest.mark.parametrize(("observable", "value", "possible"), PLAUSIBLE)
def test_values_no_living_person_has_are_known(observable: str, value: str, possible: bool) -> None:
    assert UNITS.plausible(observable, Decimal(value)) is possible


def test_every_graded_observable_has_a_unit() -> None:
    for clauses in study().study.gradings.values():
        assert {clause.observable for clause in clauses} <= set(UNITS.analytes)


def test_one_unit_is_the_canonical_one_itself() -> None:
    for observable, analyte in UNITS.analytes.items():
        assert UNITS.convert(observable, Decimal("1.5"), Quantity(code=analyte.canonical)) == Decimal("1.5")


BROKEN = [
    ('[analytes.hemoglobin]\ntable = "hemoglobine"\nplausible = ["1", "2"]', "did you mean `hemoglobin`?"),
    ('[analytes.hemoglobin]\ntable = "hemoglobin"\nplausible = ["1"]', "plausible = [low, high]"),
    ('[analytes.hemoglobin]\ntable = "hemoglobin"\nplausible = ["one", "2"]', "plausible = [low, high]"),
    ('[analytes.hemoglobin]\ntable = "hemoglobin"', "plausible = [low, high]"),
]


@pytest.mark.parametrize(("entry", "hint"), BROKEN)
def test_a_wrong_unit_table_names_file_and_entry(tmp_path: Path, entry: str, hint: str) -> None:
    path = tmp_path / "units.toml"
    path.write_text('[tables.hemoglobin]\ncanonical = "g/L"\n[tables.hemoglobin.factors]\n"g/L" = "1"\n' + entry)
    with pytest.raises(StudyError) as caught:
        read_units(path)
    assert str(path) in str(caught.value)
    assert "[analytes.hemoglobin]" in str(caught.value)
    assert hint in caught.value.hint
