"""The documents we write: how they are spelled, what they mean, what names them.

Two spellings mean the same when they differ in `meta`, in the narrative, in the order of members or in how a
number is written. The logical id does not count either: some servers insist on choosing it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from fhir_adapter.fhir.canonical import parse_json

Document = Mapping[str, object]

_NOT_MEANT = frozenset({"id", "meta", "text"})
_encoder = msgspec.json.Encoder(decimal_format="number")


class Name(NamedTuple):
    """What finds a document on a server that chooses the ids: one search parameter and its value."""

    param: str
    value: str

    @property
    def query(self) -> str:
        return f"{self.param}={quote(self.value, safe='')}"


def key_of(document: Document) -> str:
    """`Type/id`, our own name of a document."""
    return f"{document['resourceType']}/{document['id']}"


def type_of(document: Document) -> str:
    return str(document["resourceType"])


def spelled(document: Document) -> bytes:
    """The bytes that are sent."""
    return _encoder.encode(document)


def meaning(body: bytes) -> object:
    """What a document says, in a form that can be compared with `==`. Raises `NotJson`."""
    value = parse_json(body)
    if isinstance(value, dict):
        value = {name: member for name, member in value.items() if name not in _NOT_MEANT}
    return _comparable(value)


def _comparable(value: object) -> object:
    """Numbers compare by value, and never with `true`."""
    if isinstance(value, dict):
        return {name: _comparable(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_comparable(member) for member in value]
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return ("number", Decimal(value))
    return value


def name_of(document: Document) -> Name | None:
    """The business identifier of a document, or its canonical url."""
    identifiers = document.get("identifier")
    for identifier in identifiers if isinstance(identifiers, Sequence) else [identifiers]:
        if isinstance(identifier, Mapping) and identifier.get("system") and identifier.get("value"):
            return Name("identifier", f"{identifier['system']}|{identifier['value']}")
    url = document.get("url")
    return Name("url", url) if isinstance(url, str) else None


def with_references(document: Document, places: Mapping[str, str]) -> dict[str, object]:
    """The document with every `reference` by one of our names pointing to where that document is."""
    if not places:
        return dict(document)
    return {name: _replaced(name, member, places) for name, member in document.items()}


def _replaced(name: str, value: object, places: Mapping[str, str]) -> object:
    if isinstance(value, Mapping):
        return {inner: _replaced(str(inner), member, places) for inner, member in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(name, member, places) for member in value]
    if name == "reference" and isinstance(value, str):
        return places.get(value, value)
    return value


def without_id(document: Document) -> dict[str, object]:
    return {name: member for name, member in document.items() if name != "id"}


def with_own_id(document: Document) -> dict[str, object]:
    """The document with an id: its own, or one that follows from its content, so that sending twice is
    sending once.
    """
    if document.get("id"):
        return dict(document)
    digest = hashlib.sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()
    return {**document, "id": f"p-{digest[:32]}"}


def urn_of(key: str) -> str:
    """A name for a document inside one Bundle."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, key)}"
