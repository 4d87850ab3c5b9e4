"""Every resource of a few types in files of any size, read through their lenses and not kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from fhir_adapter.ehr.blocks import Block, read_blocks
from fhir_adapter.ehr.contents import Contents
from fhir_adapter.ehr.folder import MAX_RESOURCE_BYTES, FolderFile, opened_whole, read_pages
from fhir_adapter.ehr.json_text import without_bom
from fhir_adapter.ehr.ndjson import Line
from fhir_adapter.ehr.prefilter import every_line
from fhir_adapter.fhir.r4 import Resource, decode
from fhir_adapter.fhir.record import Record, Unreadable, read_record
from fhir_adapter.fhir.resource_types import kind_of


class Seen(NamedTuple):
    """A resource that was come across, and its record as far as that is needed."""

    resource: Resource
    body: bytes
    record: Record | None = None

    @property
    def person(self) -> str:
        """The id of the Patient it is about, empty for nobody's."""
        return (self.record or read_record(self.body)).person


def discover(file: FolderFile, types: Collection[str]) -> Iterator[Seen]:
    """The resources of these types in a file.

    What cannot be read is passed over here: whoever reads the file about somebody meets it again. `StreamIncomplete`
    when the file is cut short or damaged.
    """
    if file.kind != "ndjson":
        for page in read_pages(file):
            yield from _of_types(page.records, types)
        return
    with opened_whole(file) as opened:
        for count, block in enumerate(read_blocks(opened, MAX_RESOURCE_BYTES)):
            if not isinstance(block, Block):
                continue
            if count == 0 and _holds_another_type(file, block, types):
                return
            yield from _of_block(block, types)


def _holds_another_type(file: FolderFile, block: Block, types: Collection[str]) -> bool:
    """Is the file named after a type that is not asked for, and does it begin with nothing but that?"""
    kind = kind_of(file.name)
    if kind == "file" or kind in types:
        return False
    return {_type_of(block, start, end) for start, end in every_line(block)} == {kind}


def _type_of(block: Block, start: int, end: int) -> str:
    try:
        return read_record(without_bom(bytes(block.buffer[start:end]))).type
    except Unreadable:
        return ""


def _of_block(block: Block, types: Collection[str]) -> Iterator[Seen]:
    text = memoryview(block.buffer)
    for start, end in every_line(block):
        line = text[start:end] if block.offset + start else without_bom(bytes(text[start:end]))
        try:
            resource = decode(line)
        except (Unreadable, RecursionError):
            yield from _unfolded(bytes(line), types)
            continue
        if type(resource).__name__ in types:
            yield Seen(resource, bytes(line))


def _unfolded(line: bytes, types: Collection[str]) -> Iterator[Seen]:
    """What is no resource that anybody reads may be a Bundle of them."""
    if b"Bundle" in line:
        contents = Contents("")
        contents.add_line(Line(0, line.strip(), "", True))
        yield from _of_types(contents.records, types)


def _of_types(records: Collection[Record], types: Collection[str]) -> Iterator[Seen]:
    for record in records:
        if record.type in types:
            try:
                yield Seen(decode(record.body), record.body, record)
            except Unreadable:
                continue
