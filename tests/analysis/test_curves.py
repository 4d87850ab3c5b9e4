"""Kaplan-Meier and exact intervals on examples small enough to work out by hand."""

from __future__ import annotations

import json
from fractions import Fraction
from math import exp, log, nan, sqrt
from pathlib import Path

import pytest

from fhir_adapter.analysis.guards import TimesRefused, checked_times
from fhir_adapter.analysis.intervals import IntervalType, Limits
from fhir_adapter.analysis.proportions import clopper_pearson, wilson
from fhir_adapter.analysis.rounding import half_up, percent, plain
from fhir_adapter.analysis.survival import Curve, kaplan_meier

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text())
Z = 1.959963984540054


def survival(known: Curve) -> list[tuple[int, float]]:
    return [(step.time, pytest.approx(step.survival, abs=1e-12)) for step in known.steps]


def test_five_people_with_ties() -> None:
    """3 has an event and a censoring, the event first: 4/5. At 5 two of three: 4/5 x 1/3."""
    known = kaplan_meier([3, 3, 5, 5, 8], [1, 0, 1, 1, 0])
    assert survival(known) == [(0, 1.0), (3, 4 / 5), (5, 4 / 15), (8, 4 / 15)]
    assert [(s.at_risk, s.events, s.censored) for s in known.steps] == [(5, 0, 0), (5, 1, 1), (3, 2, 0), (1, 0, 1)]


def test_an_event_on_the_day_of_a_censoring_still_has_that_person_at_risk() -> None:
    assert survival(kaplan_meier([7, 7], [0, 1]))[-1] == (7, 0.5)


def test_an_event_at_time_0_takes_effect_at_once() -> None:
    known = kaplan_meier([0, 4], [1, 0])
    assert survival(known) == [(0, 0.5), (4, 0.5)]


@pytest.mark.parametrize(("kind", "limits"), [("loglog", (None, None)), ("log", (1.0, 1.0)), ("plain", (1.0, 1.0))])
def test_all_censored_stays_at_one_without_an_interval_or_as_r_has_it_with_one_of_no_width(
    kind: IntervalType, limits: Limits
) -> None:
    known = kaplan_meier([3, 9], [0, 0], ci=kind)
    assert {(s.survival, s.ci_low, s.ci_high) for s in known.steps} == {(1.0, *limits)}
    assert known.median() is None
    assert known.median_interval() == (None, None)


def test_one_person_who_died_has_a_median_and_no_interval() -> None:
    known = kaplan_meier([5], [1])
    assert (known.steps[-1].survival, known.steps[-1].ci_low, known.steps[-1].ci_high) == (0.0, None, None)
    assert known.median() == 5


def test_one_person_alive_on_day_0() -> None:
    known = kaplan_meier([0], [0])
    assert survival(known) == [(0, 1.0)]
    assert known.at_risk(0) == 1
    assert known.at_risk(1) == 0


@pytest.mark.parametrize("kind", ["loglog", "log", "plain"])
def test_greenwood_by_hand(kind: str) -> None:
    """Ten people, events at 2 and 4: S = 0.8, Greenwood sum 1/90 + 1/72 = 0.025."""
    known = kaplan_meier([2, 4, *[9] * 8], [1, 1, *[0] * 8], ci=kind)  # type: ignore[arg-type]
    reach, step = Z * sqrt(0.025), known.at(4)
    expected = {
        "plain": (0.8 - 0.8 * reach, min(1.0, 0.8 + 0.8 * reach)),
        "log": (0.8 * exp(-reach), min(1.0, 0.8 * exp(reach))),
        "loglog": (0.8 ** exp(reach / -log(0.8)), 0.8 ** exp(reach / log(0.8))),
    }[kind]
    assert (step.ci_low, step.ci_high) == pytest.approx(expected, abs=1e-9)


def test_the_level_of_the_interval_is_a_choice() -> None:
    narrow = kaplan_meier([2, 4, 9, 9], [1, 1, 0, 0], level=0.8).at(4)
    wide = kaplan_meier([2, 4, 9, 9], [1, 1, 0, 0], level=0.95).at(4)
    assert (wide.ci_low or 0) < (narrow.ci_low or 0) < (narrow.ci_high or 0) < (wide.ci_high or 0)


def test_the_median_is_the_first_day_at_or_below_one_half() -> None:
    assert kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1]).median() == 2
    assert kaplan_meier([1, 2, 3], [1, 1, 1]).median() == 2


def test_a_curve_at_exactly_one_half_can_give_the_middle_of_the_stretch() -> None:
    assert kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1]).median("midpoint") == 2.5
    assert kaplan_meier([1, 2, 2, 9], [1, 0, 1, 1]).median("midpoint") == 5.5


def test_the_middle_is_not_taken_when_the_curve_is_not_at_one_half_or_never_falls_below() -> None:
    assert kaplan_meier([1, 2, 3], [1, 1, 1]).median("midpoint") == 2
    assert kaplan_meier([1, 2, 3, 4], [1, 1, 0, 0]).median("midpoint") == 2


