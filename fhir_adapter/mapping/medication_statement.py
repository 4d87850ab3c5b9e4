"""MedicationStatement → Dose by hearsay, where the study accepts it."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_adapter.cohort.events import Dose
from fhir_adapter.fhir.r4 import MedicationStatement
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.medication import drug_told
from fhir_adapter.mapping.reading import Reader, Said, set_aside, source_of

_TAKEN = {"active", "completed", "stopped", "on-hold"}
_GOES_ON = {"active", "stopped", "on-hold"}


def map_statement(
    resource: MedicationStatement, record: Record, reader: Reader, car_t: frozenset[str]
) -> Iterator[Said]:
    """What somebody reports to have been taken, from when to when. Without an end, the last dose is not known."""
    if "statement" not in reader.evidence:
        yield set_aside(record, "evidence-not-accepted")
        return
    if resource.status not in _TAKEN:
        yield set_aside(record, f"status-{resource.status or 'missing'}")
        return
    started, ended, kind = reader.span(resource.effectiveDateTime, resource.effectivePeriod)
    source = source_of(record, f"effective{kind}" if kind else "effective[x]")
    drug, said = drug_told(resource, record, source, started, reader, car_t)
    yield from said
    if drug:
        yield Dose(
            on=started,
            source=source,
            flags=drug.flags_on(started),
            agent=drug.agent,
            label=drug.label,
            ended=ended,
            ongoing=resource.status in _GOES_ON and kind == "Period" and ended is None,
            evidence="statement",
        )
