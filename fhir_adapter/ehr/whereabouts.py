"""Finding our documents on a server, and seeing what they say there."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fhir_adapter.ehr.bundle import Malformed, NotABundle, read_bundle, read_entry
from fhir_adapter.ehr.capability import Capability
from fhir_adapter.ehr.document import (
    Document,
    Name,
    key_of,
    meaning,
    name_of,
    spelled,
    type_of,
    with_references,
)
from fhir_adapter.ehr.json_text import UNREADABLE
from fhir_adapter.ehr.transport import Answer, Params, Transport
from fhir_adapter.errors import DeliveryError, ServerRefused
from fhir_adapter.fhir.canonical import NotJson, parse_json
from fhir_adapter.fhir.record import Unreadable

_FRESH = {"Cache-Control": "no-cache"}
_STRICT = {**_FRESH, "Prefer": "handling=strict"}
_ABSENT = frozenset({404, 410})


class Found(msgspec.Struct, frozen=True):
    """A document as the server holds it: its id and version there, and its bytes."""

    id: str
    version: str
    body: bytes


class _Meta(msgspec.Struct):
    versionId: str = ""


class _Resource(msgspec.Struct):
    resourceType: str = ""
    id: str = ""
    meta: _Meta | None = None


_resources = msgspec.json.Decoder(_Resource)


class Whereabouts:
    """Where our documents are on one server: under our ids, or where a search by their names finds them."""

    def __init__(self, transport: Transport, capability: Capability) -> None:
        self._transport, self._capability = transport, capability
        self._found: dict[str, Found] = {}
        self._places: dict[str, str] = {}

    def chooses_ids(self, type: str) -> bool:
        """Does the server insist on choosing the ids of this type?"""
        offered = self._capability.types.get(type)
        return offered is None or not offered.update_create

    def look(self, document: Document) -> Found | None:
        """Ask the server anew. None if the document is not there."""
        key, type = key_of(document), type_of(document)
        found = self._search(document) if self.chooses_ids(type) else self._read(type, str(document["id"]))
        self._found.pop(key, None)
        if found:
            self._found[key] = found
            if self.chooses_ids(type):
                self._places[key] = f"{type}/{found.id}"
        return found

    def found(self, key: str) -> Found | None:
        """What the last look saw."""
        return self._found.get(key)

    @property
    def places(self) -> Mapping[str, str]:
        """`Type/id` on the server for each of our `Type/id` that is called differently there."""
        return self._places

    def says_the_same(self, document: Document) -> bool:
        """Did the last look see just what `document` says?"""
        found = self._found.get(key_of(document))
        return found is not None and _means(found.body) == meaning(spelled(with_references(document, self._places)))

    def _read(self, type: str, id: str) -> Found | None:
        try:
            answer = self._transport.get(f"{type}/{id}", headers=_FRESH, judge=_whole)
        except ServerRefused as refused:
            if refused.status in _ABSENT:
                return None
            raise
        return _as_found(answer.body, type, answer.headers.get("etag", ""))

    def _search(self, document: Document) -> Found | None:
        name = name_of(document)
        if name is None:
            return self._search_by_target(document)
        found = fetch_matches(self._transport, type_of(document), ((name.param, name.value),))
        if any(_name_in(hit.body) != name for hit in found):
            raise DeliveryError(
                f"This server does not search {type_of(document)} by {name.param}: it returned others.",
                "It cannot be written to safely; use a server that lets clients choose ids.",
            )
        if len(found) > 1:
            raise DeliveryError(
                f"The server holds {len(found)} copies of one {type_of(document)} (same {name.param}).",
                "Delete all but one there; which one is right cannot be decided here.",
            )
        return found[0] if found else None

    def _search_by_target(self, document: Document) -> Found | None:
        """A Provenance has no name: it is the one about the same target that says the same."""
        target = _first_target(with_references(document, self._places))
        ours = meaning(spelled(with_references(document, self._places)))
        hits = fetch_matches(self._transport, type_of(document), (("target", target),))
        return next((hit for hit in hits if _means(hit.body) == ours), None)


_MAX_SEARCH_PAGES = 20


def fetch_matches(transport: Transport, type: str, params: Params) -> list[Found]:
    """Everything of one type that a search finds. `DeliveryError` when the answers cannot be trusted."""
    hits: list[Found] = []
    url, asked = type, True
    for _ in range(_MAX_SEARCH_PAGES):
        answer = transport.get(url, params=params if asked else None, headers=_STRICT, judge=_whole)
        try:
            bundle = read_bundle(answer.body)
        except (Malformed, NotABundle):
            raise DeliveryError(f"The server answered a search for {type} with something else.") from None
        hits.extend(_matches(bundle.entries, type))
        if bundle.next is None:
            return hits
        url, asked = transport.policy.resolve(bundle.next, answer.url), False
    raise DeliveryError(f"The server's search for {type} has no end.")


def _matches(entries: tuple[bytes, ...], type: str) -> list[Found]:
    found: list[Found] = []
    for raw in entries:
        try:
            resource = read_entry(raw).resource
        except Unreadable:
            continue
        if _kind(resource) == type:
            found.append(_as_found(resource, type, ""))
    return found


def _kind(body: bytes) -> str:
    try:
        return _resources.decode(body).resourceType
    except UNREADABLE:
        return ""


def _as_found(body: bytes, type: str, etag: str) -> Found:
    try:
        resource = _resources.decode(body)
    except UNREADABLE:
        resource = _Resource()
    if resource.resourceType != type or not resource.id:
        raise DeliveryError(f"The server answered a read of {type} with something else.")
    version = resource.meta.versionId if resource.meta else ""
    return Found(resource.id, version or version_in(etag), body)


def version_in(etag: str) -> str:
    """The version in `W/"3"`."""
    return etag.strip().removeprefix("W/").strip('"')


def _means(body: bytes) -> object:
    try:
        return meaning(body)
    except NotJson:
        return None


def _whole(answer: Answer) -> str:
    try:
        parse_json(answer.body)
    except NotJson:
        return "what came is not whole JSON"
    return ""


def _name_in(body: bytes) -> Name | None:
    value = parse_json(body)
    return name_of(value) if isinstance(value, dict) else None


def _first_target(document: Document) -> str:
    targets = document.get("target")
    first = targets[0] if isinstance(targets, list) and targets else None
    reference = first.get("reference") if isinstance(first, Mapping) else None
    if not isinstance(reference, str):
        raise DeliveryError(f"A {type_of(document)} has neither an identifier nor a target to find it by.")
    return reference
