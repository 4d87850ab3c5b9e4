"""MedicationDispense → Dose that was handed out, where the study accepts that as evidence."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_adapter.cohort.events import Dose
from fhir_adapter.fhir.r4 import MedicationDispense
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.medication import drug_told
from fhir_adapter.mapping.reading import Reader, Said, set_aside, source_of


def map_dispense(resource: MedicationDispense, record: Record, reader: Reader, car_t: frozenset[str]) -> Iterator[Said]:
    """What the pharmacy handed over, on that day. Only a completed dispense has left the pharmacy."""
    if "dispense" not in reader.evidence:
        yield set_aside(record, "evidence-not-accepted")
        return
    if resource.status != "completed":
        yield set_aside(record, f"status-{resource.status or 'missing'}")
        return
    element = "whenHandedOver" if resource.whenHandedOver else "whenPrepared"
    on = reader.date(resource.whenHandedOver or resource.whenPrepared)
    source = source_of(record, element)
    drug, said = drug_told(resource, record, source, on, reader, car_t)
    yield from said
    if drug:
        yield Dose(
            on=on,
            source=source,
            flags=drug.flags_on(on),
            agent=drug.agent,
            label=drug.label,
            evidence="dispense",
        )
