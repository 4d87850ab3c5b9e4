"""The International Prognostic Index: one point each for age, LDH, ECOG, stage and extranodal sites.

A missing component is not imputed: the score is then the range of what it can still be. (IPI, 1993.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from fhir_adapter.cohort.events import Event, Lab, RecordedScore
from fhir_adapter.cohort.finding import Finding, Index, IpiScore, Range, Sites, Span, Step, not_asked, rests_on, step
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.rules.baseline import last_values, reference_day

PARAMETERS = (
    "ipi_reference",
    "ipi_age_at",
    "ipi_missing",
    "ipi_age_over",
    "ipi_ldh_over_uln",
    "ipi_ecog_from",
    "ipi_karnofsky_to",
    "ipi_stage_from",
    "ipi_extranodal_over",
    "ldh_window_days",
    "ecog_window_days",
    "imaging_window_days",
)
_RECORDED_PARAMETERS = ("ipi_recorded", "ipi_recorded_window_days")
UNKNOWN = Range(lowest=0, highest=1)


@dataclass(frozen=True)
class Component:
    """One of the five: its points, known or bounded, and what they rest on."""

    points: Range
    step: Step
    event: Event | None = None
    value: int | None = None


def ipi(subject: Subject, study: Study, index: Index, age: Finding[Span], sites: Finding[Sites]) -> Finding[IpiScore]:
    """The score from the last value of each component on or before the reference day, or as somebody recorded it."""
    if study.parameters.lymphoma_baseline == "off":
        return not_asked("ipi")
    named = components(subject, study, index, age, sites)
    parts = list(named.values())
    computed = Range(
        lowest=sum(part.points.lowest for part in parts), highest=sum(part.points.highest for part in parts)
    )
    written, recorded = _recorded(subject, study, index)
    points = _that_counts(computed, recorded, study)
    settled = points.settled
    text = f"IPI {settled}" if settled is not None else f"IPI between {points.lowest} and {points.highest}"
    missing = study.parameters.ipi_missing == "not_computable" and settled is None
    sources = rests_on(*(part.event for part in parts), written)
    steps = (*(part.step for part in parts), *(step(f"IPI {one.points} was recorded", one) for one in written))
    return Finding(
        rule="ipi",
        verdict="met" if settled is not None else "undetermined",
        value=None
        if missing
        else IpiScore(
            points=points,
            computed=computed,
            recorded=recorded,
            age=age.value.days if age.value else None,
            ldh_ratio=_ratio(last_ldh(subject, study, index)[0]),
            ecog=named["ecog"].value,
            stage=named["stage"].value,
            extranodal_sites=sites.value.count.settled if sites.value else None,
        ),
        sentence=f"{text}: " + "; ".join(each.says for each in steps) + ".",
        steps=steps,
        sources=tuple(dict.fromkeys((*age.sources, *sources, *sites.sources))),
        parameters=study.parameters.named(*PARAMETERS, *_RECORDED_PARAMETERS),
    )


def _recorded(subject: Subject, study: Study, index: Index) -> tuple[list[RecordedScore], Range | None]:
    """The IPI that somebody wrote down last in the window, and its points; another score of the family is not one."""
    written = [one for one in subject.recorded_scores if one.score == "ipi"]
    if study.parameters.ipi_recorded == "ignored":
        return [], None
    last, sure = last_values(written, reference_day(index, study), study.parameters.ipi_recorded_window_days)
    if not sure:
        return [], None
    return last, Range(lowest=min(one.points for one in last), highest=max(one.points for one in last))


def _that_counts(computed: Range, recorded: Range | None, study: Study) -> Range:
    """The points that count; `fills`: a record counts only where the components leave the score open."""
    if recorded is None or (study.parameters.ipi_recorded == "fills" and computed.settled is not None):
        return computed
    return recorded


def components(
    subject: Subject, study: Study, index: Index, age: Finding[Span], sites: Finding[Sites]
) -> dict[str, Component]:
    """The five components by name, in the order in which they are told."""
    return {
        "age": _age(age, study),
        "ldh": _ldh(subject, study, index),
        "ecog": _ecog(subject, study, index),
        "stage": _stage(subject, study, index),
        "sites": _extranodal(sites, study),
    }


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


def last_ldh(subject: Subject, study: Study, index: Index) -> tuple[list[Lab], bool]:
    """(every LDH that may be the last in its window, whether there surely is one)."""
    tests = [one for one in subject.labs if one.observable == "ldh"]
    return last_values(tests, reference_day(index, study), study.parameters.ldh_window_days)


def _ldh(subject: Subject, study: Study, index: Index) -> Component:
    last, sure = last_ldh(subject, study, index)
    scores = [ldh_above(one, study.parameters.ipi_ldh_over_uln) for one in last]
    told = [f"{one.comparator}{one.value} {one.unit}, upper limit {one.upper_limit or 'not given'}," for one in last]
    return _component("LDH", last, told, scores, sure, "", "ldh_window_days")


def _ratio(last: Sequence[Lab]) -> float | None:
    """LDH as a multiple of its upper limit, when one exact value is the last."""
    only = last[0] if len(last) == 1 else None
    return float(only.value / only.upper_limit) if only and only.upper_limit and not only.comparator else None


def _component(
    name: str, last: Sequence[Event], told: Sequence[str], scores: Sequence[Range], sure: bool, limit: str, window: str
) -> Component:
    """One component from every value that may be the last: its points are those that all of them allow."""
    if not last:
        return Component(UNKNOWN, step(f"{name} was not recorded in its window", parameter=window))
    points = Range(lowest=min(one.lowest for one in scores), highest=max(one.highest for one in scores))
    if not sure:
        points = UNKNOWN
    values = " or ".join(dict.fromkeys(told))
    doubt = "" if sure else ", which may lie outside its window,"
    says = f"{name} {values}{doubt} {_scores(points)}{limit}"
    return Component(points, step(says, last[-1], value=values, parameter=window), last[-1])


def ldh_above(lab: Lab, times: Decimal | int) -> Range:
    """The point for LDH above a multiple of the laboratory's own upper limit; not known without one."""
    if not lab.upper_limit:
        return UNKNOWN
    return _bounded(lab, lab.upper_limit * times)


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
    karnofsky = study.parameters.ipi_karnofsky_to
    last, sure = last_values(subject.performances, reference_day(index, study), study.parameters.ecog_window_days)
    if not last and karnofsky:
        return _karnofsky(subject, study, index, karnofsky)
    scores = [_point(one.ecog >= limit) for one in last]
    told = [str(one.ecog) for one in last]
    found = _component("ECOG", last, told, scores, sure, f" (from {limit} scores)", "ecog_window_days")
    return replace(found, value=_only(one.ecog for one in last))


