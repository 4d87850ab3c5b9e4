"""CRS and ICANS after CAR-T, as documented: the worst grade of the episode, on the scale the study expects."""

from __future__ import annotations

import pytest
from spec.people import grades_of, patient, toxicity_of

_INFUSION = "2024-01-01 | infusion\n"


def crs(table: str, **parameters: object) -> tuple[int | None, int | None] | None:
    return grades_of("crs", patient(_INFUSION + table), **parameters)


def icans(table: str, **parameters: object) -> tuple[int | None, int | None] | None:
    return grades_of("icans", patient(_INFUSION + table), **parameters)


def test_several_records_of_one_episode_are_one_and_the_worst_grade_counts() -> None:
    found = toxicity_of(
        "crs",
        patient(
            _INFUSION
            + """
            2024-01-03 | CRS 1
            2024-01-04 | CRS 2
            2024-01-06 | CRS 1
            """
        ),
    )
    assert found is not None
    assert (found.grade, found.scale) == (2, "astct-2019")
    assert found.onset is not None
    assert found.onset.iso == "2024-01-03"


def test_crs_and_icans_are_judged_apart() -> None:
    table = "2024-01-03 | CRS 2\n2024-01-06 | ICANS 1"
    assert (crs(table), icans(table)) == ((2, 2), (1, 1))


@pytest.mark.parametrize(
    ("day", "expected"),
    [("2023-12-31", None), ("2024-01-01", (2, 2)), ("2024-01-31", (2, 2)), ("2024-02-01", None)],
)
def test_the_window_of_0_to_30_days_includes_both_ends(day: str, expected: tuple[int, int] | None) -> None:
    assert crs(f"{day} | CRS 2") == expected
    assert icans(f"{day} | ICANS 2") == expected


def test_crs_of_the_step_up_doses_of_the_antibody_is_not_crs_of_car_t() -> None:
    table = """
        2023-08-01 | glofitamab
        2023-08-02 | CRS 3
        2023-11-01 | apheresis
    """
    assert crs(table) is None
    assert crs(table + "2024-01-04 | CRS 1") == (1, 1)


def test_crs_after_a_later_antibody_is_not_crs_of_car_t() -> None:
    assert crs("2024-01-03 | CRS 1\n2024-01-20 | epcoritamab\n2024-01-21 | CRS 3") == (1, 1)


def test_grade_0_is_assessed_and_none_and_silence_is_not_reported() -> None:
    assert crs("2024-01-05 | CRS 0") == (0, 0)
    assert crs("") is None


def test_a_statement_of_none_does_not_undo_an_episode() -> None:
    assert crs("2024-01-02 | CRS 0\n2024-01-05 | CRS 2\n2024-01-10 | CRS 0") == (2, 2)


def test_crs_without_a_grade_is_grade_1_to_5_and_not_1() -> None:
    assert crs("2024-01-03 | CRS ?") == (1, 5)
    assert crs("2024-01-02 | CRS 0\n2024-01-03 | CRS ?") == (1, 5)


def test_a_record_without_a_grade_adds_nothing_beside_one_with_it() -> None:
    assert crs("2024-01-03 | CRS ?\n2024-01-04 | CRS 2") == (2, 2)


def test_a_grade_between_two_counts_beside_a_lower_one() -> None:
    assert crs("2024-01-03 | CRS 1\n2024-01-04 | CRS 2-3") == (2, 3)


def test_a_grade_on_another_scale_says_only_that_there_was_an_event() -> None:
    """Grade 2 after Lee may be grade 3 after ASTCT."""
    assert crs("2024-01-03 | CRS 2 | scale lee-2014") == (1, 5)
    assert crs("2024-01-03 | CRS 2 | scale lee-2014", crs_scale="lee-2014") == (2, 2)
    assert crs("2024-01-03 | CRS 2 | scale astct-2019") == (2, 2)


def test_grade_0_is_none_on_every_scale() -> None:
    assert crs("2024-01-03 | CRS 0 | scale lee-2014") == (0, 0)


def test_the_scale_of_the_study_wins_over_another_scale() -> None:
    assert crs("2024-01-03 | CRS 4 | scale lee-2014\n2024-01-03 | CRS 2 | scale astct-2019") == (2, 2)


def test_crs_and_icans_may_be_asked_on_different_scales() -> None:
    table = "2024-01-03 | CRS 2 | scale lee-2014\n2024-01-05 | ICANS 2 | scale cartox"
    assert crs(table, crs_scale="lee-2014") == (2, 2)
    assert icans(table, crs_scale="lee-2014") == (1, 5)


def test_an_episode_that_may_lie_outside_the_window_bounds_the_grade() -> None:
    assert crs("2024 | CRS 2") == (0, 2)
    assert crs("2024-01-03 | CRS 1\n2024 | CRS 2") == (1, 2)


def test_an_episode_without_a_grade_stays_certain_beside_one_that_may_lie_outside() -> None:
    found = crs("2024-01-03 | CRS ?\n2024 | CRS 2")
    assert found is not None
    assert found[0] == 1


def test_a_month_inside_the_window_is_enough() -> None:
    assert crs("2024-01 | CRS 2") == (2, 2)
