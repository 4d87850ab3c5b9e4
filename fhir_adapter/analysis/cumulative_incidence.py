"""Cumulative incidence with competing causes: the Aalen-Johansen estimate, its variance and interval.

A cause is 1, 2, ...; 0 is a censoring. An event and a censoring on the same day: the event comes first. We compute it
ourselves, because lifelines moves tied times apart at random. The variance is the multinomial one of Greenwood's kind,
which is also the infinitesimal jackknife that `survfit` of R gives for `Surv(time, factor(cause))`;
`cmprsk::cuminc` has another (Gray's), slightly different in small groups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fhir_adapter.analysis.guards import checked_causes
from fhir_adapter.analysis.intervals import IntervalType, Limits, limits

_SAME = 1e-12  # what additions of floats leave of a probability that is one


@dataclass(frozen=True, slots=True)
class IncidenceStep:
    """What is known at `time` (days): the probability that the cause has come by then, and its variance.

    `free` is the probability that no cause has. `at_risk` counts people just before; `events` those of the cause.
    """

    time: int
    incidence: float
    variance: float
    free: float
    at_risk: int
    events: int


@dataclass(frozen=True, slots=True)
class Incidence:
    """The cumulative incidence of one cause: steps from day 0, one for each day with an event or a censoring."""

    n: int
    steps: tuple[IncidenceStep, ...]
    ci: IntervalType
    ci_level: float

    def at(self, day: float) -> IncidenceStep:
        """The step that holds on `day`, which is 0 or later."""
        return [step for step in self.steps if step.time <= day][-1]

    def interval(self, day: float) -> Limits:
        """The interval on `day`: none before the first event of the cause (but a plain one, of no width), and none once
        everybody had it.
        """
        step = self.at(day)
        if step.incidence == 0.0 and self.ci == "plain":
            return 0.0, 0.0
        if step.incidence == 0.0 or step.incidence >= 1.0 - _SAME:
            return None, None
        return limits(step.incidence, step.variance, self.ci, self.ci_level)

    def at_risk(self, day: float) -> int:
        return next((step.at_risk for step in self.steps if step.time >= day), 0)

    def events_by(self, day: float) -> int:
        return sum(step.events for step in self.steps if step.time <= day)

    def reaches(self, day: float) -> bool:
        """Whether anything is known about `day`: somebody was followed that long, or nobody is left."""
        return day <= self.steps[-1].time or self.steps[-1].free == 0.0


def cumulative_incidence(
    days: Sequence[int], causes: Sequence[int], cause: int, *, ci: IntervalType = "loglog", level: float = 0.95
) -> Incidence:
    """The cumulative incidence of `cause` while all other causes compete.

    Raises `TimesRefused` for times or codes that mean nothing, an empty list among them.
    """
    times, codes = checked_causes(days, causes)
    ended = Counter(times)
    any_event = Counter(time for time, code in zip(times, codes, strict=True) if code)
    of_cause = Counter(time for time, code in zip(times, codes, strict=True) if code == cause)
    at_risk, state = len(times), _State()
    steps = [] if 0 in ended else [IncidenceStep(0, 0.0, 0.0, 1.0, at_risk, 0)]
    for time in sorted(ended):
        state = state.after(any_event[time], of_cause[time], at_risk)
        steps.append(IncidenceStep(time, state.incidence, state.variance, state.free, at_risk, of_cause[time]))
        at_risk -= ended[time]
    return Incidence(len(times), tuple(steps), ci, level)


@dataclass(frozen=True, slots=True)
class _State:
    """Probability of no event and of the cause, with variances and covariance, after the events so far."""

    free: float = 1.0
    incidence: float = 0.0
    free_variance: float = 0.0
    covariance: float = 0.0
    variance: float = 0.0

    def after(self, events: int, of_cause: int, at_risk: int) -> _State:
        """One day on: the hazards of that day are a multinomial sample of the people at risk."""
        left, cause = (at_risk - events) / at_risk, of_cause / at_risk
        spread = self.free**2 / at_risk
        return _State(
            free=self.free * left,
            incidence=self.incidence + self.free * cause,
            free_variance=left**2 * self.free_variance + spread * left * (1 - left),
            covariance=left * (self.covariance + cause * self.free_variance) - spread * left * cause,
            variance=self.variance
            + 2 * cause * self.covariance
            + cause**2 * self.free_variance
            + spread * cause * (1 - cause),
        )
