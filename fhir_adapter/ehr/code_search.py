"""Codes as values of a search: escaped, and in portions that fit into an address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

# Some proxies refuse addresses beyond about 1800 characters; the rest is for the base, the patient and the dates.
_ROOM = 1200
_SPECIAL = re.compile(r"([\\,$|])")


def token(system: str, code: str) -> str:
    """The value that finds a code of a system."""
    return f"{_escaped(system)}|{_escaped(code)}" if system else _escaped(code)


def in_portions(tokens: Iterable[str], room: int = _ROOM) -> Iterator[str]:
    """Values of one parameter, each some tokens joined by commas, at most `room` characters long in an address.

    Every token is in exactly one of them, and a token that is longer than that stands alone.
    """
    portion: list[str] = []
    used = 0
    for one in dict.fromkeys(tokens):
        length = len(quote(f"{one},", safe=""))
        if portion and used + length > room:
            yield ",".join(portion)
            portion, used = [], 0
        portion.append(one)
        used += length
    if portion:
        yield ",".join(portion)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
