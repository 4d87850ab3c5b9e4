"""Times to an event as statistics: Kaplan-Meier at time points, medians, restricted means; and the follow-up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fhir_adapter.analysis.restricted_mean import restricted_mean
from fhir_adapter.analysis.summaries import Figure, median_and_range
from fhir_adapter.analysis.survival import Curve, curve
from fhir_adapter.cohort.case import Case
from fhir_adapter.cohort.estimate import NO_INTERVAL, Endpoint, Estimate, EventTime
from fhir_adapter.cohort.finding import Json
from fhir_adapter.cohort.study import Study

People = Sequence[Case]
Times = Sequence[EventTime]
NAMES: dict[Endpoint, str] = {
    "PFS": "Progression-free survival",
    "OS": "Overall survival",
    "DOR": "Duration of response",
    "DOCR": "Duration of complete response",
    "EFS": "Event-free survival",
    "TTNT": "Time to next treatment",
    "TTP": "Time to progression",
}
POPULATIONS: dict[Endpoint, str] = {"DOR": "responders", "DOCR": "complete-responders"}
NOBODY = "nobody with a follow-up time in days"
NOT_THAT_LONG = "nobody was followed that long"
# Why a probability of 1 or of 0 has no interval: its variance is 0, which says nothing about other people.
NO_EVENT = "no event so far"
NOBODY_LEFT = "nobody is left without the event"
_TIME = ("data_cut", "time_origin", "month_days", "partial_date_policy", "alive_after_cut", "undated_death")
_PROGRESSION = (*_TIME, "pfs_censor", "new_therapy", "allo_hct_in_cr", "ir_policy")
PARAMETERS: dict[Endpoint, tuple[str, ...]] = {
    **dict.fromkeys(NAMES, _PROGRESSION),
    "OS": _TIME,
    "EFS": (*_PROGRESSION, "efs_response_by_day", "efs_response", "new_therapy_includes"),
    "TTNT": (*_TIME, "ttnt_death", "new_therapy_includes"),
}


def followup(people: People, times: Times, study: Study) -> Iterator[Estimate]:
    """Follow-up as the simple median over all people (or the survivors, by parameter), and by reverse Kaplan-Meier."""
    yield _simple_median(people, times, study)
    missing = len(people) - sum(time.endpoint == "OS" and time.days is not None for time in times)
    reverse = curve(times, "OS", study, reverse=True)
    figure = ("followup.reverse_km", "followup", "Follow-up, reverse Kaplan-Meier median")
    parameters = study.parameters.named(*_TIME, "km_ci", "km_median_tie")
    yield _median(figure, reverse, missing, "infused", "reverse-kaplan-meier", study, parameters)


def _simple_median(people: People, times: Times, study: Study) -> Estimate:
    month = float(study.parameters.month_days)
    only_survivors = study.parameters.followup_of == "survivors"
    left_out = {one.subject_id for one in people if only_survivors and one.died}
    followed = [time for time in times if time.endpoint == "OS" and time.subject_id not in left_out]
    days = [time.days for time in followed if time.days is not None]
    missing = len(people) - len(left_out) - len(days)
    found = median_and_range(
        ("followup.median", "followup", f"Follow-up{' of survivors' if only_survivors else ''}, simple median"),
        [*(day / month for day in days), *[None] * missing],
        unit="mo",
        parameters=study.parameters.named(*_TIME, "followup_of"),
    )
    return found.model_copy(update={"population": "survivors"}) if only_survivors else found


def survival(people: People, times: Times, study: Study) -> Iterator[Estimate]:
    """Every endpoint at the study's timepoints, its median and its restricted means: PFS and OS first.

    DOR and DOCR are told of people with a response, and of those with a complete one.
    """
    for endpoint in NAMES:
        known = curve(times, endpoint, study)
        asked = sum(time.endpoint == endpoint for time in times) if endpoint in POPULATIONS else len(people)
        yield from endpoint_estimates(endpoint, known, asked - (known.n if known else 0), study)


def endpoint_estimates(endpoint: Endpoint, known: Curve | None, missing: int, study: Study) -> Iterator[Estimate]:
    """All statistics of one curve; `missing` people have no place on it."""
    for months in study.parameters.timepoints_months:
        yield at_month(endpoint, known, months, missing, study)
    yield _endpoint_median(endpoint, known, missing, study)
    for months in study.parameters.rmst_months:
        yield _restricted_mean(endpoint, known, months, missing, study)


def at_month(endpoint: Endpoint, known: Curve | None, months: int, missing: int, study: Study) -> Estimate:
    """The probability of being free of the event at `months`, with the people still followed by then."""
    settings = study.parameters
    day = float(months * settings.month_days)
    reason = not_estimable(known is not None, known is not None and known.reaches(day), study)
    step = known.at(day) if known and not reason else None
    low, high = (step.ci_low, step.ci_high) if step else (None, None)
    parameters = study.parameters.named(*PARAMETERS[endpoint], "km_ci", "beyond_last_time")
    if step and step.survival in (0, 1):
        low, high = None, None
        parameters[NO_INTERVAL] = NO_EVENT if step.survival else NOBODY_LEFT
    return Estimate(
        id=f"{endpoint.lower()}.{months}m",
        endpoint=endpoint,
        label=f"{NAMES[endpoint]} at {months} months",
        timepoint_months=months,
        population=POPULATIONS.get(endpoint, "infused"),
        method="kaplan-meier",
        value=step.survival if step else None,
        ci_level=settings.ci_level if step else None,
        ci_low=low,
        ci_high=high,
        n=known.n if known else 0,
        events=known.events_by(day) if known else None,
        at_risk=known.at_risk(day) if known else None,
        not_estimable=reason,
        missing=missing,
        parameters=parameters,
    )


def not_estimable(anybody: bool, reached: bool, study: Study) -> str:
    """Why there is no value at a time point; empty when there is one."""
    if not anybody:
        return NOBODY
    return "" if reached or study.parameters.beyond_last_time == "carry" else NOT_THAT_LONG


def _restricted_mean(endpoint: Endpoint, known: Curve | None, months: int, missing: int, study: Study) -> Estimate:
    """The mean time without the event, of the first `months`."""
    settings = study.parameters
    month = float(settings.month_days)
    reason = not_estimable(known is not None, known is not None and known.reaches(months * month), study)
    mean = restricted_mean(known, months * month) if known and not reason else None
    spread = mean if mean and mean.standard_error else None
    parameters = settings.named(*PARAMETERS[endpoint], "beyond_last_time")
    if mean:
        parameters["standard_error"] = mean.standard_error / month
        if not spread:
            parameters[NO_INTERVAL] = NOBODY_LEFT if known and known.events_by(months * month) else NO_EVENT
    return Estimate(
        id=f"{endpoint.lower()}.rmst.{months}m",
        endpoint=endpoint,
        label=f"{NAMES[endpoint]}, restricted mean of the first {months} months",
        timepoint_months=months,
        population=POPULATIONS.get(endpoint, "infused"),
        method="restricted-mean",
        value=mean.value / month if mean else None,
        unit="mo",
        ci_level=settings.ci_level if mean else None,
        ci_low=spread.ci_low / month if spread else None,
        ci_high=spread.ci_high / month if spread else None,
        n=known.n if known else 0,
        events=known.events_by(months * month) if known else None,
        at_risk=known.at_risk(months * month) if known else None,
        not_estimable=reason,
        missing=missing,
        parameters=parameters,
    )


def _endpoint_median(endpoint: Endpoint, known: Curve | None, missing: int, study: Study) -> Estimate:
    figure = (f"{endpoint.lower()}.median", endpoint, f"{NAMES[endpoint]}, median")
    parameters = study.parameters.named(*PARAMETERS[endpoint], "km_ci", "km_median_tie")
    return _median(figure, known, missing, POPULATIONS.get(endpoint, "infused"), "kaplan-meier", study, parameters)


def _median(
    figure: Figure,
    known: Curve | None,
    missing: int,
    population: str,
    method: str,
    study: Study,
    parameters: dict[str, Json],
) -> Estimate:
    """The median of a curve in months; not reached when the curve never falls to one half."""
    settings = study.parameters
    month = float(settings.month_days)
    middle = known.median(settings.km_median_tie) if known else None
    low, high = known.median_interval(settings.km_median_tie) if known else (None, None)
    if known and middle is not None and (other := known.median("midpoint")) not in (None, middle):
        parameters["middle_of_flat_stretch"] = other / month
    return Estimate(
        id=figure[0],
        endpoint=figure[1],
        label=figure[2],
        population=population,
        method=method,
        value=middle / month if middle is not None else None,
        unit="mo",
        ci_level=settings.ci_level if known else None,
        ci_low=low / month if low is not None else None,
        ci_high=high / month if high is not None else None,
        n=known.n if known else 0,
        events=known.events_by(known.last_time) if known else None,
        not_reached=known is not None and middle is None,
        not_estimable="" if known else NOBODY,
        missing=missing,
        parameters=parameters,
    )
