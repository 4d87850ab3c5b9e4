"""Age in completed years, and the International Prognostic Index: one point for each of five findings at baseline."""

from __future__ import annotations

import pytest
from spec.people import age_of, ipi_of, patient

# Reference day of the windows: the collection of 4 March 2024.
_INDEX = """
    2024-01-08 | glofitamab
    2024-03-04 | apheresis
    2024-04-01 | infusion
"""
# Nothing here scores: age exactly 60, LDH at its limit, ECOG 1, stage II, one extranodal site.
_BOUNDARY = {
    "born": "1963-04-02 | born",
    "ldh": "2024-03-01 | ldh 250 (120-250)",
    "ecog": "2024-03-01 | ECOG 1",
    "stage": "2024-02-20 | stage 2",
    "sites": "2024-02-20 | disease in bone",
}
# Here everything scores by the smallest step.
_ABOVE = {
    "born": "1963-04-01 | born",
    "ldh": "2024-03-01 | ldh 251 (120-250)",
    "ecog": "2024-03-01 | ECOG 2",
    "stage": "2024-02-20 | stage 3",
    "sites": "2024-02-20 | disease in bone\n2024-02-20 | disease in lung",
}


def ages(born: str, infusion: str = "2024-04-01") -> tuple[int, int] | None:
    value = age_of(patient(f"{born} | born\n{infusion} | infusion")).value
    return (value.shortest, value.longest) if value else None


def points(parts: dict[str, str], **parameters: object) -> tuple[int, int] | None:
    value = ipi_of(patient(_INDEX + "\n".join(parts.values())), **parameters).value
    return (value.points.lowest, value.points.highest) if value else None


# ------------------------------------------------------------------------------------------------------ age


@pytest.mark.parametrize(
    ("born", "expected"),
    [("1964-03-31", 60), ("1964-04-01", 60), ("1964-04-02", 59), ("1963-04-01", 61), ("1963-04-02", 60)],
)
def test_age_changes_on_the_birthday(born: str, expected: int) -> None:
    assert ages(born) == (expected, expected)


def test_born_on_29_february_the_birthday_of_a_common_year_is_1_march() -> None:
    assert ages("1964-02-29", "2023-02-28") == (58, 58)
    assert ages("1964-02-29", "2023-03-01") == (59, 59)
    assert ages("1964-02-29", "2024-02-29") == (60, 60)


def test_a_year_of_birth_alone_gives_two_ages() -> None:
    assert ages("1964") == (59, 60)


def test_a_month_of_birth_is_enough_outside_the_birthday_month() -> None:
    assert ages("1964-03") == (60, 60)
    assert ages("1964-04") == (59, 60)
    assert ages("1964-05") == (59, 59)


def test_age_is_counted_at_the_infusion_or_at_the_collection() -> None:
    person = patient(_INDEX + "1964-03-20 | born")
    at_infusion, at_collection = age_of(person).value, age_of(person, ipi_age_at="apheresis").value
    assert at_infusion is not None
    assert at_collection is not None
    assert (at_infusion.days, at_collection.days) == (60, 59)


def test_an_unknown_birth_date_is_an_unknown_age() -> None:
    found = age_of(patient(_INDEX))
    assert (found.verdict, found.value) == ("undetermined", None)


# ------------------------------------------------------------------------------------------------------ IPI


def test_at_every_boundary_nothing_scores() -> None:
    assert points(_BOUNDARY) == (0, 0)


def test_just_above_every_boundary_everything_scores() -> None:
    assert points(_ABOVE) == (5, 5)


@pytest.mark.parametrize("part", list(_BOUNDARY))
def test_each_component_is_one_point(part: str) -> None:
    assert points({**_BOUNDARY, part: _ABOVE[part]}) == (1, 1)


@pytest.mark.parametrize("part", list(_BOUNDARY))
def test_a_missing_component_is_a_range_and_never_a_zero(part: str) -> None:
    assert points({**_BOUNDARY, part: ""}) == (0, 1)
    assert points({**_ABOVE, part: ""}) == (4, 5)


def test_the_study_may_ask_for_no_score_at_all_when_a_component_is_missing() -> None:
    assert points({**_ABOVE, "ecog": ""}, ipi_missing="not_computable") is None
    assert points(_ABOVE, ipi_missing="not_computable") == (5, 5)


def test_a_range_on_one_side_of_the_limit_is_settled() -> None:
    """Born in 1950: 73 or 74 years old, over 60 either way; born in 1963: 60 or 61."""
    assert points({**_BOUNDARY, "born": "1950 | born"}) == (1, 1)
    assert points({**_BOUNDARY, "born": "1963 | born"}) == (0, 1)


