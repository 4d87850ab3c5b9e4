"""Whom the records of some treatments are about, and which Patients there are, in files of any size.

Every function here can be asked about parts of files: what is found in all of them is what is in the files. What cannot
be read, or a file that ends too early, is told by whoever reads about somebody.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Literal

import msgspec

from fhir_adapter.ehr.blocks import Block, read_blocks
from fhir_adapter.ehr.contents import Contents
from fhir_adapter.ehr.folder import MAX_RESOURCE_BYTES, FolderFile, opened_whole, read_pages
from fhir_adapter.ehr.json_text import UNREADABLE, without_bom
from fhir_adapter.ehr.ndjson import Line
from fhir_adapter.ehr.parquet import CONTAINED
from fhir_adapter.ehr.parts import Part, read_here_and_there
from fhir_adapter.errors import StreamIncomplete
from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.fhir.r4 import PatientLink
from fhir_adapter.fhir.record import Record, Unreadable, patient_id, person_of, read_record
from fhir_adapter.fhir.resource_types import kind_of
from fhir_adapter.fhir.treatment import Spelling, Told, Treatment, read_told, read_told_lines, spellings

Matters = Callable[[str, Treatment], bool]
"""Does a treatment, a resource of this type, matter?"""

_Meaning = Literal["wanted", "patient", "bundle", "nothing"]
_REMEMBERED = 1 << 12
_links = msgspec.json.Decoder(tuple[PatientLink, ...])


class _Kind(msgspec.Struct, gc=False):
    resourceType: str = ""


_kinds = msgspec.json.Decoder(_Kind)


class Found(msgspec.Struct):
    """`people` have a record of a treatment that matters; `patients` have a Patient; `links` are pairs of Patients of
    whom one points to the other.
    """

    people: set[str] = msgspec.field(default_factory=set)
    patients: set[str] = msgspec.field(default_factory=set)
    links: list[tuple[str, str]] = msgspec.field(default_factory=list)


def discover(types: Collection[str], matters: Matters, parts: Iterable[Part]) -> Found:
    """What some parts of files hold of treatments of these types that matter, and of Patients."""
    looking = _Looking(types, matters)
    for part in parts:
        with contextlib.suppress(StreamIncomplete):
            looking.through(part)
    return looking.found


def records_of(types: Collection[str], parts: Iterable[Part]) -> list[Record]:
    """The resources of these types in some parts of files."""
    records: list[Record] = []
    for part in parts:
        with contextlib.suppress(StreamIncomplete):
            records += (one for one in _records(part, types) if one.type in types)
    return records


def holds_only(file: FolderFile) -> str:
    """The type that a file is named after if, by what is seen of it here and there, it holds nothing else; or empty."""
    if file.kind == "parquet":
        return file.type
    kind = kind_of(file.name)
    if kind == "file" or file.kind != "ndjson":
        return ""
    with contextlib.suppress(StreamIncomplete):
        if all(isinstance(block, Block) and _types_in(block) <= {kind} for block in read_here_and_there(file)):
            return kind
    return ""


class _Looking:
    def __init__(self, types: Collection[str], matters: Matters) -> None:
        self.found = Found()
        self._types, self._ask = types, matters
        self._known: dict[Spelling, _Meaning] = {}

    def through(self, part: Part) -> None:
        if part.file.kind != "ndjson":
            for page in read_pages(part.file, elements=Told.__struct_fields__):
                self._add_records(page.records)
                self._add_unknown(page.quarantined)
            return
        for block in _blocks(part):
            told = _told_in(block)
            meanings = self._meanings(told or ())
            if told is None or "bundle" in meanings:
                self._add_records(_records_in(block))
            else:
                self._add(told, meanings)

    def _add_records(self, records: Iterable[Record]) -> None:
        for record in records:
            with contextlib.suppress(*UNREADABLE):
                told = (read_told(record.body),)
                self._add(told, self._meanings(told), record.person)

    def _add_unknown(self, quarantined: Iterable[Quarantined]) -> None:
        """Nobody knows what was given, so it may have been what matters."""
        for one in quarantined:
            if one.reason == CONTAINED and (person := person_of(read_told(one.body))):
                self.found.people.add(person)

    def _add(self, resources: Iterable[Told], meanings: Iterable[_Meaning], person: str = "") -> None:
        for told, meaning in zip(resources, meanings, strict=True):
            if meaning == "patient":
                self._add_patient(told)
            elif meaning == "wanted":
                self.found.people.add(person or person_of(told))

    def _add_patient(self, told: Told) -> None:
        self.found.patients.add(told.id)
        if told.link:
            with contextlib.suppress(*UNREADABLE):
                self.found.links += ((told.id, patient_id(one.other.reference)) for one in _links.decode(told.link))

    def _meanings(self, resources: Collection[Told]) -> list[_Meaning]:
        """By type and names as they are written, where those have been read before."""
        known, keys = self._known.get, spellings(resources)
        return [known(key) or self._learn(key, told) for key, told in zip(keys, resources, strict=True)]

    def _learn(self, key: Spelling, told: Told) -> _Meaning:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        answer = self._known[key] = self._meaning(told)
        return answer

    def _meaning(self, told: Told) -> _Meaning:
        type = told.resourceType
        if type in ("Patient", "Bundle"):
            return "patient" if type == "Patient" else "bundle"
        with contextlib.suppress(*UNREADABLE):
            if type in self._types and self._ask(type, told.treatment()):
                return "wanted"
        return "nothing"


def _blocks(part: Part) -> Iterator[Block]:
    with opened_whole(part.file) as opened:
        for block in read_blocks(opened, MAX_RESOURCE_BYTES, part.start, part.stop):
            if isinstance(block, Block):
                yield block


def _told_in(block: Block) -> list[Told] | None:
    """The resources of a block that holds nothing but such, one a line."""
    try:
        return read_told_lines(_text(block))
    except UNREADABLE:
        return None


def _types_in(block: Block) -> set[str]:
    try:
        return {one.resourceType for one in _kinds.decode_lines(_text(block))}
    except UNREADABLE:
        return {""}


def _records(part: Part, types: Collection[str]) -> Iterator[Record]:
    if part.file.kind != "ndjson":
        for page in read_pages(part.file):
            yield from page.records
        return
    for block in _blocks(part):
        if not _types_in(block).isdisjoint({*types, "Bundle", ""}):
            yield from _records_in(block)


def _records_in(block: Block) -> Iterator[Record]:
    """Line by line; what is no resource may be a Bundle of them."""
    text = bytes(_text(block))
    for line in text.split(b"\n"):
        try:
            record = read_record(line)
        except Unreadable:
            record = None
        if record and record.type != "Bundle":
            yield record
        elif b"Bundle" in line:
            yield from _unfolded(line)


def _unfolded(line: bytes) -> list[Record]:
    contents = Contents("")
    contents.add_line(Line(0, line.strip(), "", True))
    return contents.records


def _text(block: Block) -> memoryview | bytes:
    text = memoryview(block.buffer)[: block.length]
    return text if block.offset else without_bom(bytes(text))
