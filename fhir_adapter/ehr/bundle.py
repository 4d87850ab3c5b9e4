"""Taking a Bundle apart without reading the resources: their bytes stay exactly as they came.

The Bundle around them is read leniently where it does not matter and strictly where data could be lost.
"""

from __future__ import annotations

import msgspec

from fhir_adapter.ehr.json_text import UNREADABLE, NotWhole, cut_out_array, looks_like_markup, without_bom
from fhir_adapter.ehr.outcome import Issue, read_issues
from fhir_adapter.fhir.quarantine import Quarantined, set_aside
from fhir_adapter.fhir.record import Record, Unreadable, read_record


class Malformed(ValueError):
    """Not whole JSON: cut, or no JSON at all. Asking again may help. `reason` is a phrase of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotABundle(ValueError):
    """Whole JSON, but not a Bundle; `issues` are those of the OperationOutcome that came instead, if it was
    one.
    """

    def __init__(self, reason: str, issues: tuple[Issue, ...] = ()) -> None:
        super().__init__(reason)
        self.reason, self.issues = reason, issues


class Bundle(msgspec.Struct, frozen=True):
    """The Bundle itself. `entries` are the bytes of its entries, unread; `next` and `own` (what the server says it was
    asked) are links as written.
    """

    type: str
    total: int | None
    next: str | None
    entries: tuple[bytes, ...]
    own: str | None = None


class Entry(msgspec.Struct, frozen=True):
    """One entry, its resource as bytes (empty if it has none)."""

    full_url: str
    mode: str
    resource: bytes


class _Link(msgspec.Struct):
    relation: str = ""
    url: str = ""


class _Bundle(msgspec.Struct):
    resourceType: str = ""
    type: str = ""
    total: msgspec.Raw = msgspec.Raw(b"null")
    link: list[_Link] | None = None
    entry: list[msgspec.Raw] | None = None


class _Search(msgspec.Struct):
    mode: str = ""


class _Entry(msgspec.Struct):
    fullUrl: str = ""
    resource: msgspec.Raw = msgspec.Raw(b"null")
    search: _Search | None = None


_bundles = msgspec.json.Decoder(_Bundle)
_entries = msgspec.json.Decoder(_Entry)
_totals = msgspec.json.Decoder(int, strict=False)


def read_bundle(body: bytes) -> Bundle:
    """Take `body` apart; `Malformed` or `NotABundle` if that cannot be done."""
    text = without_bom(body)
    if looks_like_markup(text):
        raise Malformed("HTML or XML came instead of FHIR JSON, as from a login or maintenance page")
    try:
        bundle = _bundles.decode(text)
        entries = tuple(bytes(raw) for raw in bundle.entry or ())
    except msgspec.ValidationError:
        raise NotABundle(_what_came(text)) from None
    except UNREADABLE:
        bundle, entries = _read_around_damage(text)
    if bundle.resourceType != "Bundle":
        raise NotABundle(_what_came(text), read_issues(text))
    links = bundle.link or []
    return Bundle(bundle.type, _total(bundle.total), _link(links, "next"), entries, _link(links, "self"))


def _read_around_damage(text: bytes) -> tuple[_Bundle, tuple[bytes, ...]]:
    """One entry that is not JSON (NaN, a lone surrogate, endless nesting) must not take others with it."""
    try:
        frame, entries = cut_out_array(text, "entry")
        return _bundles.decode(frame), tuple(entries)
    except NotWhole:
        raise Malformed("the JSON is cut short") from None
    except msgspec.ValidationError:
        raise NotABundle(_what_came(text)) from None
    except UNREADABLE:
        raise Malformed("what came is not JSON") from None


def _what_came(text: bytes) -> str:
    """A phrase for something that is not a Bundle, without its content."""
    kinds = {b"[": "a JSON array", b'"': "a JSON string", b"{": "another JSON object"}
    kind = kinds.get(text.lstrip()[:1], "a bare JSON value")
    if kind == "another JSON object" and read_issues(text):
        return "an OperationOutcome"
    return kind


def _total(raw: msgspec.Raw) -> int | None:
    try:
        total = _totals.decode(raw)
    except UNREADABLE:
        return None
    return total if total >= 0 else None


def _link(links: list[_Link], relation: str) -> str | None:
    return next((link.url for link in links if link.relation == relation), None)


def read_entry(raw: bytes) -> Entry:
    """One entry; `Unreadable` if it holds no resource that could be filed."""
    try:
        entry = _entries.decode(raw)
    except UNREADABLE:
        raise Unreadable("not-a-json-object") from None
    resource = bytes(entry.resource)
    if resource == b"null":
        raise Unreadable("no-resource")
    return Entry(entry.fullUrl, entry.search.mode if entry.search else "", resource)


def is_outcome(resource: bytes) -> bool:
    """Is this resource an OperationOutcome, that is a remark and not data?"""
    return b"OperationOutcome" in resource and bool(read_issues(resource))


def file_resource(stream: str, resource: bytes, place: str) -> Record | Quarantined:
    """The record of one resource, or what is set aside and why. `place` names it where it has no id."""
    try:
        return read_record(resource)
    except Unreadable as unreadable:
        return set_aside(stream, resource, unreadable.reason, id=place)
