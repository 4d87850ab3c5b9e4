"""Probes that change something for a moment, for those who ask for them: a Basic resource, and an export order.

What is made is taken away at once, whatever happened in between; what could not be taken away is said.
"""

from __future__ import annotations

import uuid
from urllib.parse import urlencode

import msgspec

from fhir_adapter.ehr.bulk.order import ExportOrder
from fhir_adapter.ehr.failures import Exhausted, Unconfirmed
from fhir_adapter.ehr.probe.finding import Finding, fail, ok, warn
from fhir_adapter.ehr.transport import Answer, Transport
from fhir_adapter.errors import AccessError, ServerRefused

_SYSTEM = "https://fhir-adapter.example.org/fhir/NamingSystem/probe"
_TAG = {"system": "https://fhir-adapter.example.org/fhir/CodeSystem/tag", "code": "probe"}
_REFUSED = (ServerRefused, AccessError, Unconfirmed, Exhausted)
_ACCEPTED = 202


def probe_writes(transport: Transport) -> list[Finding]:
    """Create, update by identifier, update in a transaction, delete: one Basic resource without any content."""
    name = f"fhir-adapter-probe-{uuid.uuid4().hex[:12]}"
    id, found = _create(transport, name)
    if not id:
        return found
    try:
        found.append(_conditional_update(transport, name))
        found.append(_transaction(transport, name, id))
    finally:
        found.append(_delete(transport, f"Basic/{id}", "the probe's Basic resource"))
    return found


def probe_export(transport: Transport, order: ExportOrder) -> Finding:
    """Order an export and cancel it at once."""
    name = "$export order"
    try:
        answer = transport.get(order.path, params=order.query, headers={"Prefer": "respond-async"})
    except _REFUSED as refused:
        return fail(name, f"{order.level}: {refused.message}", "Bulk export cannot be used.", "Set `bulk` to off.", 4)
    place = answer.headers.get("content-location", "")
    if answer.status != _ACCEPTED or not place:
        seen = f"{order.level}: HTTP {answer.status}, {'with' if place else 'without'} an address of its status"
        return fail(name, seen, "Bulk export cannot be used.", "Set `bulk` to off.", 4)
    cancelled = _delete(transport, transport.policy.resolve(place, answer.url), "the export")
    return ok(name, f"{order.level}: taken, and cancelled") if cancelled.verdict == "OK" else cancelled


def _basic(name: str, id: str = "") -> bytes:
    basic = {
        "resourceType": "Basic",
        "meta": {"tag": [_TAG]},
        "identifier": [{"system": _SYSTEM, "value": name}],
        "code": {"text": "probe of fhir-adapter, to be deleted"},
    }
    return msgspec.json.encode({**basic, "id": id} if id else basic)


def _create(transport: Transport, name: str) -> tuple[str, list[Finding]]:
    """The id of the resource on the server (empty: it takes none), and what was seen."""
    try:
        transport.put(f"Basic/{name}", _basic(name, name))
        return name, [ok("update creates", "a client may choose ids")]
    except Unconfirmed as lost:  # it may be there, so it is taken away like the others
        return name, [warn("update creates", lost.message, "A run would look before it sends anything again.")]
    except _REFUSED:
        means = "Documents are then found again by their identifier."
        found = [warn("update creates", "a client may not choose ids", means)]
    try:
        answer = transport.post("Basic", _basic(name))
    except _REFUSED as refused:
        means = "Whether the server can be written to was not seen."
        return "", [*found, warn("writing", f"no Basic resource can be created: {refused.message}", means)]
    return _id_of(answer), found


def _conditional_update(transport: Transport, name: str) -> Finding:
    try:
        transport.put(f"Basic?{urlencode({'identifier': f'{_SYSTEM}|{name}'})}", _basic(name))
    except _REFUSED:
        return warn("conditional update", "refused", "Documents are looked for before they are written.")
    return ok("conditional update", "works")


def _transaction(transport: Transport, name: str, id: str) -> Finding:
    entry = {"resource": msgspec.Raw(_basic(name, id)), "request": {"method": "PUT", "url": f"Basic/{id}"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    try:
        transport.post("", msgspec.json.encode(bundle))
    except _REFUSED:
        return warn("transaction", "refused", "Documents are written one after the other.")
    return ok("transaction", "works")


def _delete(transport: Transport, place: str, what: str) -> Finding:
    try:
        transport.delete(place)
    except _REFUSED:
        means = "It is harmless, and tagged as a probe."
        return warn("taken away again", f"{what} could not be deleted", means, "Ask the administrators to delete it.")
    return ok("taken away again", f"{what} is deleted")


def _id_of(answer: Answer) -> str:
    """The id that the server chose, from its Location header or the resource that it sent back."""
    _, found, rest = answer.headers.get("location", "").rpartition("Basic/")
    if found:
        return rest.split("/")[0]
    try:
        return msgspec.json.decode(answer.body, type=_Id).id
    except msgspec.DecodeError:
        return ""


class _Id(msgspec.Struct):
    id: str = ""
