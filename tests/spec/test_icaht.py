"""ICAHT: how deep the neutrophils fell after the cells, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import pytest
from spec.people import grades_of, patient

from fhir_adapter.cohort.subject import Subject

DAY_0 = date(2024, 1, 1)
WELL, LOW, DEEP = "2.0", "0.4", "0.05"


def course(values: Mapping[int, str], observable: str = "neutrophils", more: str = "") -> Subject:
    """Counts by day after the infusion."""
    rows = [f"{DAY_0 + timedelta(days=day)} | {observable} {value}" for day, value in values.items()]
    return patient("\n".join(["2024-01-01 | infusion", *rows, more]))


def daily(first: int, last: int, value: str) -> dict[int, str]:
    """Low from one day to another, well on the days around."""
    return {first - 1: WELL, **dict.fromkeys(range(first, last + 1), value), last + 1: WELL}


def early(person: Subject) -> tuple[int | None, int | None] | None:
    return grades_of("icaht-early", person, icaht="reported")


def late(person: Subject) -> tuple[int | None, int | None] | None:
    return grades_of("icaht-late", person, icaht="reported")


@pytest.mark.parametrize(("days", "low", "deep"), [(1, 1, 1), (6, 1, 1), (7, 2, 3), (13, 2, 3), (14, 3, 4), (20, 3, 4)])
def test_early_icaht_is_depth_times_duration(days: int, low: int, deep: int) -> None:
    """At or below 0.5: under 7 days grade 1, under 14 grade 2, then 3; at or below 0.1: 7 days grade 3, 14 grade 4."""
    assert early(course(daily(2, days + 1, LOW))) == (low, low)
    assert early(course(daily(2, days + 1, DEEP))) == (deep, deep)


def test_counts_that_never_rise_above_the_limit_are_grade_4() -> None:
    assert early(course(dict.fromkeys(range(31), LOW))) == (4, 4)


def test_no_fall_is_grade_0_and_no_count_is_not_reported() -> None:
    assert early(course({3: WELL, 10: WELL, 30: "0.6"})) == (0, 0)
    assert early(course({})) is None
    assert grades_of("icaht-early", course(daily(2, 9, LOW))) is None


def test_days_without_a_count_between_two_low_ones_are_low() -> None:
    assert early(course({1: WELL, 2: LOW, 5: LOW, 8: LOW, 9: WELL})) == (2, 2)


def test_days_between_a_low_and_a_higher_count_leave_the_grade_open() -> None:
    """Low on days 2 to 6, well again on day 10: five days for certain, eight perhaps."""
    assert early(course({1: WELL, **dict.fromkeys(range(2, 7), LOW), 10: WELL})) == (1, 2)


def test_a_recovery_of_less_than_three_days_is_none() -> None:
    counts = {1: WELL, **dict.fromkeys(range(2, 6), LOW), 6: WELL, 7: WELL, 8: LOW, 9: LOW, 10: WELL}
    assert early(course(counts)) == (2, 2)
    assert grades_of("icaht-early", course(counts), icaht="reported", icaht_recovery_days=1) == (1, 1)


@pytest.mark.parametrize(("value", "grade"), [("1.6", 0), ("1.5", 1), ("1.0", 2), ("0.5", 3), ("0.1", 4)])
def test_late_icaht_is_the_deepest_count_after_day_30(value: str, grade: int) -> None:
    assert late(course({35: WELL, 45: value, 60: WELL})) == (grade, grade)
    assert late(course({30: value})) is None


def test_icaht_ends_with_the_next_therapy() -> None:
    assert late(course({40: WELL, 60: DEEP}, more="2024-02-20 | epcoritamab")) == (0, 0)


def test_platelets_have_a_scale_of_their_own() -> None:
    counts = {1: "150", **dict.fromkeys(range(2, 10), "40"), 10: "150"}
    assert grades_of("t-icaht-early", course(counts, "platelets"), icaht="reported") == (2, 2)
    assert grades_of("t-icaht-early", course({**counts, 5: "19"}, "platelets"), icaht="reported") == (3, 3)
