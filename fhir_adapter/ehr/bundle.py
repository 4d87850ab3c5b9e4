"""Taking a Bundle apart without reading the resources: their bytes stay exactly as they came.

The Bundle around them is read leniently where it does not matter and strictly where data could be lost.
"""

from __future__ import annotations

from functools import cached_property

import msgspec

from fhir_adapter.ehr.bundle_cut import cut
from fhir_adapter.ehr.json_text import UNREADABLE, NotWhole, cut_out_array, looks_like_markup, without_bom
from fhir_adapter.ehr.outcome import Issue, read_issues
from fhir_adapter.fhir.quarantine import Quarantined, set_aside
from fhir_adapter.fhir.record import Record, Unreadable, read_record, read_records


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


class _Search(msgspec.Struct, gc=False):
    mode: str = ""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry. Its resource stays a part of the page until somebody takes its bytes out."""

    full_url: str = msgspec.field(name="fullUrl", default="")
    search: _Search | None = None
    part: msgspec.Raw = msgspec.field(name="resource", default=msgspec.Raw(b"null"))

    @property
    def mode(self) -> str:
        return self.search.mode if self.search else ""

    @property
    def has_resource(self) -> bool:
        return bytes(self.part) != b"null"

    @property
    def resource(self) -> bytes:
        """A copy of its exact bytes."""
        return bytes(self.part)


class Bundle(msgspec.Struct, frozen=True, dict=True):
    """The Bundle itself. `next` and `own` (what the server says it was asked) are links as written.

    `read` are its entries taken apart; None when one of them cannot be read. What was written is kept as a whole until
    somebody asks for the `entries` one by one. `filed` are its resources where they are filed already, each with the
    mode of its entry.
    """

    type: str
    total: int | None
    next: str | None
    own: str | None
    read: list[Entry] | None
    _written: bytes | tuple[bytes, ...]
    filed: list[tuple[Record, str]] | None = None

    @cached_property
    def entries(self) -> tuple[bytes, ...]:
        """The bytes of its entries, as written."""
        if isinstance(self._written, tuple):
            return self._written
        return tuple(bytes(raw) for raw in _bundles.decode(self._written).entry or ())


class _Link(msgspec.Struct):
    relation: str = ""
    url: str = ""


class _Frame(msgspec.Struct):
    resourceType: str = ""
    type: str = ""
    total: msgspec.Raw = msgspec.Raw(b"null")
    link: list[_Link] | None = None


class _Bundle(_Frame):
    entry: list[msgspec.Raw] | None = None


class _SoundBundle(_Frame):
    entry: list[Entry] | None = None


class _Hole(msgspec.Struct, gc=False):
    """An entry without its resource."""

    resource: None
    fullUrl: str = ""
    search: _Search | None = None


class _Rest(_Frame):
    entry: list[_Hole] = []


_rests = msgspec.json.Decoder(_Rest)
_sound_bundles = msgspec.json.Decoder(_SoundBundle)
_bundles = msgspec.json.Decoder(_Bundle)
_entries = msgspec.json.Decoder(Entry)
_totals = msgspec.json.Decoder(int, strict=False)


def read_bundle(body: bytes) -> Bundle:
    """Take `body` apart; `Malformed` or `NotABundle` if that cannot be done."""
    text = without_bom(body)
    if looks_like_markup(text):
        raise Malformed("HTML or XML came instead of FHIR JSON, as from a login or maintenance page")
    try:
        sound = _sound_bundles.decode(text)
        return _bundle(sound, text, text, sound.entry or [])
    except UNREADABLE:
        return _read_leniently(text)


def read_page(body: bytes) -> Bundle:
    """As `read_bundle`; a page as most of them are comes with its resources filed."""
    return _filed(without_bom(body)) or read_bundle(body)


def _filed(text: bytes) -> Bundle | None:
    """The Bundle if it can be cut, with the proof that it was cut where its resources are."""
    if (parts := cut(text)) is None:
        return None
    try:
        rest = _rests.decode(parts.rest)
    except UNREADABLE:
        return None
    if rest.resourceType != "Bundle" or len(rest.entry) != len(parts.resources):
        return None
    if (records := read_records(parts.resources)) is None:
        return None
    modes = [one.search.mode if one.search else "" for one in rest.entry]
    return _bundle(rest, text, text, filed=list(zip(records, modes, strict=True)))


def _read_leniently(text: bytes) -> Bundle:
    """The Bundle around entries of which one is not as it should be."""
    try:
        bundle = _bundles.decode(text)
        return _bundle(bundle, text, tuple(bytes(raw) for raw in bundle.entry or ()))
    except msgspec.ValidationError:
        raise NotABundle(_what_came(text)) from None
    except UNREADABLE:
        return _bundle(*_read_around_damage(text))


def _bundle(
    frame: _Frame,
    text: bytes,
    written: bytes | tuple[bytes, ...],
    read: list[Entry] | None = None,
    filed: list[tuple[Record, str]] | None = None,
) -> Bundle:
    if frame.resourceType != "Bundle":
        raise NotABundle(_what_came(text), read_issues(text))
    links = frame.link or []
    return Bundle(frame.type, _total(frame.total), _link(links, "next"), _link(links, "self"), read, written, filed)


def _read_around_damage(text: bytes) -> tuple[_Frame, bytes, tuple[bytes, ...]]:
    """One entry that is not JSON (NaN, a lone surrogate, endless nesting) must not take others with it."""
    try:
        frame, entries = cut_out_array(text, "entry")
        return _bundles.decode(frame), text, tuple(entries)
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
    if not entry.has_resource:
        raise Unreadable("no-resource")
    return entry


def is_outcome(resource: bytes) -> bool:
    """Is this resource an OperationOutcome, that is a remark and not data?"""
    return b"OperationOutcome" in resource and bool(read_issues(resource))


def file_resource(stream: str, resource: bytes, place: str) -> Record | Quarantined:
    """The record of one resource, or what is set aside and why. `place` names it where it has no id."""
    try:
        return read_record(resource)
    except Unreadable as unreadable:
        return set_aside(stream, resource, unreadable.reason, id=place)
