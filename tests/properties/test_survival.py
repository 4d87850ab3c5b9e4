"""What is true of every survival curve and every proportion, whatever the people."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.analysis.proportions import clopper_pearson, wilson
from fhir_adapter.analysis.survival import kaplan_meier

PEOPLE = st.lists(st.tuples(st.integers(0, 800), st.booleans()), min_size=1, max_size=40)
KINDS = st.sampled_from(["loglog", "log", "plain"])


def product_limit(people: list[tuple[int, bool]]) -> dict[int, Fraction]:
    """The curve in exact fractions, straight from the definition."""
    survival, curve = Fraction(1), {0: Fraction(1)}
    for day in sorted({day for day, _ in people}):
        at_risk = sum(end >= day for end, _ in people)
        events = sum(end == day and event for end, event in people)
        survival *= 1 - Fraction(events, at_risk)
        curve[day] = survival
    return curve


@given(PEOPLE)
def test_the_curve_is_the_product_limit(people: list[tuple[int, bool]]) -> None:
    found = kaplan_meier(*zip(*people, strict=True))
    expected = product_limit(people)
    assert [step.time for step in found.steps] == sorted(expected)
    for step in found.steps:
        assert step.survival == pytest.approx(float(expected[step.time]), abs=1e-12)


@given(PEOPLE, KINDS)
def test_survival_only_falls_and_stays_within_its_interval(people: list[tuple[int, bool]], kind: str) -> None:
    steps = kaplan_meier(*zip(*people, strict=True), ci=kind).steps  # type: ignore[arg-type]
    assert all(0 <= step.survival <= 1 for step in steps)
    assert all(later.survival <= sooner.survival + 1e-12 for sooner, later in pairwise(steps))
    for step in steps:
        if step.ci_low is not None and step.ci_high is not None:
            assert 0 <= step.ci_low <= step.survival + 1e-12
            assert step.survival - 1e-12 <= step.ci_high <= 1
        else:
            assert step.survival == 0 or (kind == "loglog" and step.survival == 1)


@given(PEOPLE, st.randoms(use_true_random=False))
def test_the_order_of_people_does_not_matter(people: list[tuple[int, bool]], chance: object) -> None:
    shuffled = list(people)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert kaplan_meier(*zip(*people, strict=True)) == kaplan_meier(*zip(*shuffled, strict=True))


@given(PEOPLE)
def test_everybody_is_counted_once(people: list[tuple[int, bool]]) -> None:
    found = kaplan_meier(*zip(*people, strict=True))
    assert sum(step.events + step.censored for step in found.steps) == len(people) == found.n == found.at_risk(0)
    assert found.events_by(found.last_time) == sum(event for _, event in people)
    for day in {0, *(day for day, _ in people)}:
        assert found.at_risk(day) == sum(end >= day for end, _ in people)


@given(PEOPLE)
def test_the_median_is_the_first_day_at_or_below_one_half(people: list[tuple[int, bool]]) -> None:
    found, exact = kaplan_meier(*zip(*people, strict=True)), product_limit(people)
    assert found.median() == min((day for day, left in exact.items() if left <= Fraction(1, 2)), default=None)
    middle = found.median("midpoint")
    assert (middle is None) == (found.median() is None)
    assert middle is None or middle >= (found.median() or 0)


@given(st.integers(1, 200), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
def test_an_interval_holds_its_proportion(of: int, data: st.DataObject, level: float) -> None:
    part = data.draw(st.integers(0, of))
    for interval in (clopper_pearson, wilson):
        low, high = interval(part, of, level)
        assert 0 <= low <= part / of <= high <= 1


@given(st.integers(1, 100), st.data())
def test_intervals_mirror_when_events_and_others_change_places(of: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, of))
    for interval in (clopper_pearson, wilson):
        low, high = interval(part, of, 0.95)
        mirrored = interval(of - part, of, 0.95)
        assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)
