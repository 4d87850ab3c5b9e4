"""What this server can do, said exactly: built from the same tables that serve the requests."""

from __future__ import annotations

from collections.abc import Sequence

from fhir_adapter import __version__
from fhir_adapter.fhir.canonical import Json
from fhir_adapter.sandbox.parameters import parameters_of

_INTERACTIONS = (
    "read",
    "vread",
    "update",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
_RELEASED = "2026-11-22"
_BULK = "http://hl7.org/fhir/uv/bulkdata"
_EXPORTED = ("Patient", "Group")


def capability_statement(base: str, types: Sequence[str]) -> dict[str, Json]:
    """The CapabilityStatement of a server at `base` that holds these types."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _RELEASED,
        "kind": "instance",
        "software": {"name": "fhir-adapter sandbox", "version": __version__},
        "implementation": {"description": "A FHIR server in memory for invented patients", "url": base},
        "instantiates": [f"{_BULK}/CapabilityStatement/bulk-data"],
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": (
                    "Resources are kept in memory and not validated against profiles. Searches take "
                    "_count, _sort, _total, _elements, _include and _summary=count, by GET or POST. In a transaction "
                    "urn:uuid references and conditional references are resolved. Exports take _type, _since "
                    "and _typeFilter."
                ),
                "resource": [_type_capability(type) for type in types],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
                "operation": [_export("export")],
            }
        ],
    }


def _type_capability(type: str) -> dict[str, Json]:
    parameters = parameters_of(type)
    capability: dict[str, Json] = {
        "type": type,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "not-match",
        "conditionalUpdate": True,
        "conditionalDelete": "not-supported",
        "searchParam": [{"name": name, "type": parameters[name].kind} for name in sorted(parameters)],
    }
    if includes := [name for name in sorted(parameters) if parameters[name].kind == "reference"]:
        capability["searchInclude"] = [f"{type}:{name}" for name in includes]
    if type in _EXPORTED:
        capability["operation"] = [_export(f"{type.lower()}-export")]
    return capability


def _export(definition: str) -> dict[str, Json]:
    return {"name": "export", "definition": f"{_BULK}/OperationDefinition/{definition}"}
