"""Which medication a reference means: a contained resource, a Medication among the data, else its display."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from fhir_adapter.fhir.r4 import CodeableConcept, Medication, Reference, decode
from fhir_adapter.fhir.record import Record, Unreadable


def medications(shared: Iterable[Record]) -> Mapping[str, Medication]:
    """The Medication resources by id, for resources that point to them."""
    found: dict[str, Medication] = {}
    for record in shared:
        if record.type == "Medication" and (resource := _read(record.body)) and resource.status != "entered-in-error":
            found[record.id] = resource
    return found


def medication_concept(
    reference: Reference | None, contained: tuple[msgspec.Raw, ...], known: Mapping[str, Medication]
) -> CodeableConcept | None:
    """The medication behind a reference as a concept; None when it cannot be resolved and has no display."""
    if reference is None:
        return None
    medication = _resolve(reference.reference, contained, known)
    if medication and medication.code:
        return medication.code
    if medication:
        named = [ingredient.itemCodeableConcept for ingredient in medication.ingredient]
        if len(named) == 1 and named[0]:
            return named[0]
    return CodeableConcept(text=reference.display) if reference.display else None


def _resolve(reference: str, contained: tuple[msgspec.Raw, ...], known: Mapping[str, Medication]) -> Medication | None:
    if reference.startswith("#"):
        inner = (_read(raw) for raw in contained)
        return next((one for one in inner if one and one.id.lstrip("#") == reference[1:]), None)
    return known.get(reference.split("/_history/")[0].rpartition("Medication/")[2])


def _read(body: bytes | msgspec.Raw) -> Medication | None:
    try:
        resource = decode(body)
    except Unreadable:
        return None
    return resource if isinstance(resource, Medication) else None
