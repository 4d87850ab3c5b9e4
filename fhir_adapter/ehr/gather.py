"""Everything about certain people from files of any size, without decoding what is about others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby

import msgspec

from fhir_adapter.ehr.blocks import Block, Overlong, read_blocks
from fhir_adapter.ehr.contents import Contents
from fhir_adapter.ehr.folder import MAX_RESOURCE_BYTES, FolderFile, incomplete, opened_whole, read_pages
from fhir_adapter.ehr.json_text import is_json, without_bom
from fhir_adapter.ehr.ndjson import Line
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.parts import ONE_BLOCK_IN, Part, is_small, read_here_and_there
from fhir_adapter.ehr.prefilter import Prefilter, Span, prefilter
from fhir_adapter.errors import StreamIncomplete
from fhir_adapter.fhir.record import Record, Unreadable, read_record, read_records

_OF_OTHERS = frozenset({"Bundle", "OperationOutcome"})
_BLANK = b" \t\r"
# Pages of about half a megabyte are filled from memory that the one before has left.
_PAGE_RESOURCES = 250
_FEW = 16  # of that many lines nothing is learned about a block


class Portion(msgspec.Struct, frozen=True):
    """What comes out of a part of the file `name`: a page, and how many resources were left out of it because they name
    no patient; or at last, why the part cannot be read to its end.
    """

    name: str
    page: Page | None = None
    nobodys: int = 0
    problem: StreamIncomplete | None = None


def gather(search: Search, parts: Iterable[Part]) -> list[Portion]:
    """What some parts of files hold of what is searched for."""
    return [portion for part in parts for portion in search.portions(part)]


def pages_by_file(portions: Iterable[Portion]) -> Iterator[tuple[str, Iterator[Page]]]:
    """The pages of each file, to be taken before those of the next; its last one carries the remark about all of it.

    Raises `StreamIncomplete` in the place of what cannot be read.
    """
    for name, some in groupby(portions, key=lambda one: one.name):
        yield name, _pages(some)


def _pages(portions: Iterable[Portion]) -> Iterator[Page]:
    held: Page | None = None
    nobodys = number = 0
    for portion in portions:
        if held:
            yield held
        if portion.problem:
            raise portion.problem
        number, nobodys = number + 1, nobodys + portion.nobodys
        held = portion.page and msgspec.structs.replace(portion.page, number=number)
    if held:
        left_out = f"{nobodys} resources that name no patient were left out" if nobodys else ""
        yield msgspec.structs.replace(held, remark="; ".join(filter(None, (held.remark, left_out))))


class Search:
    """Finds what is about `people` (ids of Patients), and what of the types `shared` is about nobody.

    It travels between processes without the means of its search.
    """

    def __init__(self, people: Collection[str], shared: Collection[str] = ()) -> None:
        self._people, self._shared = frozenset(people), frozenset(shared)
        self._prefilter: Prefilter = prefilter(self._people)

    def __reduce__(self) -> tuple[type[Search], tuple[frozenset[str], frozenset[str]]]:
        return Search, (self._people, self._shared)

    def finds_alike(self, file: FolderFile) -> bool:
        """Do the lines of a big file, here and there, all name their patient in the usual way?"""
        if file.kind != "ndjson" or file.compression or is_small(file):
            return False
        return all(isinstance(block, Block) and self._prefilter.is_usual(block) for block in read_here_and_there(file))

    def portions(self, part: Part) -> Iterator[Portion]:
        """What a part of a file holds of it; at least one page if it can be read to its end.

        What cannot be read is on the page by its place, if it was looked at.
        """
        try:
            yield from map(self._about_them, self._pages(part))
        except StreamIncomplete as problem:
            yield Portion(part.file.name, problem=problem)

    def _pages(self, part: Part) -> Iterator[Page]:
        if part.file.kind != "ndjson":
            yield from read_pages(part.file, people=self._people)
            return
        number, contents = 1, Contents(part.file.name)
        crowded = False
        for block in self._blocks(part):
            if isinstance(block, Overlong):
                contents.add_line(Line(block.offset, block.start, block.sha256, True, True, counted="byte"))
            elif crowded and (records := _resources(_every_line(block))):
                contents.records += records
                crowded = self._are_mostly_theirs(records)
            else:
                spans = self._prefilter.lines(block, exact=not part.alike)
                _read(block, spans, contents)
                crowded = _are_most_of(block, spans)
            if len(contents) >= _PAGE_RESOURCES:
                yield contents.page(number)
                number, contents = number + 1, Contents(part.file.name)
        yield contents.page(number)

    def _blocks(self, part: Part) -> Iterator[Block | Overlong]:
        with opened_whole(part.file) as opened:
            for count, block in enumerate(read_blocks(opened, MAX_RESOURCE_BYTES, part.start, part.stop)):
                if isinstance(block, Block):
                    self._hold_to_it(part, count, block)
                    if not block.ended:
                        _check_end(part.file, block)
                yield block

    def _hold_to_it(self, part: Part, count: int, block: Block) -> None:
        """Any line that was not looked at could still be a surprise, so one block in so many is looked at."""
        if part.alike and count % ONE_BLOCK_IN == 0 and not self._prefilter.is_usual(block):
            told = "its lines do not all name their patient alike; `every_line = true` reads it"
            raise incomplete(part.file, told)

    def _are_mostly_theirs(self, records: Collection[Record]) -> bool:
        return 2 * sum(one.person in self._people for one in records) > len(records)

    def _about_them(self, page: Page) -> Portion:
        people, shared = self._people, self._shared
        kept = tuple([one for one in page.records if one.person in people or (not one.person and one.type in shared)])
        left_out = len(page.records) - len(kept)
        nobodys = sum(not one.person and one.type not in shared for one in page.records) if left_out else 0
        here = {one.reference for one in kept} if page.aliases else set()
        aliases = tuple(pair for pair in page.aliases if pair[1] in here)
        return Portion(page.stream, msgspec.structs.replace(page, records=kept, aliases=aliases), nobodys)


def _are_most_of(block: Block, spans: Collection[Span]) -> bool:
    """Where most of a block is wanted, to decode all of it is quicker than to search it."""
    return len(spans) >= _FEW and 2 * sum(end - start for start, end in spans) > block.length


def _every_line(block: Block) -> list[bytes]:
    text = bytes(memoryview(block.buffer)[: block.length])
    return [line for full in text.split(b"\n") if (line := full.strip(_BLANK))]


def _resources(lines: Collection[bytes]) -> list[Record]:
    """The records of lines of which each is simply one resource; none of any others."""
    records = read_records(lines) or []
    return records if _OF_OTHERS.isdisjoint({one.type for one in records}) else []


def _read(block: Block, spans: list[Span], contents: Contents) -> None:
    """Add what these lines hold; what is not simply one resource is sorted by `Contents`."""
    text = memoryview(block.buffer)
    lines = [text[start:end].tobytes().strip(_BLANK) for start, end in spans]
    if records := _resources(lines):
        contents.records += records
        return
    for line, (start, _) in zip(lines, spans, strict=True):
        place = block.offset + start
        resource = line if place else without_bom(line)
        if resource:
            _add(resource, place, contents)


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
