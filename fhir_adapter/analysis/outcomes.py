"""What became of the people: follow-up, best response, and survival by Kaplan-Meier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fhir_adapter.analysis.proportions import proportion
from fhir_adapter.analysis.summaries import Figure, median_and_range
from fhir_adapter.analysis.survival import Curve, curve
from fhir_adapter.cohort.estimate import Endpoint, Estimate, EventTime
from fhir_adapter.cohort.finding import Json
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.response_system import NOT_EVALUABLE, UNSPECIFIED, ResponseSystem
from fhir_adapter.cohort.study import Study

Judgements = Sequence[Judgement]
Times = Sequence[EventTime]
NAMES: dict[Endpoint, str] = {
    "PFS": "Progression-free survival",
    "OS": "Overall survival",
    "DOR": "Duration of response",
}
_TIME = ("data_cut", "time_origin", "month_days", "partial_date_policy", "alive_after_cut", "undated_death")
_PROGRESSION = (
    "pfs_censor",
    "new_therapy",
    "allo_hct_in_cr",
    "ir_policy",
)


def followup(people: Judgements, times: Times, study: Study) -> Iterator[Estimate]:
    """Follow-up as the simple median over all people, the dead included, and by reverse Kaplan-Meier."""
    month = float(study.parameters.month_days)
    days = [time.days for time in times if time.endpoint == "OS" and time.days is not None]
    missing = len(people) - len(days)
    yield median_and_range(
        ("followup.median", "followup", "Follow-up, simple median"),
        [*(day / month for day in days), *[None] * missing],
        unit="mo",
        parameters=study.parameters.named(*_TIME),
    )
    reverse = curve(times, "OS", study, reverse=True)
    figure = ("followup.reverse_km", "followup", "Follow-up, reverse Kaplan-Meier median")
    yield _median(figure, reverse, missing, "infused", "reverse-kaplan-meier", study, study.parameters.named(*_TIME))


def response(people: Judgements, study: Study) -> Iterator[Estimate]:
    """Best response. A response of unknown depth counts as a response and is missing from CR and from PR.

    An empty best response (assessments that contradict each other) is missing everywhere.
    """
    denominator = study.parameters.orr_denominator
    responses, answers = study.responses, [person.response.value for person in people]
    if denominator == "not_in_cr":
        answers = [one for one in answers if one is None or not one.complete_before]
    best = [one.best if one else NOT_EVALUABLE for one in answers]
    evaluable = denominator == "evaluable"
    counted = [category for category in best if category not in (NOT_EVALUABLE, "")] if evaluable else best
    parameters = study.parameters.named("data_cut", "orr_denominator", "bor_end", "ir_policy", "response_system")
    for name, label, categories in _rates(responses):
        depth_needed = UNSPECIFIED not in categories and bool(categories & responses.responded)
        yield proportion(
            (f"response.{name}", "response", label),
            sum(category in categories for category in counted),
            len(counted),
            study,
            missing=best.count("") + (counted.count(UNSPECIFIED) if depth_needed else 0),
            population=denominator,
            parameters=parameters,
        )


def _rates(responses: ResponseSystem) -> Iterator[tuple[str, str, frozenset[str]]]:
    """(name, label, categories) of every response rate that the study's response system asks for."""
    yield "orr", "Overall response", responses.responded
    for one in responses.categories:
        if one.reported:
            yield one.code.lower(), f"Best response {one.code}", frozenset((one.code,))
        if one.or_better:
            yield f"{one.code.lower()}_or_better", one.or_better, responses.at_least(one.code)


def survival(people: Judgements, times: Times, study: Study) -> Iterator[Estimate]:
    """PFS and OS at the study's timepoints and their medians; the median duration of response."""
    for endpoint in ("PFS", "OS"):
        known = curve(times, endpoint, study)
        missing = len(people) - (known.n if known else 0)
        for months in study.parameters.timepoints_months:
            yield at_month(endpoint, known, months, missing, study)
        yield _endpoint_median(endpoint, known, missing, "infused", study)
    responders = sum(time.endpoint == "DOR" for time in times)
    known = curve(times, "DOR", study)
    yield _endpoint_median("DOR", known, responders - (known.n if known else 0), "responders", study)


def at_month(endpoint: Endpoint, known: Curve | None, months: int, missing: int, study: Study) -> Estimate:
    """The probability of being free of the event at `months`, with the people still followed by then."""
    settings = study.parameters
    day = float(months * settings.month_days)
    reason = _not_estimable(known, day, study)
    step = known.at(day) if known and not reason else None
    interval = (step.ci_low, step.ci_high) if step else (None, None)
    parameters = study.parameters.named(*_parameters(endpoint), "km_ci", "beyond_last_time")
    if step and step.survival == 1:
        parameters["interval"] = "no width: no event so far"
    return Estimate(
        id=f"{endpoint.lower()}.{months}m",
        endpoint=endpoint,
        label=f"{NAMES[endpoint]} at {months} months",
        timepoint_months=months,
        method="kaplan-meier",
        value=step.survival if step else None,
        ci_level=settings.ci_level if interval != (None, None) else None,
        ci_low=interval[0],
        ci_high=interval[1],
        n=known.n if known else 0,
        events=known.events_by(day) if known else None,
        at_risk=known.at_risk(day) if known else None,
        not_estimable=reason,
        missing=missing,
        parameters=parameters,
    )


def _not_estimable(known: Curve | None, day: float, study: Study) -> str:
    if known is None:
        return "nobody with a follow-up time in days"
    if known.reaches(day) or study.parameters.beyond_last_time == "carry":
        return ""
    return "nobody was followed that long"


def _endpoint_median(endpoint: Endpoint, known: Curve | None, missing: int, population: str, study: Study) -> Estimate:
    figure = (f"{endpoint.lower()}.median", endpoint, f"{NAMES[endpoint]}, median")
    parameters = study.parameters.named(*_parameters(endpoint), "km_ci", "km_median_tie")
    return _median(figure, known, missing, population, "kaplan-meier", study, parameters)


def _parameters(endpoint: Endpoint) -> tuple[str, ...]:
    return _TIME if endpoint == "OS" else (*_TIME, *_PROGRESSION)


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
    low, high = known.median_interval() if known else (None, None)
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
        not_estimable="" if known else "nobody with a follow-up time in days",
        missing=missing,
        parameters=parameters,
    )
