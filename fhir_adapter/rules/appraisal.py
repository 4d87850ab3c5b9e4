"""Which response assessments count: what is no category of response, and which of a day that disagree gives way.

Parameters: docs/reference/parameters.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from fhir_adapter.cohort.events import Assessment
from fhir_adapter.cohort.finding import Step, step
from fhir_adapter.cohort.parameters import Parameters
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.fhir.dates import PartialDate

PARAMETERS = ("deauville", "deauville_3", "trend_as_response", "clinical_progression", "preferred_assessor")
CLINICAL, TREND = "clinical-progression-is-not-counted", "a-trend-is-not-a-response"
GIVES_WAY = "gives-way-to-"
_NEGATIVE_TO = {"negative": 3, "positive": 2}  # the highest Deauville score of a metabolic CR
_BY_UPTAKE: Mapping[str, str] = {"less": "PR", "same": "SD", "more": "PD", "": "NE"}
_TREND: Mapping[str, str] = {"responded-unspecified": "improved", "SD": "stable", "PD": "worsened"}
_STATED = ("category", "text")
# What gives way on a day with answers that differ, in this order, and to what.
_ORDER: tuple[tuple[str, Callable[[Assessment], bool]], ...] = (
    ("pet", lambda one: one.modality != "ct"),
    ("stated-category", lambda one: one.method in _STATED),
)


def appraise(subject: Subject, study: Study) -> Subject:
    """The person with the assessments that count; those that do not stand apart, each with the reason as a flag."""
    read = [_categorised(one, study.parameters) for one in subject.assessments]
    uncounted = {one: reason for one in read if (reason := _is_no_category(one, study.parameters))}
    counted = [one for one in read if one not in uncounted]
    for others in _by_day(counted).values():
        uncounted |= _giving_way(others, study.parameters)
    return subject.model_copy(
        update={
            "assessments": tuple(one for one in read if one not in uncounted),
            "overruled": tuple(replace(one, flags=(*one.flags, uncounted[one])) for one in read if one in uncounted),
        }
    )


def overruled_steps(overruled: Iterable[Assessment]) -> tuple[Step, ...]:
    """Which assessments do not count, and why."""
    return tuple(
        step(f"{one.category} is not counted: {one.flags[-1].replace('-', ' ')}", one, value=one.category)
        for one in overruled
    )


def _categorised(one: Assessment, parameters: Parameters) -> Assessment:
    """A Deauville score as its category: 4 and 5 have one only beside a comparison."""
    if one.method != "deauville":
        return one
    negative = one.deauville is not None and one.deauville <= _NEGATIVE_TO[parameters.deauville_3]
    category = "CR" if negative else _BY_UPTAKE[one.uptake] if one.deauville else "NE"
    return replace(one, category=category)


def _is_no_category(one: Assessment, parameters: Parameters) -> str:
    if one.method == "clinical" and parameters.clinical_progression == "ignore":
        return CLINICAL
    if one.method == "deauville" and parameters.deauville == "ignore":
        return "a-deauville-score-is-not-counted"
    if one.method == "trend" and _TREND.get(one.category, "") not in (*parameters.trend_as_response, ""):
        return TREND
    return ""


def _by_day(assessments: Iterable[Assessment]) -> dict[PartialDate, list[Assessment]]:
    """The assessments of every day that is known exactly."""
    found: dict[PartialDate, list[Assessment]] = {}
    for one in assessments:
        if one.on and one.on.exact:
            found.setdefault(one.on, []).append(one)
    return found


def _giving_way(day: list[Assessment], parameters: Parameters) -> dict[Assessment, str]:
    """Those of one day that give way to a stronger one with another category."""
    gone: dict[Assessment, str] = {}
    for name, is_stronger in (*_preferred_assessor(parameters), *_ORDER):
        left = [one for one in day if one not in gone and one.category != "NE"]
        stronger = {one.category for one in left if is_stronger(one)}
        if stronger and len({one.category for one in left}) > 1:
            weaker = [one for one in left if not is_stronger(one) and one.category not in stronger]
            gone |= dict.fromkeys(weaker, f"{GIVES_WAY}{name}")
    return gone


def _preferred_assessor(parameters: Parameters) -> tuple[tuple[str, Callable[[Assessment], bool]], ...]:
    """An assessment that names no assessor is the treating physician's."""
    match parameters.preferred_assessor:
        case "investigator":
            return (("investigator", lambda one: one.assessor != "radiology"),)
        case "radiology":
            return (("radiology", lambda one: one.assessor == "radiology"),)
        case _:
            return ()
