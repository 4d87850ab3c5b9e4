"""Which drug a record means: by its own words, or by a Medication that is contained, among the data, or displayed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from fhir_adapter.cohort.events import Source
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.fhir.r4 import (
    CodeableConcept,
    Medication,
    MedicationAdministration,
    MedicationDispense,
    MedicationRequest,
    MedicationStatement,
    Reference,
    decode,
)
from fhir_adapter.fhir.record import Record, Unreadable
from fhir_adapter.mapping.reading import Reader, Said, set_aside
from fhir_adapter.mapping.terminology import NOTHING, Translation

NamesDrug = MedicationAdministration | MedicationStatement | MedicationDispense | MedicationRequest


@dataclass(frozen=True, slots=True)
class Drug:
    """The study's agent that a record names, and the words it was named with."""

    agent: str
    label: str
    flags: tuple[str, ...]

    def flags_on(self, on: PartialDate | None) -> tuple[str, ...]:
        """The flags of a dose on that day; None when the record gives none."""
        return self.flags if on else (*self.flags, "undated")


def medications(shared: Iterable[Record]) -> Mapping[str, Medication]:
    """The Medication resources by id, for resources that point to them."""
    found: dict[str, Medication] = {}
    for record in shared:
        if record.type == "Medication" and (resource := _read(record.body)) and resource.status != "entered-in-error":
            found[record.id] = resource
    return found


def names_of(
    inline: CodeableConcept | None, reference: Reference | None, contained: tuple[msgspec.Raw, ...], reader: Reader
) -> list[CodeableConcept]:
    """What a medication is called, the most telling first: its own code, its only ingredient, the display."""
    names = [inline] if inline else []
    if reference:
        medication = _resolve(reference.reference, contained, reader)
        if medication:
            ingredients = [one.itemCodeableConcept for one in medication.ingredient if one.itemCodeableConcept]
            names += [medication.code] if medication.code else []
            names += ingredients if len(ingredients) == 1 else []
        names += [CodeableConcept(text=reference.display)] if reference.display else []
    return names


def drug_of(
    resource: NamesDrug, record: Record, source: Source, on: PartialDate | None, reader: Reader
) -> tuple[Drug | None, list[Said]]:
    """The drug a record names, else what is to be said about it: what was not known, and why it is set aside."""
    names = names_of(resource.medicationCodeableConcept, resource.medicationReference, resource.contained, reader)
    if not names:
        return None, [set_aside(record, "medication-not-resolved")]
    found, name = _agent_of(names, on, reader)
    if found.code is None:
        _, unmapped = reader.translate("medication", names[0], source)
        why = "medication-ambiguous" if found.ambiguous else "medication-not-in-study"
        return None, [*unmapped, set_aside(record, why)]
    label = name.text or next((coding.display for coding in name.coding if coding.display), found.code)
    return Drug(found.code, label, found.flags), []


def drug_told(
    resource: NamesDrug, record: Record, source: Source, on: PartialDate | None, reader: Reader, car_t: frozenset[str]
) -> tuple[Drug | None, list[Said]]:
    """As `drug_of`, for a record that is no administration: whoever ordered or fetched cells has not infused them."""
    drug, said = drug_of(resource, record, source, on, reader)
    if drug and drug.agent in car_t:
        return None, [*said, set_aside(record, "cells-not-administered")]
    return drug, said


def _agent_of(
    names: Iterable[CodeableConcept], on: PartialDate | None, reader: Reader
) -> tuple[Translation, CodeableConcept]:
    """The study's agent by the first name that tells one, and that name."""
    for name in names:
        found = reader.terms["medication"].translate_on(name, on)
        if found.code is not None or found.ambiguous:
            return found, name
    return NOTHING, CodeableConcept()


def _resolve(reference: str, contained: tuple[msgspec.Raw, ...], reader: Reader) -> Medication | None:
    if reference.startswith("#"):
        inner = (_read(raw) for raw in contained)
        return next((one for one in inner if one and one.id.lstrip("#") == reference[1:]), None)
    base, found, name = reference.split("/_history/")[0].rpartition("Medication/")
    if found and base and reader.base_url and base.rstrip("/") != reader.base_url:
        # Another server's Medication may have the same id and be something else.
        return None
    return reader.medications.get(name.removeprefix("urn:uuid:"))


def _read(body: bytes | msgspec.Raw) -> Medication | None:
    try:
        resource = decode(body)
    except Unreadable:
        return None
    return resource if isinstance(resource, Medication) else None
