"""Kaplan-Meier curves in whole days, their pointwise intervals and their medians.

lifelines computes the product limit and the log-log interval; the guard in front of it is `guards.py`.
An event and a censoring on the same day: the event comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, sqrt
from statistics import NormalDist
from typing import Literal

from fhir_adapter.analysis.guards import checked_times
from fhir_adapter.cohort.estimate import Endpoint, EventTime
from fhir_adapter.cohort.study import Study

IntervalType = Literal["loglog", "log", "plain"]
Tie = Literal["first", "midpoint"]
_SAME = 1e-9  # two survival values closer than this are one value, computed in another order


@dataclass(frozen=True, slots=True)
class CurveStep:
    """What is known at `time` (days), after the events of that day.

    `at_risk` counts the people just before them. The interval is None once nobody is left.
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
        below = [step for step in self.steps if step.survival <= 0.5 + _SAME]
        if not below:
            return None
        later = [step.time for step in below if step.survival < 0.5 - _SAME]
        if tie == "midpoint" and later and below[0].survival >= 0.5 - _SAME:
            return (below[0].time + later[0]) / 2
        return below[0].time

    def median_interval(self) -> tuple[int | None, int | None]:
        """Days on which the lower and the upper limit of the curve fall to 0.5; None for one that doesn't."""
        low = (step.time for step in self.steps if step.ci_low is not None and step.ci_low <= 0.5 + _SAME)
        high = (step.time for step in self.steps if step.ci_high is not None and step.ci_high <= 0.5 + _SAME)
        return next(low, None), next(high, None)


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
    loglog = fitter.confidence_interval_survival_function_.to_numpy().tolist()
    greenwood, steps = 0.0, []
    for (day, at_risk, observed, censored), survival, limits in zip(counts, curve_values, loglog, strict=True):
        if at_risk == observed:
            survival = 0.0  # exactly, whatever the logarithms of lifelines leave
        else:
            greenwood += observed / (at_risk * (at_risk - observed))
        low, high = _limits(survival, greenwood, (limits[0], limits[1]), ci, level)
        steps.append(CurveStep(day, survival, low, high, at_risk, observed, censored))
    return Curve(len(times), tuple(steps), ci, level)


def _limits(
    survival: float, greenwood: float, loglog: tuple[float, float], ci: IntervalType, level: float
) -> tuple[float | None, float | None]:
    """The interval of one step: no width before the first event, not defined with nobody left."""
    if greenwood == 0.0 and survival > 0.0:
        return survival, survival
    if survival <= 0.0:
        return None, None
    if ci == "loglog":
        return loglog
    reach = NormalDist().inv_cdf((1 + level) / 2) * sqrt(greenwood)
    if ci == "log":
        return survival * exp(-reach), min(1.0, survival * exp(reach))
    return max(0.0, survival * (1 - reach)), min(1.0, survival * (1 + reach))


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
