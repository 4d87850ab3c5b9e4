"""MedicationRequest → Doses that were ordered, where the study accepts that as evidence."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_adapter.cohort.events import Dose
from fhir_adapter.fhir.r4 import MedicationRequest
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.medication import drug_told
from fhir_adapter.mapping.reading import Reader, Said, set_aside, source_of

_ORDERED = {"active", "completed", "stopped", "on-hold"}
_PERHAPS = {"stopped", "on-hold"}
_NO_ORDER = {"proposal", "plan", "option"}


def map_request(resource: MedicationRequest, record: Record, reader: Reader, car_t: frozenset[str]) -> Iterator[Said]:
    """One dose for each day the order names, else one on the day it was written; how long it runs proves nothing."""
    why = _why_not(resource, reader)
    if why:
        yield set_aside(record, why)
        return
    planned = [day for one in resource.dosageInstruction if one.timing for day in one.timing.event]
    element = "dosageInstruction.timing.event" if planned else "authoredOn"
    source = source_of(record, element)
    days = [reader.date(text) for text in planned or [resource.authoredOn]]
    drug, said = drug_told(resource, record, source, reader.date(resource.authoredOn) or days[0], reader, car_t)
    yield from said
    if drug:
        for on in days:
            yield Dose(
                on=on,
                source=source,
                flags=drug.flags_on(on),
                agent=drug.agent,
                label=drug.label,
                given="perhaps" if resource.status in _PERHAPS else "yes",
                evidence="request",
            )


def _why_not(resource: MedicationRequest, reader: Reader) -> str:
    """Why the request is no order that may count; empty when it is one."""
    if "request" not in reader.evidence:
        return "evidence-not-accepted"
    if resource.status not in _ORDERED:
        return f"status-{resource.status or 'missing'}"
    if resource.doNotPerform:
        return "order-not-to-give"
    return f"intent-{resource.intent}" if resource.intent in _NO_ORDER else ""
