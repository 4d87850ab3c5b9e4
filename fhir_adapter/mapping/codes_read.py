"""Which codes a study reads of each resource type: what a server can be asked for instead of everything."""

from __future__ import annotations

from collections.abc import Mapping

from fhir_adapter.fhir.r4 import WEAKER_EVIDENCE
from fhir_adapter.mapping.terminology import Terminology

# The ConceptMaps that translate the code by which a resource of this type is recognised.
_TABLES = {
    "Condition": ("condition", "adverse-event"),
    "MedicationAdministration": ("medication",),
    **dict.fromkeys(WEAKER_EVIDENCE.values(), ("medication",)),
    "Medication": ("medication",),
    "Procedure": ("procedure",),
    "Observation": ("observation",),
    "AdverseEvent": ("adverse-event",),
}


def codes_read(terms: Terminology) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """(system, code) of everything recognised by code, by resource type, under every name that a system goes by."""
    return {
        type: tuple(sorted({pair for table in tables for pair in _spellings(terms, table)}))
        for type, tables in _TABLES.items()
    }


def _spellings(terms: Terminology, table: str) -> set[tuple[str, str]]:
    found = terms[table]
    names: dict[str, set[str]] = {}
    for alias, canonical in found.aliases.items():
        names.setdefault(canonical, {canonical}).add(alias)
    return {(name, code) for system, code in (*found.codes, *found.meanings) for name in names.get(system, {system})}
