"""What is true of every cumulative incidence and of every comparison of groups, whatever the people."""

from __future__ import annotations

from fractions import Fraction
from math import exp, log
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fhir_adapter.analysis.cox import HazardRatio, NoFit, hazard_ratios
from fhir_adapter.analysis.cumulative_incidence import Incidence, cumulative_incidence
from fhir_adapter.analysis.log_rank import log_rank
from fhir_adapter.analysis.restricted_mean import restricted_mean
from fhir_adapter.analysis.risk_table import RiskTable, risk_table
from fhir_adapter.analysis.survival import Curve, kaplan_meier

Person = tuple[int, int]
Groups = tuple[list[Person], list[Person]]
COMPETING = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2)), min_size=1, max_size=30)
GROUP = st.lists(st.tuples(st.integers(1, 15), st.integers(0, 1)), min_size=1, max_size=12)
TWO = st.tuples(GROUP, GROUP)


def incidence_of(people: list[Person], cause: int, kind: Any = "loglog") -> Incidence:
    days, causes = [day for day, _ in people], [code for _, code in people]
    return cumulative_incidence(days, causes, cause, ci=kind)


def curve_of(people: list[Person]) -> Curve:
    return kaplan_meier([day for day, _ in people], [code > 0 for _, code in people])


def exact_incidence(people: list[Person], cause: int, day: int) -> tuple[Fraction, Fraction]:
    """Incidence by `day` and its variance as the sum of squared influences, in exact fractions.

    The influence of a person is the derivative of the estimate with respect to the weight of that person: the
    infinitesimal jackknife, found by following value and derivative through the product limit.
    """
    free, incidence = Fraction(1), Fraction(0)
    of_free, of_incidence = [Fraction(0)] * len(people), [Fraction(0)] * len(people)
    for time in sorted({end for end, _ in people if end <= day}):
        at_risk = sum(end >= time for end, _ in people)
        ends = sum(end == time and code > 0 for end, code in people)
        hits = sum(end == time and code == cause for end, code in people)
        for number, (end, code) in enumerate(people):
            here = end >= time
            hazard = ((end == time and code > 0) - Fraction(ends, at_risk)) / at_risk if here else Fraction(0)
            of_cause = ((end == time and code == cause) - Fraction(hits, at_risk)) / at_risk if here else Fraction(0)
            of_incidence[number] += of_free[number] * Fraction(hits, at_risk) + free * of_cause
            of_free[number] = of_free[number] * (1 - Fraction(ends, at_risk)) - free * hazard
        incidence += free * Fraction(hits, at_risk)
        free *= 1 - Fraction(ends, at_risk)
    return incidence, sum((one**2 for one in of_incidence), Fraction(0))


@given(COMPETING, st.integers(0, 30), st.integers(1, 2))
def test_the_incidence_and_its_variance_are_those_of_the_infinitesimal_jackknife(
    people: list[Person], day: int, cause: int
) -> None:
    step = incidence_of(people, cause).at(day)
    incidence, variance = exact_incidence(people, cause, day)
    assert step.incidence == pytest.approx(float(incidence), abs=1e-12)
    assert step.variance == pytest.approx(float(variance), abs=1e-12)


@given(COMPETING)
def test_the_incidences_of_all_causes_and_the_free_make_up_everybody(people: list[Person]) -> None:
    curve, incidences = curve_of(people), [incidence_of(people, cause) for cause in (1, 2)]
    for day in sorted({day for day, _ in people}):
        parts = [incidence.at(day).incidence for incidence in incidences]
        assert sum(parts) + curve.at(day).survival == pytest.approx(1, abs=1e-9)


@given(COMPETING, st.sampled_from(["plain", "log", "loglog"]))
def test_an_incidence_only_grows_and_stays_within_its_interval(people: list[Person], kind: Any) -> None:
    known = incidence_of(people, 1, kind)
    before = 0.0
    for step in known.steps:
        low, high = known.interval(step.time)
        assert before <= step.incidence <= 1 + 1e-12
        assert low is None or 0 <= low <= step.incidence + 1e-12
        assert high is None or step.incidence - 1e-12 <= high <= 1
        before = step.incidence


