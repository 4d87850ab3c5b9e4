"""Kaplan-Meier curves in whole days, their pointwise intervals and their medians.

lifelines computes the product limit; the guard in front of it is `guards.py`. Greenwood's variance, the intervals and
the median are made as `survfit` of R makes them. An event and a censoring on the same day: the event comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from fhir_adapter.analysis.guards import checked_times
from fhir_adapter.analysis.intervals import IntervalType, Limits, limits
from fhir_adapter.cohort.estimate import Endpoint, EventTime
from fhir_adapter.cohort.study import Study

Tie = Literal["first", "midpoint"]
_SAME = 2.0**-26  # two survival values closer than this are one value, computed in another order (the same as in R)


@dataclass(frozen=True, slots=True)
class CurveStep:
    """What is known at `time` (days), after the events of that day.

    `at_risk` counts the people just before them. The interval is None once nobody is left, and a log-log one before
    the first event.
    """

    time: int
    survival: float
    ci_low: float | None
    ci_high: float | None
    at_risk: int
    events: int
    censored: int


@dataclass(frozen=True, slots=True)
class Curve:
    """A Kaplan-Meier curve: `steps` begin at day 0, one entry for each day with an event or a censoring."""

    n: int
    steps: tuple[CurveStep, ...]
    ci: IntervalType
    ci_level: float

    @property
    def last_time(self) -> int:
        return self.steps[-1].time

    def at(self, day: float) -> CurveStep:
        """The step that holds on `day`, which is 0 or later."""
        return [step for step in self.steps if step.time <= day][-1]

    def at_risk(self, day: float) -> int:
        """People who were followed, without an event, up to `day` at least."""
        return next((step.at_risk for step in self.steps if step.time >= day), 0)

    def events_by(self, day: float) -> int:
        return sum(step.events for step in self.steps if step.time <= day)

    def reaches(self, day: float) -> bool:
        """Whether anything is known about `day`: somebody was followed that long, or nobody is left."""
        return day <= self.last_time or self.steps[-1].survival <= _SAME

    def median(self, tie: Tie = "first") -> float | None:
        """The first day with survival 0.5 or less; None when it is not reached.

        With `midpoint` and a curve that stays at exactly 0.5 for a while, the middle of that stretch (as R).
        """
        return _halved([(step.time, step.survival) for step in self.steps], tie)

    def median_interval(self, tie: Tie = "first") -> tuple[float | None, float | None]:
        """Days on which the lower and the upper limit of the curve fall to 0.5; None for one that doesn't.

        Brookmeyer and Crowley; a limit that stays at exactly 0.5 for a while is treated as the curve itself is.
        """
        lower = [(step.time, step.ci_low) for step in self.steps if step.ci_low is not None]
        upper = [(step.time, step.ci_high) for step in self.steps if step.ci_high is not None]
        return _halved(lower, tie), _halved(upper, tie)


def _halved(line: Sequence[tuple[int, float]], tie: Tie) -> float | None:
    below = [(time, value) for time, value in line if value <= 0.5 + _SAME]
    if not below:
        return None
    first, value = below[0]
    later = [time for time, value in below if value < 0.5 - _SAME]
    return (first + later[0]) / 2 if tie == "midpoint" and value >= 0.5 - _SAME and later else first


def kaplan_meier(
    days: Sequence[int], events: Sequence[int | bool], *, ci: IntervalType = "loglog", level: float = 0.95
) -> Curve:
    """The product-limit curve of `days` (whole, from 0) and `events` (1 event, 0 censored).

    Raises `TimesRefused` for times or codes that mean nothing, an empty list among them.
    """
    from lifelines import KaplanMeierFitter

    times, codes = checked_times(days, events)
    fitter = KaplanMeierFitter(alpha=1 - level).fit(times, event_observed=codes)
    table = fitter.event_table.reset_index()[["event_at", "at_risk", "observed", "censored"]]
    counts = table.to_numpy(dtype=int).tolist()
    curve_values = fitter.survival_function_.to_numpy()[:, 0].tolist()
    greenwood, steps = 0.0, []
    for (day, at_risk, observed, censored), survival in zip(counts, curve_values, strict=True):
        if at_risk == observed:
            survival = 0.0  # exactly, whatever the logarithms of lifelines leave
        else:
            greenwood += observed / (at_risk * (at_risk - observed))
        low, high = _limits(survival, greenwood, ci, level)
        steps.append(CurveStep(day, survival, low, high, at_risk, observed, censored))
    return Curve(len(times), tuple(steps), ci, level)


def _limits(survival: float, greenwood: float, ci: IntervalType, level: float) -> Limits:
    """The interval of one step. At 0, and by log-log at 1, the transformation has no value, so R gives none either."""
    if survival <= 0.0 or (greenwood == 0.0 and ci == "loglog"):
        return None, None
    if greenwood == 0.0:
        return survival, survival
    return limits(survival, survival**2 * greenwood, ci, level)


def curve(times: Iterable[EventTime], endpoint: Endpoint, study: Study, *, reverse: bool = False) -> Curve | None:
    """The curve of one endpoint with the study's interval; None when nobody has a time in days.

    `reverse` swaps events and censorings: the curve of the follow-up itself.
    """
    known = [(time.days, time.event) for time in times if time.endpoint == endpoint and time.days is not None]
    if not known:
        return None
    settings = study.parameters
    codes = [event != reverse for _, event in known]
    return kaplan_meier([days for days, _ in known], codes, ci=settings.km_ci, level=settings.ci_level)
