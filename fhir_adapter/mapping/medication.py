"""Which medication a reference means: a contained resource, a Medication among the data, else its display."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from fhir_adapter.fhir.r4 import CodeableConcept, Medication, Reference, decode
from fhir_adapter.fhir.record import Record, Unreadable
from fhir_adapter.mapping.reading import Reader
from fhir_adapter.mapping.terminology import NOTHING, Translation


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


def agent_of(names: Iterable[CodeableConcept], reader: Reader) -> tuple[Translation, CodeableConcept | None]:
    """The study's agent by the first name that tells one, and that name."""
    for name in names:
        found = reader.terms["medication"].translate(name)
        if found.code is not None or found.ambiguous:
            return found, name
    return NOTHING, None


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
