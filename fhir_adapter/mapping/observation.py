"""Observation → laboratory result, performance status, stage, lesion, site, response or graded adverse event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fhir_adapter.cohort.events import Contact, DiseaseSite, Lab, Performance, SiteCount, Staging
from fhir_adapter.fhir.r4 import Observation
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.cause_of_death import CAUSE_OF_DEATH, map_cause_of_death
from fhir_adapter.mapping.condition import is_extranodal
from fhir_adapter.mapping.decision import map_decision
from fhir_adapter.mapping.graded_event import map_graded_event
from fhir_adapter.mapping.karnofsky import map_karnofsky
from fhir_adapter.mapping.laboratory import map_lab, name_of_sample
from fhir_adapter.mapping.lesion import map_lesion
from fhir_adapter.mapping.precedents import Precedent, key_of
from fhir_adapter.mapping.prognostic_score import SCORES, map_score
from fhir_adapter.mapping.reading import Reader, Said, Unmapped, set_aside, source_of
from fhir_adapter.mapping.response import (
    ASSESSMENTS,
    map_clinical_progression,
    map_deauville,
    map_response,
    map_trend,
    map_uptake,
)
from fhir_adapter.mapping.result import Mapper, Place, Result, concept_of, has_value, whole_number

NO_SITE = "none"
_LOOKS_ALIKE = "other"  # measurements whose names resemble ours and that the study's tables know not to be ours
_NOT_A_RESULT = {"entered-in-error", "cancelled", "registered", "unknown"}
_PRELIMINARY = "preliminary"


def map_observation(resource: Observation, record: Record, reader: Reader) -> Iterable[Said]:
    """One result, or the components of a panel. Cancelled, registered and wrong entries are set aside."""
    key = key_of(resource, reader.sex)
    if key is None:
        return _map_at_length(resource, record, reader)
    if (precedent := reader.precedents.find(key)) and (said := _as_before(precedent, resource, record, reader)):
        return said
    found = tuple(_map_at_length(resource, record, reader))
    match found:
        case (Contact(), Lab() as lab) if number := resource.valueQuantity:
            scale = reader.scale(lab.observable, number, resource.referenceRange, lab.on)
            reader.precedents.keep(key, Precedent(lab, scale, reader.units.analytes[lab.observable]))
    return found


def _as_before(precedent: Precedent, resource: Observation, record: Record, reader: Reader) -> tuple[Said, ...]:
    """A result like an earlier one; nothing where it is not quite like it."""
    on, _, _ = reader.span(resource.effectiveDateTime or resource.effectiveInstant, resource.effectivePeriod)
    number = resource.valueQuantity
    if on is None or number is None:
        return ()
    lab = precedent.of(number, on, source_of(record, "value[x]"), name_of_sample(resource))
    return (Contact(on=on, source=source_of(record, "effective[x]"), kind="observation"), lab) if lab else ()


def _map_at_length(resource: Observation, record: Record, reader: Reader) -> Iterator[Said]:
    if resource.status in _NOT_A_RESULT:
        yield set_aside(record, f"status-{resource.status}")
        return
    moment = resource.effectiveDateTime or resource.effectiveInstant
    on, _, _ = reader.span(moment, resource.effectivePeriod)
    flags = ("preliminary",) if resource.status == _PRELIMINARY else ()
    source = source_of(record, "effective[x]")
    code, unmapped = reader.translate("observation", resource.code, source)
    if on and resource.dataAbsentReason is None and code.code != CAUSE_OF_DEATH:
        yield Contact(on=on, source=source, kind="observation")
    used: list[tuple[str, Result, str, tuple[str, ...]]] = []
    if code.code and code.code != _LOOKS_ALIKE:
        used.append((code.code, resource, "value[x]", code.flags))
    unknown_parts: list[Unmapped] = []
    for number, part in enumerate(resource.component):
        found, missing = reader.translate("observation", part.code, source)
        if found.code and found.code != _LOOKS_ALIKE:
            used.append((found.code, part, f"component[{number}].value[x]", found.flags))
        unknown_parts += missing
    if unmapped and (not used or has_value(resource)):  # else it is the name of a panel
        yield from unmapped
    yield from unknown_parts
    if not used:
        yield set_aside(record, "observation-ambiguous" if code.ambiguous else "observation-not-in-study")
        return
    if on is None:
        yield set_aside(record, "no-usable-date")
        # An assessment whose day is lost is still known to have been made, and a death to have happened.
        used = [one for one in used if one[0] in (*ASSESSMENTS, CAUSE_OF_DEATH)]
        flags = (*flags, "undated")
    for name, result, element, extra in used:
        if result is resource and resource.component and not has_value(resource):
            continue
        place = Place(on, record, element, (*flags, *extra), reader)
        yield from _MAPPERS.get(name, map_lab)(name, result, resource, place)


def _performance(_: str, result: Result, __: Observation, place: Place) -> Iterator[Said]:
    ecog = whole_number(result)
    if ecog is None:
        told = place.reader.terms["ecog-score"].translate(concept_of(result)).code or ""
        ecog = int(told) if told.isdecimal() else None
    if ecog is None or not 0 <= ecog <= 5:
        yield place.aside("ecog-not-0-to-5")
    else:
        yield Performance(on=place.on, source=place.source, flags=place.flags, ecog=ecog)


def _stage(_: str, result: Result, __: Observation, place: Place) -> Iterator[Said]:
    found, unmapped = place.reader.translate("stage", concept_of(result), place.source)
    yield from unmapped
    if found.code:
        flags = (*place.flags, *found.flags)
        yield Staging(on=place.on, source=place.source, flags=flags, stage=int(found.code))
    else:
        yield place.aside("stage-not-read")


def _site(_: str, result: Result, resource: Observation, place: Place) -> Iterator[Said]:
    if (count := whole_number(result)) is not None:
        yield SiteCount(on=place.on, source=place.source, flags=place.flags, count=count)
        return
    concept = concept_of(result) or resource.bodySite
    named = place.reader.terms["body-site"].every(concept)
    if result.valueBoolean is False or place.reader.denied(concept):
        # "liver; spleen negative": which of them is denied cannot be told.
        yield place.aside("sites-partly-denied" if len(named) > 1 else "site-not-involved")
        return
    if not named:
        _unknown, unmapped = place.reader.translate("body-site", concept, place.source)
        yield from unmapped
        yield place.aside("site-not-read")
    # "none" beside a site belongs to something else that the text says.
    for site in sorted(named - {NO_SITE} or named):
        extranodal = is_extranodal(place.reader, site)
        yield DiseaseSite(on=place.on, source=place.source, flags=place.flags, site=site, extranodal=extranodal)


_MAPPERS: dict[str, Mapper] = {
    "ecog": _performance,
    "karnofsky": map_karnofsky,
    "stage": _stage,
    "lesion-diameter": map_lesion,
    "extranodal-site": _site,
    "response": map_response,
    "deauville": map_deauville,
    "disease-status": map_trend,
    "deauville-change": map_uptake,
    "clinical-progression": map_clinical_progression,
    "treatment-decision": map_decision,
    CAUSE_OF_DEATH: map_cause_of_death,
    "crs-grade": map_graded_event,
    "icans-grade": map_graded_event,
    **dict.fromkeys(SCORES, map_score),
}
