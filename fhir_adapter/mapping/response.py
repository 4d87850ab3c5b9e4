"""Observation → response assessment: a category, a Deauville score, a trend, or progression told without one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from msgspec.structs import replace

from fhir_adapter.cohort.events import Assessment, Uptake
from fhir_adapter.cohort.response_system import NOT_EVALUABLE, PROGRESSION, UNSPECIFIED
from fhir_adapter.fhir.r4 import CodeableConcept, Observation
from fhir_adapter.mapping.reading import Said
from fhir_adapter.mapping.result import Place, Result, concept_of, whole_number

ASSESSMENTS = ("response", "deauville", "disease-status", "clinical-progression")
_SCORES = (1, 2, 3, 4, 5)
_NOT_LYMPHOMA = "X"
_TRENDS: Mapping[str, str] = {
    "improved": UNSPECIFIED,
    "stable": "SD",
    "worsened": PROGRESSION,
    "undetermined": NOT_EVALUABLE,
}
_REMISSIONS: Mapping[str, str] = {"full-remission": "CR", "partial-remission": "PR"}


def map_response(_: str, result: Result, resource: Observation, place: Place) -> Iterator[Said]:
    """A category that somebody stated, by code or in the study's words."""
    found, unmapped = place.reader.translate("response", concept_of(result), place.source)
    yield from unmapped
    if found.code is None:
        yield place.aside("response-ambiguous" if found.ambiguous else "response-not-read")
        return
    if found.code not in place.reader.responses:
        yield place.aside("response-of-another-system")
        return
    if found.by == "text" and found.code != NOT_EVALUABLE and place.reader.denied(concept_of(result)):
        yield place.aside("denied-or-only-suspected")
        return
    yield _assessment(found.code, "category" if found.by == "code" else "text", found.flags, resource, place)


def map_deauville(_: str, result: Result, resource: Observation, place: Place) -> Iterator[Said]:
    """A Deauville score with the change of uptake beside it; which category that makes is the study's to say."""
    score = whole_number(result)
    flags: tuple[str, ...] = ()
    if score is None:
        found, unmapped = place.reader.translate("deauville-score", concept_of(result), place.source)
        yield from unmapped
        if found.code is None:
            yield place.aside("deauville-not-read")
            return
        score, flags = (None if found.code == _NOT_LYMPHOMA else int(found.code)), found.flags
    if score is not None and score not in _SCORES:
        yield place.aside("deauville-not-1-to-5")
        return
    one = _assessment(NOT_EVALUABLE, "deauville", flags, resource, place)
    yield replace(one, deauville=score, uptake=_uptake(resource, place), modality="pet")


def map_uptake(_: str, result: Result, resource: Observation, place: Place) -> Iterator[Said]:
    """A change of uptake is read beside a Deauville score only."""
    if result is resource:
        yield place.aside("change-of-uptake-without-score")


def map_trend(_: str, result: Result, resource: Observation, place: Place) -> Iterator[Said]:
    """How the disease is said to go: a trend, unless the answer is a remission or names a category itself."""
    if _is_category_only(concept_of(result), place):
        yield from map_response(_, result, resource, place)
        return
    found, unmapped = place.reader.translate("disease-trend", concept_of(result), place.source)
    yield from unmapped
    if found.code is None or (found.by == "text" and place.reader.denied(concept_of(result))):
        yield place.aside("disease-status-not-read")
    elif found.code in _REMISSIONS:
        yield _assessment(_REMISSIONS[found.code], "category", found.flags, resource, place)
    else:
        yield _assessment(_TRENDS[found.code], "trend", found.flags, resource, place)


def _is_category_only(answer: CodeableConcept | None, place: Place) -> bool:
    """Whether an answer names a category of response and no trend."""
    terms = place.reader.terms
    return (
        terms["disease-trend"].translate(answer).code is None and terms["response"].translate(answer).code is not None
    )


def map_clinical_progression(_: str, result: Result, resource: Observation, place: Place) -> Iterator[Said]:
    """Progression that a physician wrote down without an assessment of response."""
    if result.valueBoolean is False or place.reader.denied(resource.code, concept_of(result)):
        yield place.aside("denied-or-only-suspected")
    else:
        yield _assessment(PROGRESSION, "clinical", (), resource, place)


def _assessment(category: str, method: str, flags: tuple[str, ...], resource: Observation, place: Place) -> Assessment:
    performers = tuple(one.display for one in resource.performer)
    about = (resource.code, resource.method, *resource.category)
    return assessment(category, method, flags, about, performers, place)


def assessment(
    category: str,
    method: str,
    flags: tuple[str, ...],
    about: Iterable[CodeableConcept | None],
    performers: Iterable[str],
    place: Place,
) -> Assessment:
    """The event, with the examination and the assessor as far as the record's concepts and `performers` tell them."""
    concepts = (*about, *(CodeableConcept(text=name) for name in performers if name))
    told = frozenset(name for one in concepts for name in place.reader.terms["assessor"].every(one))
    return Assessment(
        on=place.on,
        source=place.source,
        flags=(*place.flags, *flags),
        category=category,
        method=method,
        modality="pet" if "pet" in told else "ct" if "ct" in told else "",
        assessor="investigator" if "investigator" in told else "radiology" if "radiology" in told else "",
    )


def _uptake(resource: Observation, place: Place) -> Uptake:
    """The change of uptake against the examination before, when a component compares them."""
    for part in resource.component:
        if place.reader.terms["observation"].translate(part.code).code == "deauville-change":
            found = place.reader.terms["uptake-change"].translate(concept_of(part)).code
            return cast(Uptake, found or "")
    return ""
