"""How a statistic is said: units, rounding half up, and what is not known."""

from __future__ import annotations

import math

import pytest
from study12_estimates import landmark, middle, not_reached, share

from fhir_adapter.analysis import wording
from fhir_adapter.cohort.estimate import Estimate

CR = share("response.cr", "response", "CR", 6, 12, 0.2109, 0.7891)


def test_a_proportion_is_said_with_its_fraction_and_interval() -> None:
    assert wording.sentence(CR, 1) == "6/12, 50% (95% CI 21.1 to 78.9)"


def test_a_kaplan_meier_estimate_is_said_without_fraction() -> None:
    assert wording.sentence(landmark("OS", 12, 50 / 99, 0.079, 0.832, 2, 3), 1) == "50.5% (95% CI 7.9 to 83.2)"


@pytest.mark.parametrize(
    ("unit", "value", "said"),
    [
        ("d", 42.0, "42 days"),
        ("d", 41.5, "41.5 days"),
        ("a", 53, "53 years"),
        ("mo", 9.2649, "9.3 months"),
        ("1", 3, "3"),
    ],
)
def test_a_median_is_said_in_its_unit(unit: str, value: float, said: str) -> None:
    one = middle("x", "x", "x", value, 8, 172, unit)
    assert wording.result(one, 1) == said
    assert wording.sentence(one, 1) == f"{said} (range 8 to 172)"


def test_a_half_is_rounded_up_as_readers_expect() -> None:
    assert wording.result(middle("x", "x", "x", 12.5, 1, 20, "d"), 0) == "13 days"
    assert wording.result(CR.model_copy(update={"value": 0.125}), 0) == "13%"


def test_the_published_ninety_one_point_seven_is_not_a_ninety_two() -> None:
    assert wording.result(share("x", "x", "x", 11, 12, 0.6, 0.99), 1) == "91.7%"


@pytest.mark.parametrize("high", [None, math.inf])
def test_a_median_not_reached_says_which_limit_is_not_reached_either(high: float | None) -> None:
    one = not_reached("OS", 9.3, 3).model_copy(update={"ci_high": high})
    assert wording.sentence(one, 1) == "not reached (95% CI 9.3 to not reached)"


def test_without_any_limit_no_interval_is_said() -> None:
    assert wording.sentence(not_reached("OS", None, 0), 1) == "not reached"


def test_a_value_whose_interval_cannot_be_estimated_says_why() -> None:
    one = CR.model_copy(update={"ci_low": None, "ci_high": None, "parameters": {"no_interval": "no event so far"}})
    assert wording.interval(one, 1) == "not estimable"
    assert wording.sentence(one, 1) == "6/12, 50% (95% CI not estimable: no event so far)"


def test_what_cannot_be_estimated_says_why_and_no_number() -> None:
    one = CR.model_copy(update={"value": None, "not_estimable": "nobody was assessed"})
    assert wording.result(one, 1) == "not estimable"
    assert wording.sentence(one, 1) == "not estimable: nobody was assessed"


def test_a_value_that_is_missing_without_reason_is_never_a_number() -> None:
    one = Estimate(id="x", endpoint="x", label="x", method="median", n=0)
    assert wording.sentence(one, 1) == "not estimable"
