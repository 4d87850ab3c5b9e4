"""The restricted mean: the area under a survival curve up to a day, with its standard error as R prints it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from fhir_adapter.analysis.intervals import z_value
from fhir_adapter.analysis.survival import Curve


@dataclass(frozen=True, slots=True)
class RestrictedMean:
    """Mean time without the event, counted up to `until`; all in days."""

    until: float
    value: float
    standard_error: float
    ci_low: float
    ci_high: float


def restricted_mean(curve: Curve, until: float) -> RestrictedMean:
    """The area under the curve up to `until` (days, above 0), and Greenwood's variance of it.

    Each event widens the variance by the square of the area that is still to come. The interval is the plain one,
    and no mean of times cut at `until` can lie outside [0, until]. Behind its last time the curve is carried on:
    whether that may be done is for the caller to say.
    """
    steps = [step for step in curve.steps if step.time <= until]
    ends = [*(step.time for step in steps), until]
    areas = [step.survival * (end - start) for step, (start, end) in zip(steps, pairwise(ends), strict=True)]
    value, to_come, variance = sum(areas), 0.0, 0.0
    for step, area in zip(reversed(steps), reversed(areas), strict=True):
        to_come += area
        if step.at_risk > step.events:
            variance += to_come**2 * step.events / (step.at_risk * (step.at_risk - step.events))
    error = sqrt(variance)
    reach = z_value(curve.ci_level) * error
    return RestrictedMean(until, value, error, max(0.0, value - reach), min(float(until), value + reach))
