"""Which collection an infused product was made from, as far as the records of both say so.

A product leads to its collection by a reference, by an identifier or lot number that both carry, or by the day on which
its own (contained) resource says that the cells were collected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from fhir_adapter.cohort.events import Collection
from fhir_adapter.fhir.r4 import Batch, Identifier, MedicationAdministration, Period, Procedure, Reference, Specimen
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.reading import Reader, source_of


class _Gained(msgspec.Struct, frozen=True, gc=False):
    collectedDateTime: str = ""
    collectedPeriod: Period | None = None


class _Material(msgspec.Struct, frozen=True, gc=False):
    """What identifies a contained Specimen, BiologicallyDerivedProduct or Medication."""

    identifier: tuple[Identifier, ...] = ()
    accessionIdentifier: Identifier | None = None
    batch: Batch | None = None
    collection: _Gained | None = None

    @property
    def identifiers(self) -> list[Identifier]:
        return [*self.identifier, *([self.accessionIdentifier] if self.accessionIdentifier else [])]


def names_of_collection(resource: Procedure, record: Record) -> tuple[str, ...]:
    """Everything by which a product may refer to this collection; a lot number may repeat any of its identifiers."""
    known = [*resource.identifier, *(each for one in _materials(resource.contained) for each in one.identifiers)]
    return _distinct([record.reference, *map(_told, known), *(_lot(one.value) for one in known)])


def names_of_specimen(resource: Specimen, record: Record) -> tuple[str, ...]:
    """The same for a specimen, whose accession is an identifier, too."""
    known = [*resource.identifier, *([resource.accessionIdentifier] if resource.accessionIdentifier else [])]
    return _distinct([record.reference, *map(_told, known), *(_lot(one.value) for one in known)])


def made_from(resource: Procedure | MedicationAdministration, reader: Reader) -> tuple[str, ...]:
    """What the record of an infusion says about where its cells come from: references, identifiers, lot numbers."""
    references = [*resource.partOf]
    if isinstance(resource, Procedure):
        references += resource.usedReference
    else:
        references += [*resource.supportingInformation]
        references += [resource.medicationReference] if resource.medicationReference else []
    found = [name for one in references for name in _referred(one, reader)]
    found += map(_told, resource.identifier)
    for one in _materials(resource.contained):
        found += [*map(_told, one.identifiers), *_lots(one.batch)]
    return _distinct(found)


def collected_by_product(
    resource: Procedure | MedicationAdministration, record: Record, reader: Reader
) -> Iterator[Collection]:
    """The collection that a contained product tells the day of, under the name of its infusion."""
    for one in _materials(resource.contained):
        gained = one.collection or _Gained()
        on, ended, _ = reader.span(gained.collectedDateTime, gained.collectedPeriod)
        if on:
            yield Collection(
                on=on, ended=ended, source=source_of(record, "contained.collection"), names=(record.reference,)
            )


def _referred(reference: Reference, reader: Reader) -> Iterator[str]:
    plain = reference.reference.split("/_history/")[0]
    yield "/".join(plain.split("/")[-2:])
    if reference.identifier:
        yield _told(reference.identifier)
    if medication := reader.medications.get(plain.rpartition("Medication/")[2]):
        yield from map(_told, medication.identifier)
        yield from _lots(medication.batch)


def _told(identifier: Identifier) -> str:
    value = identifier.value.strip()
    return f"{identifier.system}|{value}" if value else ""


def _lots(batch: Batch | None) -> list[str]:
    return [_lot(batch.lotNumber)] if batch else []


def _lot(number: str) -> str:
    return f"lot {number.strip()}" if number.strip() else ""


def _materials(contained: Sequence[msgspec.Raw]) -> Iterator[_Material]:
    for raw in contained:
        try:
            yield msgspec.json.decode(raw, type=_Material)
        except (msgspec.ValidationError, msgspec.DecodeError):
            continue


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name}))
