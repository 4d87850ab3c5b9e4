"""Specimen → Collection, when it says of itself that it came from a collection of lymphocytes."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_adapter.cohort.events import Collection
from fhir_adapter.fhir.r4 import Specimen, SpecimenCollection
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.cell_product import names_of_specimen
from fhir_adapter.mapping.reading import Reader, Said, set_aside, source_of

_FAILED = "unsatisfactory"


def map_specimen(resource: Specimen, record: Record, reader: Reader) -> Iterator[Said]:
    """The day on which it was collected, under every name by which a product may say that it was made from it."""
    if "specimen" not in reader.further:
        yield set_aside(record, "record-not-accepted")
        return
    if resource.status == "entered-in-error":
        yield set_aside(record, "status-entered-in-error")
        return
    if reader.terms["procedure"].translate(resource.type).code != "leukapheresis":
        yield set_aside(record, "specimen-not-in-study")
        return
    collected = resource.collection or SpecimenCollection()
    on, ended, kind = reader.span(collected.collectedDateTime, collected.collectedPeriod)
    if on is None:
        yield set_aside(record, "no-usable-date")
        return
    yield Collection(
        on=on,
        ended=ended,
        source=source_of(record, f"collection.collected{kind}"),
        succeeded=resource.status != _FAILED,
        names=names_of_specimen(resource, record),
    )
