"""The worst laboratory grade after the infusion: which values count, and against which baseline."""

from __future__ import annotations

import pytest
from spec.people import grades_of, patient, toxicity_of

_INFUSION = "2024-01-01 | infusion\n"


def platelets(table: str, **parameters: object) -> tuple[int | None, int | None] | None:
    return grades_of("platelet-count-decreased", patient(_INFUSION + table), **parameters)


def alt(table: str, **parameters: object) -> tuple[int | None, int | None] | None:
    return grades_of("alt-increased", patient(_INFUSION + table), **parameters)


def d_dimer(table: str) -> bool | str | None:
    """True, False, None for undetermined; `not assessed` without a value in the window."""
    found = toxicity_of("d-dimer", patient(_INFUSION + table))
    return found.elevated if found else "not assessed"


# ------------------------------------------------------------------------------------------------ the window


def test_blood_counts_may_have_a_longer_window_than_the_rest() -> None:
    """Counts recover late: platelets of day 60 count up to day 90, liver enzymes of that day do not."""
    late = "2024-03-01 | platelets 20 (125-350)\n2024-03-01 | alt 400 (-40)"
    longer = {"blood_count_window_days": "0-90"}
    assert platelets(late, **longer) == (4, 4)
    assert alt(late, **longer) is None
    assert platelets(late) is None


def test_the_worst_value_counts() -> None:
    found = toxicity_of(
        "platelet-count-decreased",
        patient(
            _INFUSION
            + """
            2024-01-03 | platelets 60 (125-350)
            2024-01-08 | platelets 20 (125-350)
            2024-01-20 | platelets 45 (125-350)
            """
        ),
    )
    assert found is not None
    assert (found.grade, found.value, found.lower_limit, found.unit) == (4, "20", "125", "10*9/L")
    assert found.onset is not None
    assert found.onset.iso == "2024-01-03"


def test_two_values_of_one_day_are_not_averaged() -> None:
    assert platelets("2024-01-08 | platelets 90 (125-350)\n2024-01-08 | platelets 20 (125-350)") == (4, 4)


@pytest.mark.parametrize(
    ("day", "expected"),
    [("2023-12-31", None), ("2024-01-01", (4, 4)), ("2024-01-31", (4, 4)), ("2024-02-01", None)],
)
def test_the_window_of_0_to_30_days_includes_both_ends(day: str, expected: tuple[int, int] | None) -> None:
    assert platelets(f"{day} | platelets 20 (125-350)") == expected


def test_the_window_is_a_parameter() -> None:
    assert platelets("2024-03-31 | platelets 20 (125-350)", ae_window_days="0-90") == (4, 4)
    assert platelets("2024-01-01 | platelets 20 (125-350)", ae_window_days="1-30") is None


def test_a_term_that_nobody_measured_has_no_grade_and_a_normal_value_has_grade_0() -> None:
    assert platelets("") is None
    assert platelets("2024-01-08 | platelets 200 (125-350)") == (0, 0)


def test_a_value_that_may_lie_outside_the_window_bounds_the_grade() -> None:
    """All of January lies in the window; of the year only a part."""
    assert platelets("2024-01 | platelets 20 (125-350)") == (4, 4)
    assert platelets("2024 | platelets 20 (125-350)") == (0, 4)
    assert platelets("2024-01-08 | platelets 60 (125-350)\n2024 | platelets 20 (125-350)") == (2, 4)


def test_the_window_ends_with_the_next_therapy() -> None:
    table = "2024-01-08 | platelets 60 (125-350)\n2024-01-20 | epcoritamab\n2024-01-25 | platelets 20 (125-350)"
    assert platelets(table) == (2, 2)
    assert platelets(table, ae_end="window") == (4, 4)


def test_a_value_on_the_day_of_the_next_therapy_is_no_longer_counted() -> None:
    assert platelets("2024-01-20 | epcoritamab\n2024-01-20 | platelets 20 (125-350)") is None


def test_a_second_infusion_ends_the_window_too() -> None:
    table = "2024-01-20 | infusion relmacabtagene-autoleucel\n2024-01-25 | platelets 20 (125-350)"
    assert platelets(table) is None


# ------------------------------------------------------------------------------------------------ the baseline


def test_the_baseline_is_the_last_value_before_lymphodepletion() -> None:
    """Lymphodepletion itself brings the counts down: the value of 30 December is no baseline."""
    table = """
        2023-12-20 | platelets 210 (125-350)
        2023-12-26 | platelets 200 (125-350)
        2023-12-27 | fludarabine
        2023-12-30 | platelets 60 (125-350)
        2024-01-08 | platelets 20 (125-350)
    """
    person = patient(_INFUSION + table)
    before_depletion = toxicity_of("platelet-count-decreased", person)
    before_infusion = toxicity_of("platelet-count-decreased", person, lab_baseline="before_infusion")
    assert before_depletion is not None
    assert before_infusion is not None
    assert (before_depletion.baseline, before_infusion.baseline) == ("200", "60")


