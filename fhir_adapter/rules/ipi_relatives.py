"""Relatives of the IPI from the same findings: R-IPI, age-adjusted IPI and NCCN-IPI, each as the range it can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fhir_adapter.cohort.finding import Finding, Index, Range, Score, Sites, Span, Step, rests_on
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.rules.ipi import PARAMETERS, UNKNOWN, Component, components, last_ldh, ldh_above

# The cut points are what NCCN-IPI means (Blood 123:837); a study that moves them has another score.
_NCCN_AGES = (40, 60, 75)
_NCCN_LDH = (1, 3)
_NCCN_GROUPS = ((0, "low"), (2, "low-intermediate"), (4, "high-intermediate"), (6, "high"))
_AA_GROUPS = ((0, "low"), (1, "low-intermediate"), (2, "high-intermediate"), (3, "high"))
Groups = Sequence[tuple[int, str]]


def ipi_relatives(
    subject: Subject, study: Study, index: Index, age: Finding[Span], sites: Finding[Sites]
) -> tuple[Finding[Score], ...]:
    """R-IPI, aaIPI and NCCN-IPI. Nothing is imputed: a missing component leaves a range of points and of groups."""
    if study.parameters.lymphoma_baseline == "off":
        return ()
    parts = components(subject, study, index, age, sites)
    revised = total([part.points for part in parts.values()])
    good, poor = study.parameters.r_ipi_good_from, study.parameters.r_ipi_poor_from
    r_groups, used = ((0, "very good"), (good, "good"), (poor, "poor")), ("r_ipi_good_from", "r_ipi_poor_from")
    found = [_finding("r_ipi", "R-IPI", revised, r_groups, parts, age, sites, study, *used)]
    adjusted = total([parts[name].points for name in ("ldh", "ecog", "stage")])
    found.append(_age_adjusted(adjusted, parts, age, sites, study))
    nccn = total(
        [
            _age_points(age),
            _ldh_points(subject, study, index),
            parts["ecog"].points,
            parts["stage"].points,
            _site_points(sites, study),
        ]
    )
    found.append(_finding("nccn_ipi", "NCCN-IPI", nccn, _NCCN_GROUPS, parts, age, sites, study, "nccn_ipi_sites"))
    return tuple(found)


def total(points: Sequence[Range]) -> Range:
    """The sum of points that are known or bounded."""
    return Range(lowest=sum(one.lowest for one in points), highest=sum(one.highest for one in points))


def _age_adjusted(
    points: Range, parts: Mapping[str, Component], age: Finding[Span], sites: Finding[Sites], study: Study
) -> Finding[Score]:
    """The aaIPI is a score for people who are not older than the limit of the IPI."""
    found = _finding("aa_ipi", "aaIPI", points, _AA_GROUPS, parts, age, sites, study)
    limit = study.parameters.ipi_age_over
    if age.value and age.value.longest <= limit:
        return found
    older = age.value is not None and age.value.shortest > limit
    says = f"The aaIPI is for people up to {limit} years."
    verdict = "not met" if older else "undetermined"
    return found.model_copy(update={"verdict": verdict, "value": None, "sentence": says})


def _age_points(age: Finding[Span]) -> Range:
    if age.value is None:
        return Range(lowest=0, highest=len(_NCCN_AGES))
    low, high = (sum(years > limit for limit in _NCCN_AGES) for years in (age.value.shortest, age.value.longest))
    return Range(lowest=low, highest=high)


def _ldh_points(subject: Subject, study: Study, index: Index) -> Range:
    last, sure = last_ldh(subject, study, index)
    if not sure:
        return Range(lowest=0, highest=len(_NCCN_LDH))
    each = [total([ldh_above(lab, times) for times in _NCCN_LDH]) for lab in last]
    return Range(lowest=min(one.lowest for one in each), highest=max(one.highest for one in each))


def _site_points(sites: Finding[Sites], study: Study) -> Range:
    """One point for disease in one of the organs that the score names."""
    if sites.value is None:
        return UNKNOWN
    wanted = set(study.parameters.nccn_ipi_sites)
    if sites.value.told and not sites.value.organs:
        return UNKNOWN
    surely = bool(wanted & set(sites.value.organs))
    return Range(lowest=int(surely), highest=int(surely or bool(wanted & set(sites.value.perhaps))))


def _finding(
    rule: str,
    name: str,
    points: Range,
    groups: Groups,
    parts: Mapping[str, Component],
    age: Finding[Span],
    sites: Finding[Sites],
    study: Study,
    *parameters: str,
) -> Finding[Score]:
    low, high = (_group(end, groups) for end in (points.lowest, points.highest))
    written = str(points.lowest) if points.settled is not None else f"between {points.lowest} and {points.highest}"
    steps: tuple[Step, ...] = tuple(part.step for part in parts.values())
    sources = (*age.sources, *rests_on(*(part.event for part in parts.values())), *sites.sources)
    return Finding(
        rule=rule,
        verdict="met" if points.settled is not None else "undetermined",
        value=Score(points=points, group=low if low == high else ""),
        sentence=f"{name} {written}: {low if low == high else f'{low} to {high}'}.",
        steps=steps,
        sources=tuple(dict.fromkeys(sources)),
        parameters=study.parameters.named(*PARAMETERS, *parameters),
    )


def _group(points: int, groups: Groups) -> str:
    return [name for first, name in groups if points >= first][-1]
