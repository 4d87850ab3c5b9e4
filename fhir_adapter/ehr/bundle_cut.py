"""A page of resources cut where they begin, so that every byte of it is parsed once and not twice.

A parser that takes a Bundle apart reads a resource to find its end, and another one reads it again to file it. Here the
end is guessed from what usually follows, and reading is the proof: an object of JSON ends in one place only. If every
part is one object, and what is left a Bundle with one hole in each entry and no other, then nothing else was written.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import NamedTuple

_BEGINNING, _NAME, _OUTCOME = b'"resource":', b'"resource"', b'"outcome"'
_HOLE = b"null"
_BLANK = b" \t\r\n"

Places = Callable[[bytes], list[tuple[int, int, int]]]


class Cut(NamedTuple):
    """What may be the resources, and the `rest` with a hole (`null`) for each."""

    rest: bytes
    resources: list[bytes]


def cut(text: bytes) -> Cut | None:
    """A guess, to be proven by reading all of it; nowhere else in the rest is an element called `resource`.

    None where that is not worth a try: remarks among the resources have no id as a rule, and have to be told apart.
    """
    find = _finder()
    if find is None:
        return None
    starts = [start for _, _, start in find(text)]
    left, resources, last = [], [], 0
    for start, stop in pairwise([*starts, len(text)]):
        end = _end(text, start, stop)
        resources.append(text[start:end].strip(_BLANK))
        left.append(text[last:start])
        last = end
    rest = _HOLE.join([*left, text[last:]])
    # An escape could spell the name in another way.
    if b"\\" in rest or rest.count(_NAME) != len(resources) or _OUTCOME in rest:
        return None
    return Cut(rest, resources)


def _end(text: bytes, start: int, stop: int) -> int:
    """Where the resource that begins at `start` probably ends: before the next member of its entry, or the entry's end.

    `stop` is where the next one begins.
    """
    if (search := text.rfind(b'"search"', start, stop)) >= 0:
        return text.rfind(b",", start, search)
    last = text.rfind(b"]" if stop == len(text) else b"{", start, stop)
    return text.rfind(b"}", start, last)


@cache
def _finder() -> Places | None:
    """None without the library: looking for one word would take as long as parsing."""
    try:
        from ahocorasick_rs import BytesAhoCorasick
    except ImportError:
        return None
    return BytesAhoCorasick([_BEGINNING]).find_matches_as_indexes
