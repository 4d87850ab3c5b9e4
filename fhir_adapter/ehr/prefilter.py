"""Which lines of a block may be about certain people, found without decoding them.

What is looked for is a reference as JSON may write it: `Patient/<id>` or `Patient\\/<id>`. A line without either may
point to its patient in another way (`urn:uuid:`, an identifier, characters written as `\\u0050`), so it counts as one
that may be about them. Too many lines are a matter of time, a line too few would be a lost record: whatever is found
here is decoded and looked at again.

The library that finds any number of words at once is optional; without it regular expressions do the same, slower.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Protocol

from fhir_adapter.ehr.blocks import Block

Span = tuple[int, int]
# The characters of `Patient/<id>`. Escapes for other ones (`\u003c` in a narrative) cannot hide a reference.
_LETTERS = "/-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ESCAPES = tuple(
    sorted({form.encode() for letter in _LETTERS for form in (f"\\u{ord(letter):04x}", f"\\u{ord(letter):04X}")})
)

_BUNDLE = b'Bundle"'  # it may be about anybody
_TABLE = 1 << 13  # letters of names for which the quickest machine is built: half a kilobyte of memory each


class Prefilter(Protocol):
    """Finds the lines of a block that may be about the people it was made for."""

    def lines(self, block: Block, *, exact: bool) -> list[Span]:
        """Start and end of each such line in the block's buffer, in order.

        With `exact`, lines that hold no reference in a usual spelling are among them, and Bundles. Without, that is not
        looked at: only for files whose lines are all resources with such a reference.
        """

    def is_usual(self, block: Block) -> bool:
        """Are those lines of this block the same whether that is looked at or not?"""


class WordFinder:
    """By one search for all words at once (`ahocorasick-rs`). They begin with one of two rare bytes: it flies."""

    def __init__(self, people: Collection[str]) -> None:
        from ahocorasick_rs import MATCHKIND_LEFTMOST_LONGEST, BytesAhoCorasick, Implementation

        names = [f"Patient{slash}{id}".encode() for id in people for slash in ("/", "\\/")]
        how = Implementation.DFA if sum(map(len, names)) <= _TABLE else None
        self._theirs = BytesAhoCorasick([*names, *_ESCAPES], matchkind=MATCHKIND_LEFTMOST_LONGEST, implementation=how)
        self._usual = BytesAhoCorasick([_BUNDLE, b"Patient/", b"Patient\\/"])

    def lines(self, block: Block, *, exact: bool) -> list[Span]:
        found = self._theirs.find_matches_as_indexes(_text(block))
        lines = _lines_at(block, (start for _, start, _ in found))
        others = self._others(block) if exact else []
        return sorted({*lines, *others}) if others else lines

    def is_usual(self, block: Block) -> bool:
        others = self._others(block)
        return not others or set(others).issubset(self.lines(block, exact=False))

    def _others(self, block: Block) -> list[Span]:
        """Lines with a Bundle, or without a reference in a usual spelling."""
        found = self._usual.find_matches_as_indexes(_text(block))
        bundles = _lines_at(block, (start for word, start, _ in found if word == 0))
        return bundles + _lines_between(block, (start for word, start, _ in found if word != 0))


class PatternFinder:
    """By regular expressions of the standard library, line by line; always exact."""

    _REFERENCE = re.compile(rb"Patient\\?/([A-Za-z0-9\-.]{1,64})")
    _ESCAPE = re.compile(b"|".join(map(re.escape, _ESCAPES)))

    def __init__(self, people: Collection[str]) -> None:
        self._people = frozenset(id.encode() for id in people)

    def lines(self, block: Block, *, exact: bool) -> list[Span]:
        return [span for span in every_line(block) if self._may_be_theirs(block.buffer, span)]

    def is_usual(self, block: Block) -> bool:
        return True

    def _may_be_theirs(self, buffer: bytearray, span: Span) -> bool:
        about = self._REFERENCE.findall(buffer, *span)
        theirs = not about or not self._people.isdisjoint(about)
        return theirs or buffer.find(_BUNDLE, *span) >= 0 or bool(self._ESCAPE.search(buffer, *span))


def prefilter(people: Collection[str]) -> Prefilter:
    """The quickest way that is installed."""
    try:
        return WordFinder(people)
    except ImportError:
        return PatternFinder(people)


def _text(block: Block) -> memoryview:
    return memoryview(block.buffer)[: block.length]


def every_line(block: Block) -> Iterator[Span]:
    """Start and end of each line of the block, without its newline."""
    start = 0
    while start < block.length:
        end = block.buffer.find(b"\n", start, block.length)
        end = block.length if end < 0 else end
        yield start, end
        start = end + 1


def _lines_at(block: Block, places: Iterable[int]) -> list[Span]:
    """The lines that these places, in order, lie in; each once."""
    lines: list[Span] = []
    end = -1
    for place in places:
        if place > end:
            start = block.buffer.rfind(b"\n", 0, place) + 1
            end = block.buffer.find(b"\n", place, block.length)
            end = block.length if end < 0 else end
            lines.append((start, end))
    return lines


def _lines_between(block: Block, places: Iterable[int]) -> list[Span]:
    """The lines in which none of these places, in order, lies."""
    find, length = block.buffer.find, block.length
    lines: list[Span] = []
    start = 0
    for place in places:
        if place < start:
            continue
        while (end := find(b"\n", start, place)) >= 0:
            lines.append((start, end))
            start = end + 1
        start = find(b"\n", place, length) + 1 or length + 1
    while start < length:
        end = find(b"\n", start, length)
        end = length if end < 0 else end
        lines.append((start, end))
        start = end + 1
    return lines