@given(GROUP, st.integers(1, 20))
def test_a_restricted_mean_lies_between_nothing_and_the_whole_time(people: list[Person], until: int) -> None:
    mean = restricted_mean(curve_of(people), until)
    assert 0 <= mean.ci_low <= mean.value <= mean.ci_high <= until
    assert mean.standard_error >= 0


def exact_log_rank(groups: Groups) -> tuple[Fraction, Fraction]:
    """Observed less expected of the first group, and its variance, in exact fractions."""
    difference, variance = Fraction(0), Fraction(0)
    for day in sorted({day for group in groups for day, event in group if event}):
        first, everybody = (sum(end >= day for end, _ in those) for those in (groups[0], groups[0] + groups[1]))
        died = sum(end == day and event for end, event in groups[0] + groups[1])
        share = Fraction(first, everybody)
        difference += sum(end == day and event for end, event in groups[0]) - died * share
        if everybody > 1:
            variance += died * share * (1 - share) * Fraction(everybody - died, everybody - 1)
    return difference, variance


def table_of(groups: Groups) -> RiskTable:
    days, events = [day for each in groups for day, _ in each], [event for each in groups for _, event in each]
    return risk_table(days, events, [0] * len(groups[0]) + [1] * len(groups[1]), 2)


@given(TWO)
def test_the_log_rank_statistic_is_that_of_the_definition(groups: Groups) -> None:
    difference, variance = exact_log_rank(groups)
    found = log_rank(table_of(groups))
    if not variance:
        assert found is None
        return
    assert found is not None
    assert found.chi_square == pytest.approx(float(difference**2 / variance), abs=1e-9)
    assert 0 <= found.p_value <= 1


def likelihood(groups: Groups, log_ratio: float) -> tuple[float, float]:
    """Efron's partial log likelihood of two groups, person by person, and the information."""
    people = [(*one, exp(0.0), 0) for one in groups[0]] + [(*one, exp(log_ratio), 1) for one in groups[1]]
    value = information = 0.0
    for day in sorted({end for end, event, *_ in people if event}):
        tied = [one for one in people if one[0] == day and one[1]]
        at_risk = [one for one in people if one[0] >= day]
        for number, (*_, member) in enumerate(tied):
            fraction = number / len(tied)
            total = sum(one[2] for one in at_risk) - fraction * sum(one[2] for one in tied)
            second = sum(one[2] for one in at_risk if one[3]) - fraction * sum(one[2] for one in tied if one[3])
            value += member * log_ratio - log(total)
            information += second / total * (1 - second / total)
    return value, information


def ratio_of(groups: Groups, *, penalised: bool) -> HazardRatio | None:
    try:
        return hazard_ratios(table_of(groups), penalised=penalised)[0]
    except NoFit:
        return None


@given(TWO, st.booleans())
def test_no_ratio_near_by_is_more_likely_than_the_one_found(groups: Groups, penalised: bool) -> None:
    found = ratio_of(groups, penalised=penalised)
    assume(found is not None)
    assert found is not None

    def target(log_ratio: float) -> float:
        value, information = likelihood(groups, log_ratio)
        return value + (0.5 * log(information) if penalised else 0.0)

    best = target(log(found.value))
    for away in (-1.0, -0.01, 0.01, 1.0):
        assert target(log(found.value) + away) <= best + 1e-9
    assert found.ci_low is None or found.ci_low <= found.value
    assert found.ci_high is None or found.value <= found.ci_high


@given(TWO)
def test_the_penalised_fit_always_answers_where_two_groups_meet(groups: Groups) -> None:
    _, information = likelihood(groups, 0.0)
    if information > 0:
        (found,) = hazard_ratios(table_of(groups), penalised=True)
        assert 0 < found.value < float("inf")
