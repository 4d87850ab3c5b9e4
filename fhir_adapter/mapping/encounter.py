"""Encounter → Contact: proof that the person was alive that day; or the death with which it ended."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_adapter.cohort.events import Contact, Death
from fhir_adapter.fhir.r4 import Encounter, Period
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.reading import Reader, Said, set_aside, source_of

_HAPPENED = {"arrived", "triaged", "in-progress", "onleave", "finished"}
# The end of an encounter that is still going on is a plan.
_DISPOSITION, _EXPIRED = "http://terminology.hl7.org/CodeSystem/discharge-disposition", "exp"


def map_encounter(resource: Encounter, record: Record, reader: Reader) -> Iterator[Said]:
    """Only an encounter that took place is a contact; its start and its end both are."""
    if resource.status not in _HAPPENED:
        yield set_aside(record, f"status-{resource.status or 'missing'}")
        return
    period = resource.period or Period()
    days = [("start", reader.date(period.start))]
    if _ended_in_death(resource):
        yield Death(on=reader.date(period.end), source=source_of(record, "hospitalization.dischargeDisposition"))
    elif resource.status == "finished":
        days.append(("end", reader.date(period.end)))
    for end, on in days:
        if on:
            yield Contact(on=on, source=source_of(record, f"period.{end}"), kind="encounter")
    if not any(on for _, on in days):
        yield set_aside(record, "no-usable-date")


def _ended_in_death(resource: Encounter) -> bool:
    """Whether the person was discharged as deceased."""
    how = resource.hospitalization.dischargeDisposition if resource.hospitalization else None
    return how is not None and any(coding.system == _DISPOSITION and coding.code == _EXPIRED for coding in how.coding)
