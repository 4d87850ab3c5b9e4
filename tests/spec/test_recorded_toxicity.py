"""Adverse events that somebody recorded, beside what the laboratory shows. One row a person and term."""

from __future__ import annotations

from typing import Any

import pytest
from mapping.hospital import AE_GRADE, MEDDRA, NCIT, Json, concept
from spec.edge_cases.infused import adverse_event, found, grades, lab

NEUTROPENIA, ANEMIA = ("10029366", "neutrophil-count-decreased"), ("10002272", "anemia")
_NCIT_GRADES = {1: "C41338", 2: "C41339", 3: "C41340", 4: "C41337", 5: "C48275"}


def recorded(code: str, grade: int | None, on: str = "2024-06-09", text: str = "") -> Json:
    """An AdverseEvent by its MedDRA code, graded as the research guide grades."""
    coded = {"url": AE_GRADE, "valueCodeableConcept": concept((NCIT, _NCIT_GRADES[grade]), text=text) if grade else {}}
    return adverse_event(concept((MEDDRA, code)), on, extension=[coded] if grade else [])


@pytest.mark.parametrize(("grade", "expected"), [(3, (3, 3)), (None, (1, 5))])
def test_a_term_that_nobody_measured_has_the_grade_that_was_recorded(grade: int | None, expected: Any) -> None:
    """Without a grade it is an event of unknown grade."""
    assert grades(ANEMIA[1], recorded(ANEMIA[0], grade)) == expected


def test_a_term_that_no_laboratory_measures_is_reported_as_recorded() -> None:
    """Febrile neutropenia, infection and their like come from records alone."""
    one = found("febrile-neutropenia", recorded("10016288", 3))
    assert one
    assert (one.grade_min, one.scale, one.scale_version) == (3, "CTCAE", "5.0")


def test_of_a_recorded_and_a_measured_grade_the_worse_counts_once_and_is_flagged() -> None:
    """Grade 4 anemia is a judgement: no laboratory value shows it."""
    low = lab("hemoglobin", 75, "g/L", limits=(115, 150))
    one = found(ANEMIA[1], low, recorded(ANEMIA[0], 4))
    assert one
    assert (one.grade_min, one.grade_max) == (4, 4)
    assert "recorded-grade-differs" in one.flags
    assert (one.value, one.unit) == ("75", "g/L")


def test_a_milder_record_does_not_lower_what_was_measured() -> None:
    counted = lab("neutrophils", 0.3, "10*9/L", limits=(1.8, 6.3))
    one = found(NEUTROPENIA[1], counted, recorded(NEUTROPENIA[0], 2))
    assert one
    assert (one.grade_min, one.grade_max) == (4, 4)
    assert "recorded-grade-differs" in one.flags


def test_a_record_without_a_grade_adds_nothing_to_a_measured_one() -> None:
    counted = lab("neutrophils", 0.3, "10*9/L", limits=(1.8, 6.3))
    assert grades(NEUTROPENIA[1], counted, recorded(NEUTROPENIA[0], None)) == (4, 4)


def test_a_record_may_settle_what_a_value_leaves_open() -> None:
    """Without a lower limit 1.7 is grade 0 or 1."""
    counted = lab("neutrophils", 1.7, "10*9/L")
    assert grades(NEUTROPENIA[1], counted) == (0, 1)
    assert grades(NEUTROPENIA[1], counted, recorded(NEUTROPENIA[0], 1)) == (1, 1)


def test_a_grade_of_another_version_of_ctcae_is_only_an_event() -> None:
    """Limits moved between the versions: a grade without its scale's numbers cannot be carried over."""
    told = recorded(NEUTROPENIA[0], 3, text="grade 3 (CTCAE v6.0)")
    assert grades(NEUTROPENIA[1], told) == (1, 5)
    assert grades(NEUTROPENIA[1], told, ctcae_version="6.0") == (3, 3)


def test_what_was_recorded_before_the_infusion_is_not_of_the_cells() -> None:
    assert found(ANEMIA[1], recorded(ANEMIA[0], 3, "2024-05-20")) is None
