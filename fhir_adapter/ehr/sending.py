"""One round of writing: everything in one transaction, or one document after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from fhir_adapter.ehr.capability import Capability, TypeCapability
from fhir_adapter.ehr.document import (
    Document,
    key_of,
    name_of,
    spelled,
    type_of,
    urn_of,
    with_references,
    without_id,
)
from fhir_adapter.ehr.failures import Unconfirmed
from fhir_adapter.ehr.json_text import UNREADABLE
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.ehr.whereabouts import Whereabouts
from fhir_adapter.errors import ServerRefused

# It takes none after all; or none as big as this one: Medplum (2026-11) answers 400 to more than 8 entries when one of
# them is a conditional update, others 413.
_NOT_TOGETHER = frozenset({404, 405, 501, 400, 413})


class NotTogether(Exception):
    """The server says it takes transactions, and does not take this one. What one document has to do with that shows
    when they are sent one by one.
    """


class Write(msgspec.Struct, frozen=True):
    """One write as an HTTP request, whether it travels alone or in a Bundle."""

    type: str
    method: str
    url: str
    full_url: str
    resource: Mapping[str, object]
    if_match: str = ""
    if_none_exist: str = ""

    def as_entry(self) -> dict[str, object]:
        conditions = {"ifMatch": self.if_match, "ifNoneExist": self.if_none_exist}
        request = {"method": self.method, "url": self.url, **{k: v for k, v in conditions.items() if v}}
        return {"fullUrl": self.full_url, "resource": self.resource, "request": request}

    def headers(self) -> dict[str, str]:
        conditions = {"If-Match": self.if_match, "If-None-Exist": self.if_none_exist}
        return {name: value for name, value in conditions.items() if value}


def write_of(document: Document, where: Whereabouts, capability: Capability, base_url: str) -> Write:
    """How this document is written on this server, given what the last look saw."""
    key, type = key_of(document), type_of(document)
    found = where.found(key)
    match = f'W/"{found.version}"' if found and found.version else ""
    if not where.chooses_ids(type):
        return Write(type, "PUT", key, f"{base_url}/{key}", document, match)
    if found:
        place = f"{type}/{found.id}"
        return Write(type, "PUT", place, f"{base_url}/{place}", {**document, "id": found.id}, match)
    return _new(document, capability.types.get(type, TypeCapability()))


def _new(document: Document, offered: TypeCapability) -> Write:
    """A document that is not there, on a server that chooses its id: conditional, so that it comes into being
    once.
    """
    type, urn, resource, name = (
        type_of(document),
        urn_of(key_of(document)),
        without_id(document),
        name_of(document),
    )
    if name and offered.conditional_update:
        return Write(type, "PUT", f"{type}?{name.query}", urn, resource)
    return Write(type, "POST", type, urn, resource, if_none_exist=name.query if name else "")


def send_together(
    transport: Transport, capability: Capability, where: Whereabouts, documents: Sequence[Document]
) -> None:
    """One transaction. `Unconfirmed` if the answer does not confirm every entry, `NotTogether`,
    `ServerRefused`.
    """
    writes = [write_of(document, where, capability, transport.base_url) for document in documents]
    urns = {key_of(d): w.full_url for d, w in zip(documents, writes, strict=True) if w.full_url.startswith("urn:")}
    places = {**where.places, **urns}
    entries = [
        msgspec.structs.replace(write, resource=with_references(write.resource, places)).as_entry() for write in writes
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    try:
        answer = transport.post("", spelled(bundle))
    except ServerRefused as refused:
        if refused.status in _NOT_TOGETHER:
            raise NotTogether from None
        raise
    _check_answers(answer.body, writes)


def send_one(transport: Transport, capability: Capability, where: Whereabouts, document: Document) -> None:
    """One document by itself. `Unconfirmed` or `ServerRefused` as `Transport.put` has it."""
    write = write_of(document, where, capability, transport.base_url)
    body = spelled(with_references(write.resource, where.places))
    send = transport.put if write.method == "PUT" else transport.post
    send(write.url, body, write.headers())


class _Response(msgspec.Struct):
    status: str = ""
    location: str = ""


class _Entry(msgspec.Struct):
    response: _Response | None = None


class _Bundle(msgspec.Struct):
    resourceType: str = ""
    type: str = ""
    entry: list[_Entry] | None = None


_bundles = msgspec.json.Decoder(_Bundle)


def _check_answers(body: bytes, writes: Sequence[Write]) -> None:
    """Is there an answer for every write, in order, and does it say yes?"""
    try:
        bundle = _bundles.decode(body)
    except UNREADABLE:
        raise Unconfirmed("The server answered a transaction with something unreadable.") from None
    responses = [entry.response or _Response() for entry in bundle.entry or []]
    if bundle.type != "transaction-response" or len(responses) != len(writes):
        raise Unconfirmed(f"The server answered for {len(responses)} of {len(writes)} documents.")
    refused = [response.status[:3] for response in responses if not response.status.startswith("2")]
    if refused:
        raise Unconfirmed(f"The server refused {len(refused)} of {len(writes)} documents (HTTP {refused[0]}).")
    if any(not _fits(response, write) for response, write in zip(responses, writes, strict=True)):
        raise Unconfirmed("The server answered in another order than it was asked.")


def _fits(response: _Response, write: Write) -> bool:
    return not response.location or f"{write.type}/" in response.location
