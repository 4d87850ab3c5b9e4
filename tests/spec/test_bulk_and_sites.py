"""Bulky disease and extranodal sites at the baseline imaging."""

from __future__ import annotations

import pytest
from spec.people import bulk_of, patient, sites_of

_INDEX = """
    2024-01-08 | glofitamab
    2024-03-04 | apheresis
    2024-04-01 | infusion
"""


def bulky(table: str, **parameters: object) -> bool | None:
    value = bulk_of(patient(_INDEX + table), **parameters).value
    return value.bulky if value else None


def organs(table: str) -> tuple[str, ...] | None:
    value = sites_of(patient(_INDEX + table)).value
    return value.organs if value else None


# ------------------------------------------------------------------------------------------------------ bulk


@pytest.mark.parametrize(("mm", "expected"), [("74.9", False), ("75", False), ("75.0", False), ("75.1", True)])
def test_bulky_is_more_than_7_5_cm(mm: str, expected: bool) -> None:
    assert bulky(f"2024-02-20 | lesion {mm}") is expected


def test_exactly_7_5_cm_is_bulky_only_when_the_limit_is_inclusive() -> None:
    assert bulky("2024-02-20 | lesion 75", bulky_inclusive=True) is True
    assert bulky("2024-02-20 | lesion 74.9", bulky_inclusive=True) is False


def test_the_limit_is_a_parameter() -> None:
    assert bulky("2024-02-20 | lesion 75.1", bulky_mm="100") is False
    assert bulky("2024-02-20 | lesion 60.5", bulky_mm="60") is True


def test_lesions_are_not_added_up() -> None:
    assert bulky("2024-02-20 | lesion 40\n2024-02-20 | lesion 50") is False


def test_the_longest_lesion_of_the_imaging_counts() -> None:
    assert bulky("2024-02-20 | lesion 40\n2024-02-20 | lesion 80\n2024-02-20 | lesion 20") is True


def test_the_last_imaging_before_the_collection_counts() -> None:
    assert bulky("2024-01-25 | lesion 90\n2024-02-20 | lesion 60") is False
    assert bulky("2024-02-20 | lesion 60\n2024-03-20 | lesion 90") is False


@pytest.mark.parametrize(("day", "expected"), [("2024-01-22", True), ("2024-01-21", None), ("2024-03-04", True)])
def test_the_window_of_42_days_includes_its_first_and_its_last_day(day: str, expected: bool | None) -> None:
    assert bulky(f"{day} | lesion 90") is expected


def test_without_a_measurement_it_is_not_known() -> None:
    assert bulky("") is None
    assert bulk_of(patient(_INDEX)).verdict == "undetermined"


def test_a_measurement_that_may_lie_outside_the_window_leaves_it_open() -> None:
    assert bulky("2024-01 | lesion 90") is None


def test_an_imaging_that_may_be_the_last_leaves_it_open() -> None:
    assert bulky("2024-02 | lesion 30\n2024-02-10 | lesion 90") is None


# ---------------------------------------------------------------------------------------------- extranodal sites


def test_organs_count_not_lesions() -> None:
    assert organs("2024-02-20 | disease in bone\n2024-02-20 | disease in bone\n2024-02-20 | disease in liver") == (
        "bone",
        "liver",
    )


def test_bone_and_marrow_are_two_organs() -> None:
    assert organs("2024-02-20 | disease in bone\n2024-02-20 | disease in bone-marrow") == ("bone", "bone-marrow")


@pytest.mark.parametrize(
    "site", ["spleen", "thymus", "waldeyer-ring", "tonsil", "appendix", "peyer-patch", "lymph-node"]
)
def test_lymphatic_sites_do_not_count(site: str) -> None:
    assert organs(f"2024-02-20 | disease in {site}\n2024-02-20 | disease in bone") == ("bone",)


def test_sites_of_different_examinations_in_the_window_are_taken_together() -> None:
    assert organs("2024-02-01 | disease in bone-marrow\n2024-02-20 | disease in lung") == ("bone-marrow", "lung")


def test_none_written_down_is_0_sites_and_nothing_written_down_is_not_known() -> None:
    assert organs("2024-02-20 | disease in none") == ()
    assert organs("") is None


@pytest.mark.parametrize(("day", "expected"), [("2024-01-22", ("lung",)), ("2024-01-21", None), ("2024-03-05", None)])
def test_sites_follow_the_window_of_the_imaging(day: str, expected: tuple[str, ...] | None) -> None:
    assert organs(f"{day} | disease in lung") == expected


def test_a_site_that_may_lie_outside_the_window_leaves_the_number_open() -> None:
    found = sites_of(patient(_INDEX + "2024-02-20 | disease in bone\n2024-01 | disease in liver"))
    assert found.verdict == "undetermined"
    assert found.value is not None
    assert (found.value.count.lowest, found.value.count.highest) == (1, 2)


def test_another_lesion_of_a_known_organ_changes_nothing() -> None:
    found = sites_of(patient(_INDEX + "2024-02-20 | disease in bone\n2024-01 | disease in bone"))
    assert found.value is not None
    assert found.value.count.settled == 1
