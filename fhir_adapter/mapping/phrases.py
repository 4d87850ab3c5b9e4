"""Which of many phrases stand in a text: as whole words, the longest first, so that no name inside another is found."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_WORD = re.compile(r"[0-9a-z]")
# A phrase does not go on as a word, but for an amount that sticks to it; and PD is not found in PD-1 or PD-L1.
_END_OF_NUMBER = re.compile(r"(?![0-9a-z]|-l?[0-9])")
_END_OF_LETTERS = re.compile(r"(?!-l?[0-9])(?:(?![0-9a-z])|(?=[0-9][0-9.,]* ?(?:mg|\u03bcg|ug|mcg|g|ml|iu)(?![a-z])))")
_ANYWHERE = re.compile("")


class Phrases:
    """Finds phrases in texts, both normalised. One pattern of all of them would take long to make."""

    def __init__(self, phrases: Collection[str]) -> None:
        self._ends = {phrase: _end(phrase) for phrase in phrases}
        lengths: dict[str, set[int]] = {}
        for phrase in phrases:
            lengths.setdefault(phrase[0], set()).add(len(phrase))
        self._lengths = {first: sorted(some, reverse=True) for first, some in lengths.items()}
        words = "".join(first for first in lengths if _WORD.match(first))
        others = "".join(re.escape(first) for first in lengths if not _WORD.match(first))
        places = [f"(?<![0-9a-z])[{words}]"] if words else []
        self._places = re.compile("|".join([*places, *([f"[{others}]"] if others else [])])) if phrases else None

    def found_in(self, text: str) -> Iterator[str]:
        """The phrases in a text from left to right; none overlaps another."""
        at = 0
        while self._places and (place := self._places.search(text, at)):
            phrase = self._at(text, place.start())
            if phrase:
                yield phrase
            at = place.start() + max(len(phrase), 1)

    def _at(self, text: str, start: int) -> str:
        """The longest phrase that begins here and ends as a word."""
        for length in self._lengths[text[start]]:
            phrase = text[start : start + length]
            end = self._ends.get(phrase)
            if end and end.match(text, start + length):
                return phrase
        return ""


def _end(phrase: str) -> re.Pattern[str]:
    """How the text goes on where the phrase ends as a word."""
    if phrase[-1].isdecimal():
        return _END_OF_NUMBER
    return _END_OF_LETTERS if _WORD.match(phrase[-1]) else _ANYWHERE