def test_one_half_is_recognised_however_it_was_multiplied_out() -> None:
    """5/6 x 4/5 x 3/4 is 0.5 only in exact arithmetic."""
    assert kaplan_meier([1, 2, 3, 9, 9, 9], [1, 1, 1, 0, 0, 0]).median() == 3


def test_the_interval_of_the_median_is_where_the_limits_cross_one_half() -> None:
    """Twenty deaths, one a day. Day 5: S = 0.75, lower limit 0.75^2.410 = 0.49995; day 14: S = 0.3, upper limit
    0.3^0.5735 = 0.50135, so that the upper limit crosses on day 15 only.
    """
    known = kaplan_meier(list(range(1, 21)), [1] * 20)
    assert (known.median(), known.median_interval()) == (10, (5, 15))
    assert known.at(5).ci_low == pytest.approx(0.49995, abs=5e-5)
    assert known.at(14).ci_high == pytest.approx(0.50135, abs=5e-6)


def test_people_at_risk_and_events_at_a_day_between_steps() -> None:
    known = kaplan_meier([3, 3, 5, 5, 8], [1, 0, 1, 1, 0])
    assert [known.at_risk(day) for day in (0, 3, 3.5, 5, 8, 8.1)] == [5, 5, 3, 3, 1, 0]
    assert [known.events_by(day) for day in (2, 3, 5, 9)] == [0, 1, 3, 3]
    assert known.at(4.9).survival == pytest.approx(0.8)


def test_a_day_beyond_the_last_time_is_known_only_when_nobody_is_left() -> None:
    assert not kaplan_meier([3, 8], [1, 0]).reaches(9)
    assert kaplan_meier([3, 8], [1, 0]).reaches(8)
    assert kaplan_meier([3, 8], [1, 1]).reaches(9)


# The guard: lifelines would answer all of these


@pytest.mark.parametrize(
    ("days", "events", "says"),
    [
        ([], [], "no times"),
        ([1, 2], [1], "2 times but 1 event codes"),
        ([-1, 2], [1, 0], "negative time: 1"),
        ([nan, 2], [1, 0], "not a whole number of days: 1"),
        ([float("inf")], [1], "not a whole number of days: 1"),
        ([1.5, 2], [1, 0], "not a whole number of days: 1"),
        ([1, 2], [2, 0], "event code other than 0 and 1: 1"),
        ([1, 2], [0.5, nan], "event code other than 0 and 1: 2"),
    ],
)
def test_times_that_mean_nothing_are_refused(days: list[int], events: list[int], says: str) -> None:
    with pytest.raises(TimesRefused, match=says):
        kaplan_meier(days, events)


def test_whole_floats_and_booleans_are_accepted_as_what_they_are() -> None:
    assert checked_times([1.0, 2], [True, 0]) == ([1, 2], [1, 0])


# Proportions


@pytest.mark.parametrize("fraction", sorted(EXPECTED["clopper_pearson_pct"]))
def test_clopper_pearson_gives_the_list_of_the_clinical_brief(fraction: str) -> None:
    part, of = map(int, fraction.split("/"))
    limits = [float(half_up(100 * end, 1)) for end in clopper_pearson(part, of, 0.95)]
    assert limits == EXPECTED["clopper_pearson_pct"][fraction]


def test_clopper_pearson_in_closed_form_at_the_edges() -> None:
    """With nobody, the upper limit is 1 - (alpha/2)^(1/n); with everybody the lower limit is its mirror."""
    assert clopper_pearson(0, 12, 0.95) == (0.0, pytest.approx(1 - 0.025 ** (1 / 12)))
    assert clopper_pearson(12, 12, 0.95) == (pytest.approx(0.025 ** (1 / 12)), 1.0)


def test_wilson_by_hand() -> None:
    """6 of 12 at 95 %: centre one half, half width z/(n + z^2) x sqrt(n/4 + z^2/4)."""
    half = Z / (12 + Z**2) * sqrt(12 / 4 + Z**2 / 4)
    assert wilson(6, 12, 0.95) == pytest.approx((0.5 - half, 0.5 + half))
    assert wilson(0, 12, 0.95) == (0.0, pytest.approx(Z**2 / (12 + Z**2)))
    assert wilson(12, 12, 0.95)[1] == 1.0


# Rounding


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(12.5, 0, "13"), (0.125, 2, "0.13"), (2.675, 2, "2.68"), (-0.5, 0, "-1"), (54.545454545454504, 1, "54.5")],
)
def test_numbers_are_rounded_half_up(value: float, digits: int, text: str) -> None:
    assert half_up(value, digits) == text


def test_rounding_is_not_decided_by_the_noise_of_floating_point() -> None:
    assert half_up(0.1 + 0.15, 1) == "0.3"
    assert half_up(Fraction(1, 8) * 100, 0) == "13"


def test_whole_numbers_are_printed_without_decimals() -> None:
    assert [plain(value, 1) for value in (13.996, 5.29, 100.0)] == ["14", "5.3", "100"]
    assert (percent(11, 12, 1), percent(1, 8, 0), percent(12, 12, 1)) == ("91.7%", "13%", "100%")
