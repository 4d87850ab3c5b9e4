"""The International Prognostic Index: one point each for age, LDH, ECOG, stage and extranodal sites.

A missing component is not imputed: the score is then the range of what it can still be. Source: clinical brief §1.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from fhir_adapter.cohort.events import Event, Lab
from fhir_adapter.cohort.finding import Finding, Index, IpiScore, Range, Sites, Span, Step, rests_on, step
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.rules.baseline import in_window, reference_day
from fhir_adapter.rules.index import when

E = TypeVar("E", bound=Event)

_PARAMETERS = (
    "ipi_reference",
    "ipi_age_at",
    "ipi_missing",
    "ipi_age_over",
    "ipi_ldh_over_uln",
    "ipi_ecog_from",
    "ipi_stage_from",
    "ipi_extranodal_over",
    "ldh_window_days",
    "ecog_window_days",
    "imaging_window_days",
)
UNKNOWN = Range(lowest=0, highest=1)


@dataclass(frozen=True)
class Component:
    """One of the five: its points, known or bounded, and what they rest on."""

    points: Range
    step: Step
    event: Event | None = None
    value: int | None = None


def ipi(subject: Subject, study: Study, index: Index, age: Finding[Span], sites: Finding[Sites]) -> Finding[IpiScore]:
    """The score from the last value of each component on or before the reference day."""
    ldh, ratio = _ldh(subject, study, index)
    ecog, stage = _ecog(subject, study, index), _stage(subject, study, index)
    parts = [_age(age, study), ldh, ecog, stage, _extranodal(sites, study)]
    points = Range(lowest=sum(part.points.lowest for part in parts), highest=sum(part.points.highest for part in parts))
    settled = points.settled
    text = f"IPI {settled}" if settled is not None else f"IPI between {points.lowest} and {points.highest}"
    missing = study.parameters.ipi_missing == "not_computable" and settled is None
    sources = rests_on(*(part.event for part in parts))
    return Finding(
        rule="ipi",
        verdict="met" if settled is not None else "undetermined",
        value=None
        if missing
        else IpiScore(
            points=points,
            age=age.value.days if age.value else None,
            ldh_ratio=ratio,
            ecog=ecog.value,
            stage=stage.value,
            extranodal_sites=len(sites.value.organs) if sites.value else None,
        ),
        sentence=f"{text}: " + "; ".join(part.step.says for part in parts) + ".",
        steps=tuple(part.step for part in parts),
        sources=tuple(dict.fromkeys((*age.sources, *sources, *sites.sources))),
        parameters=study.parameters.named(*_PARAMETERS),
    )


def _point(scores: bool) -> Range:
    return Range(lowest=int(scores), highest=int(scores))


def _age(age: Finding[Span], study: Study) -> Component:
    limit = study.parameters.ipi_age_over
    if age.value is None:
        return Component(UNKNOWN, step("age is not known", parameter="ipi_age_over"))
    points = Range(lowest=int(age.value.shortest > limit), highest=int(age.value.longest > limit))
    years = str(age.value.days) if age.value.days is not None else f"{age.value.shortest} or {age.value.longest}"
    says = f"age {years} {_scores(points)} (over {limit} scores)"
    return Component(points, step(says, value=years, unit="a", parameter="ipi_age_over"))


def _ldh(subject: Subject, study: Study, index: Index) -> tuple[Component, float | None]:
    tests = [one for one in subject.labs if one.observable == "ldh"]
    last, unsure = _last(tests, study, index, study.parameters.ldh_window_days)
    if last is None:
        return Component(UNKNOWN, step(f"LDH {unsure}", parameter="ldh_window_days")), None
    limit = last.upper_limit
    if limit is None or limit == 0:
        return Component(UNKNOWN, step("LDH has no upper limit of normal", last, value=str(last.value)), last), None
    threshold = limit * study.parameters.ipi_ldh_over_uln
    points = _bounded(last, threshold)
    value = f"{last.comparator}{last.value}"
    says = f"LDH {value} {last.unit}, upper limit {limit}, {_scores(points)}"
    ratio = float(last.value / limit) if not last.comparator else None
    return Component(points, step(says, last, value=value, unit=last.unit, parameter="ipi_ldh_over_uln"), last), ratio


def _bounded(lab: Lab, threshold: Decimal) -> Range:
    """Whether a value that may carry a comparator lies above the threshold."""
    match lab.comparator:
        case "<" | "<=":
            return _point(False) if lab.value <= threshold else UNKNOWN
        case ">":
            return _point(True) if lab.value >= threshold else UNKNOWN
        case ">=":
            return _point(True) if lab.value > threshold else UNKNOWN
        case _:
            return _point(lab.value > threshold)


def _ecog(subject: Subject, study: Study, index: Index) -> Component:
    limit = study.parameters.ipi_ecog_from
    last, unsure = _last(list(subject.performances), study, index, study.parameters.ecog_window_days)
    if last is None:
        return Component(UNKNOWN, step(f"ECOG {unsure}", parameter="ecog_window_days"))
    points = _point(last.ecog >= limit)
    says = f"ECOG {last.ecog} {_scores(points)} (from {limit} scores)"
    return Component(points, step(says, last, value=str(last.ecog), parameter="ipi_ecog_from"), last, last.ecog)


def _stage(subject: Subject, study: Study, index: Index) -> Component:
    """The stage in the window; an Observation wins over a Condition's stage."""
    limit = study.parameters.ipi_stage_from
    window = study.parameters.imaging_window_days
    observed = [one for one in subject.stagings if one.evidence == "observation"]
    last, unsure = _last(observed, study, index, window)
    if last is None and "may lie" not in unsure:
        last, unsure = _last(list(subject.stagings), study, index, window)
    if last is None:
        return Component(UNKNOWN, step(f"stage {unsure}", parameter="imaging_window_days"))
    points = _point(last.stage >= limit)
    origin = " (from the condition)" if last.evidence == "condition" else ""
    says = f"stage {last.stage}{origin} {_scores(points)} (from {limit} scores)"
    return Component(points, step(says, last, value=str(last.stage), parameter="ipi_stage_from"), last, last.stage)


def _extranodal(sites: Finding[Sites], study: Study) -> Component:
    limit = study.parameters.ipi_extranodal_over
    if sites.value is None:
        return Component(UNKNOWN, step("extranodal sites are not known", parameter="imaging_window_days"))
    count = len(sites.value.organs)
    points = _point(count > limit)
    says = f"{count} extranodal sites {_scores(points)} (over {limit} scores)"
    return Component(points, step(says, value=str(count), parameter="ipi_extranodal_over"), None, count)


def _last(events: list[E], study: Study, index: Index, days: int) -> tuple[E | None, str]:
    """The last value in the window; None and why when there is none, or when it cannot be told which is the last."""
    inside, perhaps = in_window(events, reference_day(index, study), days)
    if perhaps:
        return None, "may lie outside the window"
    if not inside:
        return None, f"was not recorded in the {days} days up to the reference day"
    last = max(when(one) for one in inside)
    same_day = [one for one in inside if when(one) == last]
    if len({_measured(one) for one in same_day}) > 1:
        return None, "has different values on the last day"
    return same_day[0], ""


def _measured(event: Event) -> str:
    """What was measured, without where it was recorded."""
    return event.model_dump_json(exclude={"source", "flags", "as_reported"})


def _scores(points: Range) -> str:
    return {1: "scores 1", 0: "scores 0"}.get(points.settled if points.settled is not None else -1, "may score 0 or 1")
