"""Which known phrases an unknown text looks like. A help for whoever fills in a map, never a translation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property

from fhir_adapter.mapping.terminology import normalise

# Names of these drugs differ by a syllable, so less than this much in common is chance.
_ALIKE = 0.7
_WORD = re.compile(r"[a-z][a-z0-9]{3,}|[\u3400-\u9fff]{3,}")


class Phrasebook:
    """Phrases and what they translate to, found by the pairs of letters that a word shares with them."""

    def __init__(self, phrases: Mapping[str, str]) -> None:
        self._words: dict[str, set[str]] = {}
        for phrase, code in phrases.items():
            for word in _words(phrase):
                self._words.setdefault(word, set()).add(code)

    def nearest(self, *texts: str) -> frozenset[str]:
        """The codes of the phrases with the word most like one of the texts'; none when nothing is alike."""
        scored = [found for text in texts for word in _words(text) for found in self._alike(word)]
        best = max((score for score, _ in scored), default=0.0)
        codes = (code for score, word in scored if score == best for code in self._words[word])
        return frozenset(codes)

    def _alike(self, word: str) -> Iterable[tuple[float, str]]:
        pairs = _pairs(word)
        shared = Counter(known for pair in pairs for known in self._known_with.get(pair, ()))
        for known, count in shared.items():
            score = 2 * count / (len(pairs) + len(_pairs(known)))
            if score >= _ALIKE:
                yield score, known

    @cached_property
    def _known_with(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for word in self._words:
            for pair in _pairs(word):
                found.setdefault(pair, []).append(word)
        return found


def _words(text: str) -> list[str]:
    return _WORD.findall(normalise(text))


def _pairs(word: str) -> frozenset[str]:
    return frozenset(word[at : at + 2] for at in range(len(word) - 1))
