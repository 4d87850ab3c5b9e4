"""How a statistic is said to a reader: rounded half up, with its interval, honest about what is not known."""

from __future__ import annotations

import math

from fhir_adapter.analysis.rounding import half_up, plain
from fhir_adapter.cohort.estimate import Estimate

NOT_REACHED = "not reached"
NOT_ESTIMABLE = "not estimable"
WITHHELD = "withheld"
UNITS = {"a": "years", "mo": "months", "d": "days"}
_CHANCES = ("kaplan-meier", "aalen-johansen")
_RATIOS = ("cox-efron", "cox-firth")
_P_VALUE = "log-rank"
_LEAST_P = 0.001  # a smaller one says no more
_P_DIGITS = 3


def is_share(estimate: Estimate) -> bool:
    """Is the value a part of a whole (a proportion, a probability), to be said as a percentage?"""
    return estimate.denominator is not None or (estimate.unit == "1" and estimate.method in _CHANCES)


def number(value: float, estimate: Estimate, digits: int) -> str:
    """A value of this statistic, without its unit: shares as percentages, ratios with one digit more."""
    more = 1 if estimate.method in _RATIOS else 0
    return plain(value * 100 if is_share(estimate) else value, digits + more)


def limit(value: float | None, estimate: Estimate, digits: int) -> str:
    """One end of an interval; `not reached` for an end that the data do not bound."""
    if value is None or math.isinf(value):
        return NOT_REACHED
    return number(value, estimate, digits)


def result(estimate: Estimate, digits: int) -> str:
    """The value alone: `50.5%`, `42 days`, `12`, `not reached`, `not estimable`, `withheld`."""
    if "value" in estimate.suppressed:
        return WITHHELD
    if estimate.not_estimable or (estimate.value is None and not estimate.not_reached):
        return NOT_ESTIMABLE
    if estimate.not_reached or estimate.value is None:
        return NOT_REACHED
    if estimate.method == _P_VALUE:
        return f"p < {_LEAST_P}" if estimate.value < _LEAST_P else f"p = {half_up(estimate.value, _P_DIGITS)}"
    said = number(estimate.value, estimate, digits)
    if is_share(estimate):
        return f"{said}%"
    unit = UNITS.get(estimate.unit, "" if estimate.unit == "1" else estimate.unit)
    return f"{said} {unit}".strip()


def interval(estimate: Estimate, digits: int) -> str:
    """The ends of the confidence interval: `7.9 to 83.2`, or `not estimable`; empty when there is none."""
    if estimate.ci_level is None or estimate.not_estimable or {"ci_low", "ci_high"} & set(estimate.suppressed):
        return ""
    if estimate.no_interval:
        return NOT_ESTIMABLE
    if estimate.ci_low is None and estimate.ci_high is None:
        return ""
    return " to ".join(limit(end, estimate, digits) for end in (estimate.ci_low, estimate.ci_high))


def level(estimate: Estimate) -> str:
    """The confidence level: `95%`; empty when there is none."""
    return f"{plain(estimate.ci_level * 100, 1)}%" if estimate.ci_level is not None else ""


def span(estimate: Estimate, digits: int) -> str:
    """The smallest and the largest value: `8 to 172`; empty when the statistic has no range."""
    if estimate.range_low is None or estimate.range_high is None:
        return ""
    return f"{plain(estimate.range_low, digits)} to {plain(estimate.range_high, digits)}"


def fraction(estimate: Estimate) -> str:
    """`6/12`; empty for anything that is not a proportion."""
    if estimate.numerator is None or estimate.denominator is None:
        return ""
    return f"{estimate.numerator}/{estimate.denominator}"


def sentence(estimate: Estimate, digits: int) -> str:
    """The whole statistic in one line: `6/12, 50% (95% CI 21.1 to 78.9)`, `not estimable: nobody is left`."""
    if estimate.not_estimable:
        return f"{NOT_ESTIMABLE}: {estimate.not_estimable}"
    main = ", ".join(part for part in (fraction(estimate), result(estimate, digits)) if part)
    around, between = span(estimate, digits), interval(estimate, digits)
    why = f": {estimate.no_interval}" if between == NOT_ESTIMABLE else ""
    beside = (around and f"range {around}", between and f"{level(estimate)} CI {between}{why}")
    said = "; ".join(part for part in beside if part)
    return f"{main} ({said})" if said else main
