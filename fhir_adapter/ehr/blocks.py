"""Whole lines of a file, or of a part of it, block by block through one buffer that is used again and again.

A part is a range of bytes; to it belong the lines that start in it, so that ranges that lie side by side share every
line out exactly once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

BLOCK_BYTES = 1 << 18
_SAMPLE = 4_096
_CHUNK = 1 << 14


class Block(msgspec.Struct, frozen=True):
    """Whole lines: the first `length` bytes of `buffer`, until the next block is asked for.

    `offset` is where in the file they begin; `ended` says whether a newline follows the last of them.
    """

    buffer: bytearray
    length: int
    offset: int
    ended: bool = True


class Overlong(msgspec.Struct, frozen=True):
    """A line that is longer than allowed: its beginning, and the hash of all of it."""

    offset: int
    start: bytes
    sha256: str


def read_blocks(opened: BinaryIO, max_line: int, start: int = 0, stop: int | None = None) -> Iterator[Block | Overlong]:
    """The lines that start in `[start, stop)`, in order; `start` other than 0 is for files that can seek."""
    buffer, kept = bytearray(BLOCK_BYTES), 0
    offset = _first_line(opened, start)
    while stop is None or offset < stop:
        read = _read_into(opened, memoryview(buffer)[kept:])
        filled = kept + read
        cut = buffer.rfind(b"\n", 0, filled) + 1
        if read and not cut and filled > max_line:
            overlong, offset, kept = _pass_over(opened, buffer, filled, offset)
            yield overlong
        elif read and not cut:
            buffer, kept = (buffer if filled < len(buffer) else buffer + bytes(len(buffer))), filled
        else:
            length = cut if read else filled  # at the end of the file also a line without its newline
            if stop is not None and offset + length > stop:
                length = buffer.find(b"\n", stop - offset - 1, length) + 1 or length
            if length:
                yield Block(buffer, length, offset, ended=length <= cut)
            if not read:
                return
            kept = filled - length
            buffer[:kept] = buffer[length:filled]
            offset += length


def _first_line(opened: BinaryIO, start: int) -> int:
    """Where the first line begins that starts at `start` or later: after the line that the byte before belongs to."""
    if not start:
        return 0
    at = opened.seek(start - 1)
    while chunk := opened.read(_CHUNK):
        end = chunk.find(b"\n") + 1
        if end:
            return opened.seek(at + end)
        at += len(chunk)
    return at


def _pass_over(opened: BinaryIO, buffer: bytearray, filled: int, offset: int) -> tuple[Overlong, int, int]:
    """The long line, where the next one begins, and how much of that is in the buffer already."""
    sample, digest, begin = bytes(buffer[:_SAMPLE]), hashlib.sha256(memoryview(buffer)[:filled]), offset
    end, offset = 0, offset + filled
    while not end and (read := _read_into(opened, buffer)):
        end = buffer.find(b"\n", 0, read) + 1
        digest.update(memoryview(buffer)[: end or read])
        offset += end or read
    kept = read - end if end else 0
    buffer[:kept] = buffer[end : end + kept]
    return Overlong(begin, sample, digest.hexdigest()), offset, kept


def _read_into(opened: BinaryIO, buffer: bytearray | memoryview) -> int:
    return opened.readinto(buffer)  # type: ignore[attr-defined, no-any-return]  # BinaryIO lacks what all our files have


def ranges(size: int, parts: int) -> list[tuple[int, int]]:
    """`[start, stop)` of at most `parts` ranges of about the same size that cover a file of `size` bytes."""
    width = max(-(-size // max(parts, 1)), 1)
    return [(start, min(start + width, size)) for start in range(0, size, width)]
