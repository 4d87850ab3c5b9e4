"""Files taken apart, so that several can read them at once, and looked at here and there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from fhir_adapter.ehr.blocks import BLOCK_BYTES, Block, Overlong, ranges, read_blocks
from fhir_adapter.ehr.folder import MAX_RESOURCE_BYTES, FolderFile, opened_whole

# So small that several workers end at about the same time; what a task costs by itself is a thousandth of reading it.
PART_BYTES = 1 << 26
# One program wrote a file: so many places of it tell how it writes. A compressed file cannot be entered in the middle.
_PLACES = 32
ONE_BLOCK_IN = 16
_UNPACKED = 15  # JSON of hospitals, unpacked, is that many times as large


class Part(msgspec.Struct, frozen=True):
    """The lines of a file that start in `[start, stop)`; without an end, all of it.

    `alike` says that its lines, here and there, all name their patient in the usual way.
    """

    file: FolderFile
    start: int = 0
    stop: int | None = None
    alike: bool = False


def parts_of(file: FolderFile, width: int = 0, *, alike: bool = False) -> list[Part]:
    """Parts of about the same size, at most `width` bytes each, of a file that can be taken apart; else one."""
    width = width or PART_BYTES
    size = _size(file)
    if file.kind != "ndjson" or file.compression or size <= width:
        return [Part(file, alike=alike)]
    return [Part(file, start, stop, alike) for start, stop in ranges(size, -(-size // width))]


def batches(parts: Iterable[Part], width: int = 0) -> Iterator[tuple[Part, ...]]:
    """Parts in their order, as many together as come to `width` bytes: a folder may hold many small files."""
    batch: list[Part] = []
    size = 0
    for part in parts:
        if batch and size + size_of(part) > (width or PART_BYTES):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(part)
        size += size_of(part)
    if batch:
        yield tuple(batch)


def size_of(part: Part) -> int:
    """Bytes of its content; of a compressed file that is a guess."""
    packed = part.file.compression or part.file.kind == "parquet"
    whole = _size(part.file) * (_UNPACKED if packed else 1)
    return (whole if part.stop is None else part.stop) - part.start


def is_small(file: FolderFile) -> bool:
    """Is it no more than what would be looked at here and there?"""
    return _size(file) <= _PLACES * BLOCK_BYTES


def read_here_and_there(file: FolderFile) -> Iterator[Block | Overlong]:
    """Some of the lines of an NDJSON file: all of a small one, else those in 32 places; of a compressed one those at
    its beginning and then one block in sixteen. `StreamIncomplete` as far as it is met.
    """
    with opened_whole(file) as opened:
        if file.compression:
            blocks = enumerate(read_blocks(opened, MAX_RESOURCE_BYTES))
            yield from (block for count, block in blocks if count < _PLACES or count % ONE_BLOCK_IN == 0)
        elif is_small(file):
            yield from read_blocks(opened, MAX_RESOURCE_BYTES)
        else:
            for start, stop in ranges(_size(file), _PLACES):
                yield from islice(read_blocks(opened, MAX_RESOURCE_BYTES, start, stop), 1)


def _size(file: FolderFile) -> int:
    try:
        return file.path.stat().st_size
    except OSError:
        return 0  # whoever reads it tells what is wrong
