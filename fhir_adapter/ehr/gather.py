"""Everything about certain people from files of any size, without decoding what is about others."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import BinaryIO

import msgspec

from fhir_adapter.ehr.blocks import BLOCK_BYTES, Block, Overlong, ranges, read_blocks
from fhir_adapter.ehr.contents import Contents
from fhir_adapter.ehr.folder import MAX_RESOURCE_BYTES, PAGE_RESOURCES, FolderFile, incomplete, opened_whole, read_pages
from fhir_adapter.ehr.json_text import is_json, without_bom
from fhir_adapter.ehr.ndjson import Line
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.prefilter import Prefilter, Span, every_line, prefilter
from fhir_adapter.fhir.record import Record, Unreadable, read_record

# One program wrote the file: so many blocks of it tell whether its lines all name their patient in the usual way. Any
# other line could still be a surprise, so one block in so many is held to that while the file is read.
_LOOKED_AT = 32
_HELD_TO_IT = 16
_BUNDLE = b'"Bundle"'
_OF_OTHERS = frozenset({"Bundle", "OperationOutcome"})


class Gatherer:
    """Reads what is about `people` (ids of Patients), and what of the types `shared` is about nobody.

    `every_line` looks at every line of every file instead of trusting a big one by some of its blocks.
    """

    def __init__(self, people: Collection[str], shared: Collection[str] = (), *, every_line: bool = False) -> None:
        self._people, self._shared = frozenset(people), frozenset(shared)
        self._prefilter: Prefilter = prefilter(self._people)
        self._trusting = not every_line

    def pages(self, file: FolderFile, start: int = 0, stop: int | None = None) -> Iterator[Page]:
        """What one file holds of it; of an NDJSON file that is not compressed also the lines starting in a range.

        What cannot be read is on the page by its place, if it was looked at. `StreamIncomplete` when the file is cut
        short, damaged, or not all like the part that was looked at.
        """
        if file.kind != "ndjson":
            yield from map(self._about_them, read_pages(file))
            return
        with opened_whole(file) as opened:
            number, contents = 1, Contents(file.name)
            for block, spans in self._blocks(file, opened, start, stop):
                if isinstance(block, Overlong):
                    contents.add_line(Line(block.offset, block.start, block.sha256, True, True, counted="byte"))
                else:
                    _read(block, spans, contents)
                if len(contents) >= PAGE_RESOURCES:
                    yield self._about_them(contents.page(number))
                    number, contents = number + 1, Contents(file.name)
            yield self._about_them(contents.page(number))

    def _blocks(
        self, file: FolderFile, opened: BinaryIO, start: int, stop: int | None
    ) -> Iterator[tuple[Block | Overlong, list[Span]]]:
        """Every block with the lines of it that may be about them."""
        alike = self._trusting and not file.compression and self._is_alike(file, opened, start, stop)
        for count, block in enumerate(read_blocks(opened, MAX_RESOURCE_BYTES, start, stop)):
            if isinstance(block, Overlong):
                yield block, []
                continue
            if alike and count % _HELD_TO_IT == 0 and not self._is_usual(block):
                raise incomplete(file, "its lines do not all name their patient alike; `every_line = true` reads it")
            if not block.ended:
                _check_end(file, block)
            yield block, self._spans(block, exact=not alike)

    def _spans(self, block: Block, *, exact: bool) -> list[Span]:
        if exact and block.buffer.find(_BUNDLE, 0, block.length) >= 0:
            return list(every_line(block))  # a Bundle may be about anybody
        return self._prefilter.lines(block, exact=exact)

    def _is_usual(self, block: Block) -> bool:
        return self._spans(block, exact=True) == self._spans(block, exact=False)

    def _is_alike(self, file: FolderFile, opened: BinaryIO, start: int, stop: int | None) -> bool:
        """Do the lines here and there all name their patient in the usual way? A small part is read line by line."""
        size = (file.path.stat().st_size if stop is None else stop) - start
        if size <= _LOOKED_AT * BLOCK_BYTES:
            return False
        blocks = (
            next(read_blocks(opened, MAX_RESOURCE_BYTES, start + first, start + last), None)
            for first, last in ranges(size, _LOOKED_AT)
        )
        alike = all(block is None or (isinstance(block, Block) and self._is_usual(block)) for block in blocks)
        opened.seek(0)
        return alike

    def _about_them(self, page: Page) -> Page:
        kept = tuple(one for one in page.records if self._is_kept(one))
        nobodys = sum(not one.person and one.type not in self._shared for one in page.records)
        remark = f"{nobodys} resources that name no patient were left out" if nobodys else ""
        here = {one.reference for one in kept}
        aliases = tuple(pair for pair in page.aliases if pair[1] in here)
        return msgspec.structs.replace(page, records=kept, aliases=aliases, remark=remark)

    def _is_kept(self, record: Record) -> bool:
        return record.person in self._people or (not record.person and record.type in self._shared)


def _read(block: Block, spans: list[Span], contents: Contents) -> None:
    """Add what these lines hold; what is not simply one resource is sorted by `Contents`."""
    text = memoryview(block.buffer)
    for start, end in spans:
        line = text[start:end].tobytes().strip(b" \t\r")
        if not block.offset + start:
            line = without_bom(line)
        if line:
            _add(line, block.offset + start, contents)


def _add(line: bytes, place: int, contents: Contents) -> None:
    try:
        record = read_record(line)
    except Unreadable:
        record = None
    if record is None or record.type in _OF_OTHERS:
        contents.add_line(Line(place, line, "", True, counted="byte"))
    else:
        contents.records.append(record)


def _check_end(file: FolderFile, block: Block) -> None:
    """A last line without its end that is not JSON either was cut, whomever it was about; one that is JSON is whole."""
    start = block.buffer.rfind(b"\n", 0, block.length) + 1
    if not is_json(without_bom(bytes(block.buffer[start : block.length]))):
        raise incomplete(file, "it ends in the middle of a line")
