"""Sorting what a file holds into records, things set aside and remarks. Bundles and arrays are unfolded.

References by `urn:uuid:` work only inside their Bundle. A resource keeps its bytes as written; the person it
is about is found through the Bundle's fullUrls, and the pairs of `urn:uuid:` and `Type/id` go along with the
page. A resource without an id whose fullUrl is a `urn:uuid:` is filed under that uuid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from fhir_adapter.ehr.bundle import Malformed, NotABundle, file_resource, is_outcome, read_bundle, read_entry
from fhir_adapter.ehr.json_text import UNREADABLE, NotWhole, cut_out_array, split_elements
from fhir_adapter.ehr.ndjson import Line
from fhir_adapter.ehr.outcome import Issue, read_issues
from fhir_adapter.ehr.page import Page
from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.fhir.quarantine import set_aside as quarantined
from fhir_adapter.fhir.record import Record, Unreadable, read_record

_MAX_UNFOLDED = 4  # Bundles in Bundles
_URN = re.compile(r"urn:uuid:([A-Za-z0-9\-]{1,64})")
_BUNDLE = re.compile(rb'"resourceType"\s*:\s*"Bundle"')


class _Kind(msgspec.Struct):
    resourceType: str = ""


class _Reference(msgspec.Struct):
    reference: str = ""


class _About(msgspec.Struct):
    subject: _Reference | None = None
    patient: _Reference | None = None
    individual: _Reference | None = None


_kinds = msgspec.json.Decoder(_Kind)
_abouts = msgspec.json.Decoder(_About)


class Contents:
    """What was found so far, each thing in exactly one place."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self.records: list[Record] = []
        self.quarantined: list[Quarantined] = []
        self.issues: list[Issue] = []
        self.aliases: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.records) + len(self.quarantined)

    def add_line(self, line: Line) -> None:
        """One line of NDJSON: a resource, or a Bundle."""
        place = line.place
        if line.too_long:
            too_long = Quarantined(self._stream, "", place, "too-long", line.sha256, line.text)
            self.quarantined.append(too_long)
            return
        try:
            self.add_document(line.text, place)
        except NotWhole:
            self.set_aside(line.text, "not-a-json-object", place)

    def add_document(self, text: bytes, place: str = "document", depth: int = 0) -> None:
        """One JSON value: a resource, a Bundle or an array of either. `NotWhole` if it is cut short."""
        if depth > _MAX_UNFOLDED:
            self.set_aside(text, "nested-too-deep", place)
        elif text.startswith(b"["):
            elements, _ = split_elements(text, 0)
            for position, element in enumerate(elements, start=1):
                self.add_document(element, f"{place}-element-{position}", depth + 1)
        elif _is_bundle(text):
            self._unfold(text, place, depth)
        else:
            self._add_resource(text, place)

    def _add_resource(self, text: bytes, place: str) -> None:
        if is_outcome(text):
            self.issues.extend(read_issues(text))
            return
        filed = file_resource(self._stream, text, place)
        if isinstance(filed, Quarantined) and _is_cut(text):
            raise NotWhole
        self._keep(filed)

    def _keep(self, filed: Record | Quarantined) -> None:
        if isinstance(filed, Record):
            self.records.append(filed)
        else:
            self.quarantined.append(filed)

    def set_aside(self, body: bytes, reason: str, place: str) -> None:
        """Something that is no resource that can be used."""
        self.quarantined.append(quarantined(self._stream, body, reason, id=place))

    def _unfold(self, text: bytes, place: str, depth: int) -> None:
        try:
            bundle = read_bundle(text)
        except Malformed:
            raise NotWhole from None
        except NotABundle:
            self.set_aside(text, "not-a-bundle", place)
            return
        aliases: dict[str, str] = {}
        first = len(self.records)
        for position, raw in enumerate(bundle.entries, start=1):
            self._add_entry(raw, f"{place}-entry-{position}", depth, aliases)
        self.records[first:] = [_with_person(record, aliases) for record in self.records[first:]]
        self.aliases |= aliases

    def _add_entry(self, raw: bytes, place: str, depth: int, aliases: dict[str, str]) -> None:
        try:
            entry = read_entry(raw)
        except Unreadable as unreadable:
            self.set_aside(raw, unreadable.reason, place)
            return
        if _is_bundle(entry.resource):
            self.add_document(entry.resource, place, depth + 1)
            return
        urn = _URN.fullmatch(entry.full_url)
        if urn and (record := _filed_under(entry.resource, urn.group(1))):
            aliases[entry.full_url] = record.reference
            self.records.append(record)
            return
        self._add_resource(entry.resource, place)

    def pages(self, size: int) -> Iterator[Page]:
        """Everything, in pages of at most `size` records and `size` things set aside; at least one page."""
        count = max(1, -(-len(self.records) // size), -(-len(self.quarantined) // size))
        for number in range(1, count + 1):
            part = slice((number - 1) * size, number * size)
            issues = self.issues if number == 1 else []
            yield self._page(number, self.records[part], self.quarantined[part], issues)

    def page(self, number: int) -> Page:
        """Everything as one page."""
        return self._page(number, self.records, self.quarantined, self.issues)

    def _page(
        self,
        number: int,
        records: Sequence[Record],
        quarantined: Sequence[Quarantined],
        issues: Sequence[Issue],
    ) -> Page:
        here = {record.reference for record in records} if self.aliases else set()
        aliases = tuple((urn, target) for urn, target in self.aliases.items() if target in here)
        return Page(self._stream, number, tuple(records), tuple(quarantined), issues=tuple(issues), aliases=aliases)


def _is_bundle(text: bytes) -> bool:
    if _BUNDLE.search(text) is None:
        return False
    try:
        return _kinds.decode(text).resourceType == "Bundle"
    except UNREADABLE:
        return text.lstrip()[:1] == b"{"  # damaged inside; what can be saved of it is seen when it is unfolded


def _is_cut(text: bytes) -> bool:
    """Did this begin as a JSON object and never end?"""
    if text[:1] not in (b"", b"{"):
        return False
    try:
        cut_out_array(text, "entry")
    except NotWhole:
        return True
    return False


def _filed_under(resource: bytes, uuid: str) -> Record | None:
    """The record of a resource known by its urn, under that uuid if it has no id of its own."""
    try:
        return read_record(resource)
    except Unreadable as unreadable:
        if unreadable.reason != "no-id" or is_outcome(resource):
            return None
    try:
        record = read_record(b'{"id":"' + uuid.encode() + b'",' + resource.lstrip()[1:])
    except Unreadable:
        return None
    return msgspec.structs.replace(record, body=resource)


def _with_person(record: Record, aliases: dict[str, str]) -> Record:
    """The record with its person found through the Bundle, if it pointed there by urn."""
    if record.person or b"urn:uuid:" not in record.body:
        return record
    try:
        about = _abouts.decode(record.body)
    except UNREADABLE:
        return record
    for reference in (about.subject, about.patient, about.individual):
        target = aliases.get(reference.reference, "") if reference else ""
        if target.startswith("Patient/"):
            return msgspec.structs.replace(record, person=target.removeprefix("Patient/"))
    return record
