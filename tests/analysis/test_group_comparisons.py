"""Log-rank tests and hazard ratios, on groups small enough to work out by hand, and what they must not be given."""

from __future__ import annotations

from fractions import Fraction
from math import exp, log, sqrt

import pytest

from fhir_adapter.analysis.cox import NoFit, hazard_ratios
from fhir_adapter.analysis.guards import TimesRefused
from fhir_adapter.analysis.log_rank import log_rank
from fhir_adapter.analysis.risk_table import RiskTable, risk_table


def table(*groups: str) -> RiskTable:
    """Groups written as times, a plus for a censoring: `"1 3 4+"`."""
    people = [(time, number) for number, times in enumerate(groups) for time in times.split()]
    days = [int(time.rstrip("+")) for time, _ in people]
    events = [not time.endswith("+") for time, _ in people]
    return risk_table(days, events, [number for _, number in people], len(groups))


def test_the_counts_of_each_day_with_an_event() -> None:
    """At 2 the censored of that day are still at risk; at 3 nobody has an event, so there is no row."""
    found = table("2 2+ 5", "2 3+ 5+")
    assert found.at_risk == ((3, 3), (1, 1))
    assert found.events == ((1, 1), (1, 0))
    assert found.all_events == 3


def test_the_log_rank_test_by_hand() -> None:
    """Events at 1 (of 2 and 2 at risk), 2 (1 and 2), 3 (1 and 1), 4 (0 and 1): groups 1, 3 and 2, 4.

    Expected in the first: 1/2 + 1/3 + 1/2 = 4/3; variance 1/4 + 2/9 + 1/4 = 13/18; chi-square (2 - 4/3)² / (13/18).
    """
    found = log_rank(table("1 3", "2 4"))
    assert found is not None
    assert found.expected[0] == pytest.approx(float(Fraction(4, 3)))
    assert found.chi_square == pytest.approx(float(Fraction(4, 9) / Fraction(13, 18)))
    assert (found.observed, found.degrees_of_freedom) == ((2, 2), 1)


def test_a_group_that_is_gone_before_the_first_event_takes_no_part() -> None:
    """R: a dummy group of early censorings changes nothing."""
    with_dummy, without = log_rank(table("1+ 1+ 2+", "3 5", "4 6 9+")), log_rank(table("3 5", "4 6 9+"))
    assert with_dummy
    assert without
    assert with_dummy.chi_square == pytest.approx(without.chi_square)
    assert with_dummy.degrees_of_freedom == without.degrees_of_freedom == 1


def test_without_events_or_people_at_risk_together_nothing_is_tested() -> None:
    assert log_rank(table("1+ 2+", "3+")) is None
    assert log_rank(table("1+", "2 3")) is None
    assert log_rank(table("1 1", "1")) is None  # everybody at once: no variance


def test_the_hazard_ratio_by_hand() -> None:
    """An event of group 1 at 1, when (1, 2) are at risk, and of group 0 at 2, when (1, 1) are.

    L = r/(1+2r) x 1/(1+r) is largest where 2r² = 1; the information is the sum of p(1-p).
    """
    (found,) = hazard_ratios(table("2", "1 3+"), penalised=False)
    ratio = sqrt(1 / 2)
    information = 2 * ratio / (1 + 2 * ratio) ** 2 + ratio / (1 + ratio) ** 2
    assert found.value == pytest.approx(ratio)
    assert found.log_standard_error == pytest.approx(1 / sqrt(information))
    assert (found.ci_low, found.ci_high) == pytest.approx(
        tuple(exp(log(ratio) + side * 1.959963984540054 / sqrt(information)) for side in (-1, 1))
    )


def test_tied_events_are_weighed_after_efron() -> None:
    """Both of (1, 1) on one day: the second is drawn from half of each. L = r / ((1+r) x (1+r)/2), largest at 1."""
    (found,) = hazard_ratios(table("1", "1"), penalised=False)
    assert found.value == pytest.approx(1.0)
    assert found.log_standard_error == pytest.approx(sqrt(2))