def test_a_value_on_the_first_day_of_lymphodepletion_is_no_baseline() -> None:
    found = toxicity_of(
        "platelet-count-decreased",
        patient(
            _INFUSION
            + """
            2023-12-26 | platelets 200 (125-350)
            2023-12-27 | platelets 150 (125-350)
            2023-12-27 | fludarabine
            2024-01-08 | platelets 20 (125-350)
            """
        ),
    )
    assert found is not None
    assert found.baseline == "200"


def test_without_lymphodepletion_the_last_value_before_the_infusion_is_the_baseline() -> None:
    found = toxicity_of(
        "platelet-count-decreased",
        patient(
            _INFUSION
            + """
            2023-12-31 | platelets 180 (125-350)
            2024-01-01 | platelets 90 (125-350)
            2024-01-08 | platelets 20 (125-350)
            """
        ),
    )
    assert found is not None
    assert found.baseline == "180"


def test_a_baseline_before_lymphodepletion_decides_between_the_scales() -> None:
    """ALT 130 with a limit of 50: grade 1 from a normal baseline, none in 5.0 from 100 (1.3 x)."""
    assert alt("2023-12-20 | alt 40 (0-50)\n2024-01-08 | alt 130 (0-50)") == (1, 1)
    assert alt("2023-12-20 | alt 100 (0-50)\n2024-01-08 | alt 130 (0-50)") == (0, 0)
    assert alt("2023-12-20 | alt 100 (0-50)\n2024-01-08 | alt 130 (0-50)", ctcae_version="6.0") == (1, 1)


# ------------------------------------------------------------------------------------------ treatment-emergent


@pytest.mark.parametrize(
    ("nadir", "absolute", "emergent"), [("60", 2, 0), ("50", 2, 0), ("49", 3, 3), ("24", 4, 4), ("80", 1, 0)]
)
def test_treatment_emergent_is_what_is_worse_than_the_baseline(nadir: str, absolute: int, emergent: int) -> None:
    """Platelets 70 before lymphodepletion are grade 2 already."""
    table = f"2023-12-20 | platelets 70 (125-350)\n2024-01-08 | platelets {nadir} (125-350)"
    assert platelets(table) == (absolute, absolute)
    assert platelets(table, worst_grade="treatment_emergent") == (emergent, emergent)


def test_without_a_baseline_every_grade_is_treatment_emergent() -> None:
    assert platelets("2024-01-08 | platelets 60 (125-350)", worst_grade="treatment_emergent") == (2, 2)


# ------------------------------------------------------------------------------------------------------ D-dimer


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0.5 (-0.5)", False),
        ("0.51 (-0.5)", True),
        ("<0.5 (-0.5)", False),
        ("<0.6 (-0.5)", None),
        (">20 (-0.5)", True),
        ("3.0", None),
    ],
)
def test_d_dimer_is_elevated_above_the_limit_of_its_own_report(written: str, expected: bool | None) -> None:
    """CTCAE has no term for it: elevated or not, without a grade."""
    assert d_dimer(f"2024-01-08 | d-dimer {written}") is expected
    found = toxicity_of("d-dimer", patient(_INFUSION + f"2024-01-08 | d-dimer {written}"))
    assert found is not None
    assert (found.grade_min, found.grade_max, found.scale) == (None, None, "ULN")


def test_one_elevated_d_dimer_is_enough_and_one_doubtful_leaves_it_open() -> None:
    assert d_dimer("2024-01-05 | d-dimer 0.3 (-0.5)\n2024-01-08 | d-dimer 0.9 (-0.5)") is True
    assert d_dimer("2024-01-05 | d-dimer 0.3 (-0.5)\n2024-01-08 | d-dimer 0.9") is None


def test_each_value_is_compared_with_its_own_limit() -> None:
    assert d_dimer("2024-01-05 | d-dimer 0.4 (-0.25)\n2024-01-08 | d-dimer 0.45 (-0.5)") is True


def test_d_dimer_not_measured_in_the_window_is_not_reported() -> None:
    assert d_dimer("") == "not assessed"
    assert d_dimer("2024-02-01 | d-dimer 0.9 (-0.5)") == "not assessed"


def test_an_elevated_value_that_may_lie_outside_the_window_is_a_doubt() -> None:
    assert d_dimer("2024 | d-dimer 0.9 (-0.5)") is None
    assert d_dimer("2024 | d-dimer 0.3 (-0.5)") is False


def test_a_value_of_the_month_of_the_infusion_may_be_the_baseline() -> None:
    """As a baseline of grade 4 it leaves nothing to emerge; after the infusion it is the first low value."""
    person = patient("""
        2024-01-05 | infusion
        2024-01    | platelets 20 (125-350)
        2024-01-10 | platelets 20 (125-350)
    """)
    assert grades_of("platelet-count-decreased", person) == (4, 4)
    assert grades_of("platelet-count-decreased", person, worst_grade="treatment_emergent") == (0, 4)
