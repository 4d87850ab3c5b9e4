"""Condition → Diagnosis, Staging, or an adverse event that was recorded as a condition."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_adapter.cohort.events import AdverseEvent, Diagnosis, DiseaseSite, Staging
from fhir_adapter.fhir.r4 import CodeableConcept, Condition
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.grades import UNKNOWN_GRADE, Graded, read_grade, scale_of
from fhir_adapter.mapping.reading import Reader, Said, set_aside, source_of

_NOT_TRUE = {"refuted", "entered-in-error"}
# Said by somebody, not confirmed: not enough to put a person into a cohort.
_NOT_CONFIRMED = {"unconfirmed", "provisional", "differential"}


def map_condition(resource: Condition, record: Record, reader: Reader) -> Iterator[Said]:
    """A condition counts when nobody has refuted it and it is not only suspected."""
    said = _codes(resource.verificationStatus)
    for status in sorted(said & (_NOT_TRUE | _NOT_CONFIRMED)):
        yield set_aside(record, f"verification-{status}")
        return
    recorded = reader.date(resource.recordedDate)
    onset, _, _ = reader.span(resource.onsetDateTime, resource.onsetPeriod)
    source = source_of(record, "code")
    term = reader.terms["adverse-event"].translate(resource.code)
    if term.code in ("crs", "icans"):
        if term.by == "text" and reader.denied(resource.code):
            yield set_aside(record, "denied-or-only-suspected")
            return
        flags = term.flags if onset else (*term.flags, "onset-from-recorded-date")
        graded = _graded(resource, reader)
        yield AdverseEvent(
            on=onset or recorded,
            source=source,
            term=term.code,
            grade_min=graded.lowest,
            grade_max=graded.highest,
            scale=graded.scale,
            carrier="condition",
            flags=(*flags, *graded.flags),
        )
        return
    disease, unmapped = reader.translate("condition", resource.code, source)
    yield from unmapped
    if disease.code is None:
        yield set_aside(record, "condition-ambiguous" if disease.ambiguous else "condition-not-in-study")
        return
    if disease.by == "text" and reader.denied(resource.code):
        yield set_aside(record, "denied-or-only-suspected")
        return
    label = (resource.code.text if resource.code else "") or disease.code
    yield Diagnosis(on=onset, recorded=recorded, source=source, flags=disease.flags, disease=disease.code, label=label)
    if disease.code not in reader.diseases:
        # Stage and sites of another disease say nothing about this one.
        return
    for stage in resource.stage:
        found = reader.terms["stage"].translate(stage.summary)
        if found.code:
            flags = (*found.flags, "stage-from-condition")
            place = source_of(record, "stage.summary")
            yield Staging(on=recorded or onset, source=place, flags=flags, stage=int(found.code), evidence="condition")
    for site in resource.bodySite:
        place = source_of(record, "bodySite")
        for where in sorted(reader.terms["body-site"].every(site) - {"none"}):
            extranodal = is_extranodal(reader, where)
            yield DiseaseSite(on=recorded or onset, source=place, site=where, extranodal=extranodal)


def _graded(resource: Condition, reader: Reader) -> Graded:
    """The grade in the code or its words, else one written as the severity or the stage. "Severe" is no grade."""
    stages = (stage.summary for stage in resource.stage)
    for told in (resource.code, resource.severity, *stages):
        if found := read_grade(reader, told, resource.code, *(stage.type for stage in resource.stage)):
            return found
    return Graded(*UNKNOWN_GRADE, scale_of(reader, resource.code))


def is_extranodal(reader: Reader, site: str) -> bool:
    return "true" in reader.terms.property_of(reader.site_system, site, "extranodal")


def _codes(concept: CodeableConcept | None) -> frozenset[str]:
    return frozenset(coding.code for coding in concept.coding) if concept else frozenset()
