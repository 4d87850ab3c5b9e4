"""How much room words take in the figure: nobody measures them before the page is opened, so they are estimated."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_NARROW, _USUAL, _BROAD, _FULL = 0.34, 0.57, 0.78, 1.0  # of the size of the type, for a sans serif
_THIN = frozenset("iljtfrI.,:;'|!()[]·- /")
_THICK = frozenset("mwMW@%—")


def width(text: str, size: float) -> float:
    """The width of a text in pixels, rather too much than too little."""
    return size * sum(_share(sign) for sign in text)


def fitted(text: str, size: float, room: float) -> str:
    """The text, or as much of it as fits, with an ellipsis."""
    if width(text, size) <= room:
        return text
    kept = text
    while kept and width(f"{kept}…", size) > room:
        kept = kept[:-1]
    return f"{kept.rstrip()}…" if kept.strip() else ""


class Rows:
    """Puts things side by side, and under one another where they would overlap."""

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._ends: list[float] = []

    def place(self, left: float, right: float) -> int:
        """The number of the first row with room from `left` to `right`, which is then taken."""
        for number, end in enumerate(self._ends):
            if left >= end + self._gap:
                self._ends[number] = right
                return number
        self._ends.append(right)
        return len(self._ends) - 1

    def __len__(self) -> int:
        return max(len(self._ends), 1)


def longest(texts: Iterable[str], size: float) -> float:
    return max((width(text, size) for text in texts), default=0.0)


def _share(sign: str) -> float:
    if unicodedata.east_asian_width(sign) in "WF":
        return _FULL
    if sign in _THIN:
        return _NARROW
    return _BROAD if sign in _THICK or sign.isupper() else _USUAL
