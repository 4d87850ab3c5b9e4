"""Pointwise intervals of a probability by a transformed normal approximation, as `survfit` of R makes them."""

from __future__ import annotations

from math import exp, log, sqrt
from statistics import NormalDist
from typing import Literal

IntervalType = Literal["loglog", "log", "plain"]
Limits = tuple[float | None, float | None]


def z_value(level: float) -> float:
    """The quantile of the normal distribution that leaves half of `1 - level` above it: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + level) / 2)


def limits(value: float, variance: float, kind: IntervalType, level: float) -> Limits:
    """The interval of a probability strictly between 0 and 1 with this variance, cut to [0, 1].

    R's `conf.type` has the same names (`log-log` with a dash). A cumulative incidence is transformed as it is,
    a survival probability as it is: not one minus it.
    """
    relative = z_value(level) * sqrt(variance) / value
    if kind == "plain":
        return max(0.0, value * (1 - relative)), min(1.0, value * (1 + relative))
    if kind == "log":
        return value * exp(-relative), min(1.0, value * exp(relative))
    reach = abs(relative / log(value))
    return float(value ** exp(reach)), float(value ** exp(-reach))
