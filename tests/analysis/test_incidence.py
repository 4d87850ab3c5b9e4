"""Cumulative incidence and the restricted mean, on examples small enough to work out by hand."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

import pytest

from fhir_adapter.analysis.cumulative_incidence import cumulative_incidence
from fhir_adapter.analysis.guards import TimesRefused
from fhir_adapter.analysis.intervals import IntervalType, Limits
from fhir_adapter.analysis.restricted_mean import restricted_mean
from fhir_adapter.analysis.survival import kaplan_meier


def test_two_causes_by_hand() -> None:
    """Five people: cause 1 at 1, censored at 2, cause 2 at 3, cause 1 at 4, censored at 5.

    1: 1/5. 4: the two left of those free of both, 4/5 x 2/3, of whom one: 1/5 + 8/15 x 1/2 = 7/15.
    Cause 2 at 3: 4/5 x 1/3 = 4/15.
    """
    days, causes = [1, 2, 3, 4, 5], [1, 0, 2, 1, 0]
    first, second = (cumulative_incidence(days, causes, cause) for cause in (1, 2))
    assert [step.incidence for step in first.steps] == pytest.approx([0, 1 / 5, 1 / 5, 1 / 5, 7 / 15, 7 / 15])
    assert [step.incidence for step in second.steps] == pytest.approx([0, 0, 0, 4 / 15, 4 / 15, 4 / 15])
    assert [step.at_risk for step in first.steps] == [5, 5, 4, 3, 2, 1]
    assert (first.events_by(4), second.events_by(4), first.at_risk(3.5)) == (2, 1, 2)


def test_without_censoring_it_is_a_proportion_with_the_variance_of_one() -> None:
    known = cumulative_incidence([1, 2, 3, 4, 5], [1, 2, 1, 2, 2], 1)
    step = known.at(5)
    assert step.incidence == pytest.approx(2 / 5)
    assert step.variance == pytest.approx(float(Fraction(2, 5) * Fraction(3, 5) / 5))


def test_causes_on_one_day_share_the_people_at_risk() -> None:
    days, causes = [3, 3, 3, 3], [1, 2, 0, 0]
    for cause in (1, 2):
        assert cumulative_incidence(days, causes, cause).at(3).incidence == pytest.approx(1 / 4)


def test_with_one_cause_it_is_one_minus_kaplan_meier_with_greenwood_s_variance() -> None:
    days, events = [3, 3, 5, 5, 8, 9], [1, 0, 1, 1, 0, 1]
    curve, incidence = kaplan_meier(days, events, ci="plain"), cumulative_incidence(days, events, 1, ci="plain")
    for day in (3, 5, 8):
        step = curve.at(day)
        assert incidence.at(day).incidence == pytest.approx(1 - step.survival)
        low, high = incidence.interval(day)
        assert step.ci_low is not None
        assert step.ci_high is not None
        assert (low, high) == pytest.approx((1 - step.ci_high, 1 - step.ci_low))


@pytest.mark.parametrize(("kind", "limits"), [("loglog", (None, None)), ("log", (None, None)), ("plain", (0.0, 0.0))])
def test_before_the_first_event_of_the_cause_there_is_no_interval_or_as_r_has_it_one_of_no_width(
    kind: IntervalType, limits: Limits
) -> None:
    assert cumulative_incidence([1, 2, 3], [2, 1, 0], 1, ci=kind).interval(1) == limits


@pytest.mark.parametrize("kind", ["plain", "log", "loglog"])
def test_when_everybody_had_the_cause_there_is_no_interval(kind: str) -> None:
    known = cumulative_incidence([1, 2, 3], [1, 1, 1], 1, ci=kind)  # type: ignore[arg-type]
    assert known.at(3).incidence == pytest.approx(1.0)
    assert known.interval(3) == (None, None)


def test_a_day_beyond_the_last_time_is_known_only_when_nobody_is_left() -> None:
    assert not cumulative_incidence([3, 8], [1, 0], 1).reaches(9)
    assert cumulative_incidence([3, 8], [1, 2], 1).reaches(9)


@pytest.mark.parametrize(
    ("days", "causes", "says"),
    [
        ([], [], "no times"),
        ([1], [1, 2], "1 times but 2 causes"),
        ([1, -1], [1, 2], "negative time: 1"),
        ([1, 2], [1, -1], "cause that is not a whole number from 0: 1"),
        ([1, 2], [1, 0.5], "cause that is not a whole number from 0: 1"),
    ],
)
def test_causes_that_mean_nothing_are_refused(days: list[int], causes: list[int], says: str) -> None:
    with pytest.raises(TimesRefused, match=says):
        cumulative_incidence(days, causes, 1)


# The restricted mean


def test_the_restricted_mean_by_hand() -> None:
    """Four people, events at 2 and 4, censored at 6 and 8. Up to 6: 2 x 1 + 2 x 3/4 + 2 x 1/2 = 9/2.

    Behind 2 lie 5/2, behind 4 lies 1: variance (5/2)² / (4 x 3) + 1² / (3 x 2).
    """
    mean = restricted_mean(kaplan_meier([2, 4, 6, 8], [1, 1, 0, 0]), 6)
    assert mean.value == pytest.approx(4.5)
    assert mean.standard_error == pytest.approx(sqrt(Fraction(25, 4) / 12 + Fraction(1, 6)))
    assert (mean.ci_low, mean.ci_high) == pytest.approx((4.5 - 1.959963984540054 * mean.standard_error, 6.0))


def test_without_events_everybody_has_the_whole_time_and_there_is_no_width() -> None:
    mean = restricted_mean(kaplan_meier([9, 12], [0, 0]), 8)
    assert (mean.value, mean.standard_error, mean.ci_low, mean.ci_high) == (8.0, 0.0, 8.0, 8.0)


def test_without_censoring_it_is_the_mean_of_the_times_cut_at_the_end() -> None:
    """Times 0, 2, 5 and 9, cut at 6: the mean is 13/4, the variance that of four numbers, with 4 below the line."""
    mean = restricted_mean(kaplan_meier([0, 2, 5, 9], [1, 1, 1, 1]), 6)
    squares = sum((time - Fraction(13, 4)) ** 2 for time in (0, 2, 5, 6))
    assert mean.value == pytest.approx(13 / 4)
    assert mean.standard_error == pytest.approx(sqrt(squares) / 4)


def test_nobody_left_before_the_end_adds_nothing_behind_it() -> None:
    assert restricted_mean(kaplan_meier([2, 4], [1, 1]), 100).value == 3.0