@pytest.mark.parametrize(
    ("part", "inside", "outside"),
    [
        ("ldh", "2024-02-05 | ldh 251 (120-250)", "2024-02-04 | ldh 251 (120-250)"),
        ("ecog", "2024-01-22 | ECOG 2", "2024-01-21 | ECOG 2"),
        ("stage", "2024-01-22 | stage 3", "2024-01-21 | stage 3"),
    ],
)
def test_the_windows_of_28_and_42_days_include_their_first_day(part: str, inside: str, outside: str) -> None:
    """28 days before 4 March 2024 is 5 February; 42 days before is 22 January."""
    assert points({**_BOUNDARY, part: inside}) == (1, 1)
    assert points({**_BOUNDARY, part: outside}) == (0, 1)


def test_the_day_of_the_collection_is_the_last_of_the_window() -> None:
    assert points({**_BOUNDARY, "ldh": "2024-03-04 | ldh 251 (120-250)"}) == (1, 1)
    assert points({**_BOUNDARY, "ldh": "2024-03-05 | ldh 251 (120-250)"}) == (0, 1)


def test_the_last_value_counts_not_the_worst() -> None:
    assert points({**_BOUNDARY, "ldh": "2024-02-20 | ldh 900 (120-250)\n2024-03-01 | ldh 200 (120-250)"}) == (0, 0)


def test_the_windows_can_end_at_the_lymphodepletion() -> None:
    table = {**_BOUNDARY, "flu": "2024-03-27 | fludarabine", "ldh": "2024-03-20 | ldh 400 (120-250)"}
    assert points(table) == (0, 1)
    # Counted back from 27 March, imaging and ECOG of 20 February and 1 March are still inside 42 days.
    assert points(table, ipi_reference="lymphodepletion") == (1, 1)


def test_ldh_is_compared_with_the_limit_of_its_own_report() -> None:
    assert points({**_BOUNDARY, "ldh": "2024-03-01 | ldh 300 (135-330)"}) == (0, 0)
    assert points({**_BOUNDARY, "ldh": "2024-03-01 | ldh 300"}) == (0, 1)


@pytest.mark.parametrize(
    ("written", "expected"),
    [("<250 (-250)", (0, 0)), ("<300 (-250)", (0, 1)), (">250 (-250)", (1, 1)), (">=250 (-250)", (0, 1))],
)
def test_a_comparator_bounds_ldh(written: str, expected: tuple[int, int]) -> None:
    assert points({**_BOUNDARY, "ldh": f"2024-03-01 | ldh {written}"}) == expected


def test_two_values_of_the_last_day_matter_only_when_they_score_differently() -> None:
    assert points({**_BOUNDARY, "ecog": "2024-03-01 | ECOG 1\n2024-03-01 | ECOG 2"}) == (0, 1)
    assert points({**_BOUNDARY, "ecog": "2024-03-01 | ECOG 0\n2024-03-01 | ECOG 1"}) == (0, 0)
    assert points({**_BOUNDARY, "ldh": "2024-03-01 | ldh 300 (-250)\n2024-03-01 | ldh 310 (-250)"}) == (1, 1)


def test_a_stage_observed_wins_over_the_stage_of_the_condition() -> None:
    table = "2024-02-01 | stage 2\n2024-02-20 | stage 4 | condition"
    assert points({**_BOUNDARY, "stage": table}) == (0, 0)
    assert points({**_BOUNDARY, "stage": "2024-02-20 | stage 4 | condition"}) == (1, 1)


def test_a_partial_date_that_may_lie_outside_the_window_leaves_the_component_open() -> None:
    assert points({**_BOUNDARY, "ecog": "2024-01 | ECOG 2"}) == (0, 1)
    assert points({**_BOUNDARY, "ecog": "2024-02 | ECOG 2"}) == (1, 1)


def test_a_partial_date_that_is_surely_not_the_last_does_not_matter() -> None:
    assert points({**_BOUNDARY, "ecog": "2024-01 | ECOG 2\n2024-03-01 | ECOG 1"}) == (0, 0)


def test_a_partial_date_that_may_be_the_last_leaves_the_component_open() -> None:
    assert points({**_BOUNDARY, "ecog": "2024-02 | ECOG 2\n2024-02-10 | ECOG 1"}) == (0, 1)


def test_two_sure_extranodal_sites_score_whatever_else_may_be_involved() -> None:
    sites = "2024-02-20 | disease in bone\n2024-02-20 | disease in lung\n2024-01 | disease in liver"
    assert points({**_BOUNDARY, "sites": sites}) == (1, 1)


def test_a_documented_absence_of_extranodal_disease_scores_0() -> None:
    assert points({**_BOUNDARY, "sites": "2024-02-20 | disease in none"}) == (0, 0)


def test_a_score_of_a_patient_without_any_baseline_runs_from_0_to_5() -> None:
    assert points({}) == (0, 5)