def _karnofsky(subject: Subject, study: Study, index: Index, limit: int) -> Component:
    """The point for performance status where nobody recorded ECOG; which ECOG it would have been is not said."""
    last, sure = last_values(subject.karnofsky, reference_day(index, study), study.parameters.ecog_window_days)
    scores = [_point(one.percent <= limit) for one in last]
    told = [f"{one.percent} %" for one in last]
    named = "Karnofsky" if last else "ECOG"
    return _component(named, last, told, scores, sure, f" (up to {limit} % scores)", "ecog_window_days")


def _stage(subject: Subject, study: Study, index: Index) -> Component:
    """The stage in the window; an Observation wins over a Condition's stage."""
    limit, window = study.parameters.ipi_stage_from, study.parameters.imaging_window_days
    reference = reference_day(index, study)
    last, sure = last_values([one for one in subject.stagings if one.evidence == "observation"], reference, window)
    if not sure:
        last, sure = last_values(subject.stagings, reference, window)
    scores = [_point(one.stage >= limit) for one in last]
    told = [f"{one.stage}{' (from the condition)' if one.evidence == 'condition' else ''}" for one in last]
    found = _component("stage", last, told, scores, sure, f" (from {limit} scores)", "imaging_window_days")
    return replace(found, value=_only(one.stage for one in last))


def _only(values: Iterable[int]) -> int | None:
    different = set(values)
    return different.pop() if len(different) == 1 else None


def _extranodal(sites: Finding[Sites], study: Study) -> Component:
    limit = study.parameters.ipi_extranodal_over
    if sites.value is None:
        return Component(UNKNOWN, step("extranodal sites are not known", parameter="imaging_window_days"))
    count = sites.value.count
    points = Range(lowest=int(count.lowest > limit), highest=int(count.highest > limit))
    told = str(count.settled) if count.settled is not None else f"{count.lowest} to {count.highest}"
    says = f"{told} extranodal sites {_scores(points)} (over {limit} scores)"
    return Component(points, step(says, value=told, parameter="ipi_extranodal_over"), None, count.settled)


def _scores(points: Range) -> str:
    return {1: "scores 1", 0: "scores 0"}.get(points.settled if points.settled is not None else -1, "may score 0 or 1")