def test_equal_groups_have_a_ratio_of_one_and_no_evidence() -> None:
    for penalised in (False, True):
        (found,) = hazard_ratios(table("1 2 3 4+", "1 2 3 4+"), penalised=penalised)
        assert (found.value, found.p_value) == pytest.approx((1.0, 1.0))


def test_exchanging_the_groups_turns_the_ratio_over() -> None:
    for penalised in (False, True):
        (one,) = hazard_ratios(table("1 4 6+", "2 3 5 7+"), penalised=penalised)
        (other,) = hazard_ratios(table("2 3 5 7+", "1 4 6+"), penalised=penalised)
        assert one.value == pytest.approx(1 / other.value)
        assert one.ci_low
        assert other.ci_high
        assert one.ci_low == pytest.approx(1 / other.ci_high, rel=1e-6)
        assert one.p_value == pytest.approx(other.p_value)


@pytest.mark.parametrize("groups", [("4+ 5+", "1 2 3"), ("1 2 3", "4+ 5+")])
def test_a_group_without_events_has_no_plain_ratio_and_a_finite_penalised_one(groups: tuple[str, str]) -> None:
    with pytest.raises(NoFit, match="no event while others are at risk"):
        hazard_ratios(table(*groups), penalised=False)
    (found,) = hazard_ratios(table(*groups), penalised=True)
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert 0 < found.ci_low < found.value < found.ci_high < 1e6


def test_one_event_is_enough_for_a_penalised_ratio() -> None:
    """Two people, the second has the only event: p = r/(1+r), and p^1.5 (1-p)^0.5 is largest at 3/4."""
    (found,) = hazard_ratios(table("1+", "1"), penalised=True)
    assert found.value == pytest.approx(3.0)


def test_several_groups_without_events_have_penalised_ratios() -> None:
    found = hazard_ratios(table("5+ 6+", "1 2 3", "5+ 7+", "6+", "4+ 5+"), penalised=True)
    assert all(one.value < found[0].value for one in found[1:])


def test_groups_that_were_never_at_risk_together_have_no_ratio() -> None:
    for penalised in (False, True):
        with pytest.raises(NoFit, match="never at risk together"):
            hazard_ratios(table("1+ 2+", "3 4"), penalised=penalised)


def test_no_event_gives_no_ratio() -> None:
    with pytest.raises(NoFit, match="no event"):
        hazard_ratios(table("1+", "2+"), penalised=True)


def test_every_group_is_compared_with_the_first() -> None:
    together = hazard_ratios(table("1 4 8 9+", "2 3 6 7+", "5 10 11+"), penalised=False)
    assert len(together) == 2
    penalised = hazard_ratios(table("1 4 8 9+", "2 3 6 7+", "5 10 11+"), penalised=True)
    for plain, drawn in zip(together, penalised, strict=True):
        assert abs(log(drawn.value)) < abs(log(plain.value))


def test_a_hundred_events_make_the_penalty_matter_little() -> None:
    days = " ".join(str(day) for day in range(1, 101))
    later = " ".join(str(day + 20) for day in range(1, 101))
    (plain,) = hazard_ratios(table(days, later), penalised=False)
    (drawn,) = hazard_ratios(table(days, later), penalised=True)
    assert drawn.value == pytest.approx(plain.value, rel=0.01)
    assert drawn.ci_low == pytest.approx(plain.ci_low, rel=0.02)


@pytest.mark.parametrize(
    ("days", "events", "groups", "number", "says"),
    [
        ([1, 2], [1, 0], [0], 2, "2 times but 1 groups"),
        ([1, 2], [1, 0], [0, 2], 2, "group that is not known: 1"),
        ([1, 2], [1, 0], [0, 0], 2, "groups with nobody: 1"),
        ([1, 2], [1, 0], [0, 0], 1, "fewer than two groups: 1"),
        ([1, -2], [1, 0], [0, 1], 2, "negative time: 1"),
        ([1, 2], [1, 2], [0, 1], 2, "event code other than 0 and 1: 1"),
    ],
)
def test_groups_that_mean_nothing_are_refused(
    days: list[int], events: list[int], groups: list[int], number: int, says: str
) -> None:
    with pytest.raises(TimesRefused, match=says):
        risk_table(days, events, groups, number)
