"""Relapse and death without it, each competing with the other: cumulative incidences from the times of PFS.

A person whose time ends with a progression has relapsed; one whose time ends with a death has died without. What
else a study counts as an event of PFS (a new therapy, a transplantation) competes with both and is neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fhir_adapter.analysis.cumulative_incidence import Incidence, cumulative_incidence
from fhir_adapter.analysis.survival_estimates import NO_EVENT, NOBODY_LEFT, PARAMETERS, not_estimable
from fhir_adapter.cohort.case import Case
from fhir_adapter.cohort.estimate import NO_INTERVAL, Estimate, EventTime
from fhir_adapter.cohort.study import Study

_CAUSES = {"progression": 1, "death": 2}
_OTHER = 3
_NAMES = {
    "relapse": ("progression", "Cumulative incidence of progression, death without it competing"),
    "nrm": ("death", "Cumulative incidence of death without progression, progression competing"),
}


def relapse(people: Sequence[Case], times: Sequence[EventTime], study: Study) -> Iterator[Estimate]:
    """The cumulative incidences of progression, and of death without it, at the study's timepoints."""
    known = [
        (time.days, _CAUSES.get(time.reason, _OTHER) if time.event else 0)
        for time in times
        if time.endpoint == "PFS" and time.days is not None
    ]
    days, causes = [day for day, _ in known], [cause for _, cause in known]
    settings = study.parameters
    for name, (cause, label) in _NAMES.items():
        incidence = (
            cumulative_incidence(days, causes, _CAUSES[cause], ci=settings.km_ci, level=settings.ci_level)
            if known
            else None
        )
        for months in settings.timepoints_months:
            yield _at_month(name, label, incidence, months, len(people) - len(known), study)


def _at_month(name: str, label: str, incidence: Incidence | None, months: int, missing: int, study: Study) -> Estimate:
    settings = study.parameters
    day = float(months * settings.month_days)
    reason = not_estimable(incidence is not None, incidence is not None and incidence.reaches(day), study)
    step = incidence.at(day) if incidence and not reason else None
    low, high = incidence.interval(day) if incidence and step and step.incidence else (None, None)
    parameters = settings.named(*PARAMETERS["PFS"], "km_ci", "beyond_last_time")
    if step and low is None:
        parameters[NO_INTERVAL] = NOBODY_LEFT if step.incidence else NO_EVENT
    return Estimate(
        id=f"{name}.{months}m",
        endpoint=name,
        label=f"{label}, at {months} months",
        timepoint_months=months,
        method="aalen-johansen",
        value=step.incidence if step else None,
        ci_level=settings.ci_level if step else None,
        ci_low=low,
        ci_high=high,
        n=incidence.n if incidence else 0,
        events=incidence.events_by(day) if incidence else None,
        at_risk=incidence.at_risk(day) if incidence else None,
        not_estimable=reason,
        missing=missing,
        parameters=parameters,
    )
