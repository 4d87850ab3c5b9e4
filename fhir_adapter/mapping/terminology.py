"""From a hospital's codes and words to the study's vocabulary.

A ConceptMap translates by (system, code) first, with the aliases of a system's URI; then by configured phrases found in
the concept's text and displays. Phrases match whole words after Unicode normalisation, the longest first, so that one
drug's name inside another's never matches. A translation that is not unique is no translation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from functools import cached_property, lru_cache

from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.fhir.r4 import CodeableConcept
from fhir_adapter.mapping.phrases import Phrases

_HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"), "-")
_CROSSES = dict.fromkeys(map(ord, "\u00d7\u2573\u2715\u2716\u2a09\u2a2f\u0445\u0425"), "x")  # also the Cyrillic letter
# NFKC would make letters of them, and of a name with one another name.
_TRADE_MARKS = dict.fromkeys(map(ord, "\u00a9\u00ae\u2120\u2122"), " ")
_UNSEEN = dict.fromkeys([0xAD, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065)])
_SPACE = re.compile(r"\s+")
_EDITION = re.compile(r"(http://snomed\.info/sct)/[0-9]+(?:/.*)?")
_OID = re.compile(r"(?:urn:oid:)?([0-2](?:\.[0-9]+){3,})", re.IGNORECASE)
_REMEMBERED = 4096

TEXT = "/CodeSystem/text"
"""How the URL of the CodeSystem ends whose codes are phrases of free text."""


def normalise(text: str, *, fold: bool = True) -> str:
    """The form in which phrases are compared: NFKC, case-folded, one kind of hyphen, cross and space."""
    if text.isascii():  # most are, and have nothing of the rest
        return " ".join((text.lower() if fold else text).split())
    seen = text.translate(_UNSEEN).translate(_TRADE_MARKS)
    plain = unicodedata.normalize("NFKC", seen).translate(_HYPHENS).translate(_CROSSES)
    return _SPACE.sub(" ", plain.casefold() if fold else plain).strip()


_FLAGS = {"text": ("matched-by-text",), "date": ("code-read-by-date",)}


@dataclass(frozen=True, slots=True)
class Translation:
    """The study code of a concept; `code` is None when nothing matched, or too much did (`ambiguous`)."""

    code: str | None
    by: str = ""
    ambiguous: bool = False
    disagree: bool = False

    @property
    def flags(self) -> tuple[str, ...]:
        found = _FLAGS.get(self.by, ())
        return (*found, "code-and-text-disagree") if self.disagree else found


NOTHING = Translation(None)


@dataclass(frozen=True, slots=True)
class Target:
    """What a code or phrase translates to; a `wider` one gives way to any other translation of the same concept.

    A `narrower` one says less than the phrase did: of "G2-3" only the 3.
    """

    code: str
    wider: bool = False
    narrower: bool = False


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code that changed its meaning stood for from `first` to `last`."""

    code: str
    first: date = date.min
    last: date = date.max

    def holds(self, on: PartialDate) -> bool:
        return self.first <= on.earliest and on.latest <= self.last


@dataclass(frozen=True)
class ConceptMap:
    """One translation table: `codes` by (canonical system, code), `phrases` by normalised text.

    `meanings` are those of codes whose meaning depends on the day. `none_of_ours` are codes, and whole texts, that
    somebody has found to be nothing the study knows. `vocabulary` is the CodeSystem of the targets.
    """

    name: str
    codes: Mapping[tuple[str, str], Target]
    phrases: Mapping[str, Target]
    aliases: Mapping[str, str] = field(default_factory=dict)
    meanings: Mapping[tuple[str, str], tuple[Meaning, ...]] = field(default_factory=dict)
    none_of_ours: frozenset[tuple[str, str]] = frozenset()
    vocabulary: str = ""

    def __getstate__(self) -> dict[str, object]:
        """What another process needs: it remembers for itself."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @cached_property
    def _finder(self) -> Phrases:
        return Phrases(self.phrases)

    @cached_property
    def _remembered(self) -> Callable[[CodeableConcept], Translation]:
        """The same few concepts come back in thousands of resources."""
        return lru_cache(maxsize=_REMEMBERED)(self._translate)

    def translate(self, concept: CodeableConcept | None) -> Translation:
        """The study code of a CodeableConcept, by code, else by text."""
        return NOTHING if concept is None else self._remembered(concept)

    def _translate(self, concept: CodeableConcept) -> Translation:
        coded, written = self._by_code(concept), self._by_text(concept)
        found, by = (coded, "code") if coded else (written, "text")
        if coded and all(one.wider for one in coded) and not all(one.wider for one in written):
            # The words say it more exactly than a code for the whole class.
            found, by = written, "text"
        codes = _most_exact(found)
        if len(codes) != 1:
            return Translation(None, by=by, ambiguous=True) if codes else NOTHING
        (code,) = codes
        said = _most_exact(self._in_texts(concept.text)) or _most_exact(written)
        coded_otherwise = by == "text" and bool(coded) and code not in {one.code for one in coded}
        return Translation(code, by=by, disagree=coded_otherwise or (bool(said) and code not in said))

    def translate_on(self, concept: CodeableConcept, on: PartialDate | None) -> Translation:
        """As `translate`; a code that changed its meaning, and that no name explains, is read as it was on that day."""
        found = self.translate(concept)
        if found.code is not None or found.ambiguous or on is None:
            return found
        said = {one.code for key in self._keys(concept) for one in self.meanings.get(key, ()) if one.holds(on)}
        return Translation(said.pop(), by="date") if len(said) == 1 else found

    @cached_property
    def may_mean(self) -> Callable[[CodeableConcept], frozenset[str]]:
        """Every study code that any code or word of a concept stands for, or has stood for once."""
        return lru_cache(maxsize=_REMEMBERED)(self._may_mean)

    def _may_mean(self, concept: CodeableConcept) -> frozenset[str]:
        said = (*self._by_code(concept), *self._by_text(concept))
        once = (one.code for key in self._keys(concept) for one in self.meanings.get(key, ()))
        return frozenset((*(one.code for one in said), *once))

    def every(self, concept: CodeableConcept | None) -> frozenset[str]:
        """All study codes a concept names, for answers that may list several (sites of disease)."""
        return frozenset() if concept is None else self._remembered_every(concept)

    @cached_property
    def every_of(self) -> Callable[[tuple[CodeableConcept | None, ...]], frozenset[str]]:
        """All study codes that several concepts name together."""
        return lru_cache(maxsize=_REMEMBERED)(self._every_of)

    def _every_of(self, concepts: tuple[CodeableConcept | None, ...]) -> frozenset[str]:
        return frozenset[str]().union(*map(self.every, concepts))

    @cached_property
    def _remembered_every(self) -> Callable[[CodeableConcept], frozenset[str]]:
        return lru_cache(maxsize=_REMEMBERED)(self._every)

    def _every(self, concept: CodeableConcept) -> frozenset[str]:
        return _most_exact(self._by_code(concept)) or _most_exact(self._by_text(concept))

    def is_foreign(self, concept: CodeableConcept) -> bool:
        """Whether it is coded, but in no system of which this table knows a code: nothing can be told from that."""
        systems = {system for system, _ in self._keys(concept)}
        return bool(systems) and systems.isdisjoint(self._systems) and not self.is_none_of_ours(concept)

    @cached_property
    def _systems(self) -> frozenset[str]:
        return frozenset(system for system, _ in (*self.codes, *self.meanings))

    def narrows(self, concept: CodeableConcept) -> bool:
        """Whether the translation of a concept's texts says less than they do."""
        return any(target.narrower for target in self._by_text(concept))

    def translate_text(self, text: str) -> Translation:
        """The study code of a free text, by phrases only."""
        return self.translate(CodeableConcept(text=text))

    @cached_property
    def is_none_of_ours(self) -> Callable[[CodeableConcept], bool]:
        """Whether somebody has found that one of its codes, or its whole text, is nothing the study knows."""
        return lru_cache(maxsize=_REMEMBERED)(self._is_none_of_ours)

    def _is_none_of_ours(self, concept: CodeableConcept) -> bool:
        texts = (concept.text, *(coding.display for coding in concept.coding if not coding.code))
        keys = (*self._keys(concept), *((TEXT, normalise(text)) for text in texts if text))
        return not self.none_of_ours.isdisjoint(keys)

    def _by_text(self, concept: CodeableConcept) -> frozenset[Target]:
        return self._in_texts(concept.text, *(coding.display for coding in concept.coding))

    def _in_texts(self, *texts: str) -> frozenset[Target]:
        """What the phrases that stand in some texts translate to."""
        plain = (normalise(text) for text in texts if text)
        return frozenset(self.phrases[phrase] for text in plain for phrase in self._finder.found_in(text))

    def _by_code(self, concept: CodeableConcept) -> frozenset[Target]:
        return frozenset(self.codes[key] for key in self._keys(concept) if key in self.codes)

    def _keys(self, concept: CodeableConcept) -> list[tuple[str, str]]:
        return [(self.canonical(coding.system), coding.code.strip()) for coding in concept.coding]

    def canonical(self, system: str) -> str:
        """The one URI of a code system that goes by several."""
        return canonical_system(system, self.aliases)


def _most_exact(targets: frozenset[Target]) -> frozenset[str]:
    """The codes that nothing more exact displaces."""
    exact = frozenset(one.code for one in targets if not one.wider)
    return exact or frozenset(one.code for one in targets)


def canonical_system(system: str, aliases: Mapping[str, str]) -> str:
    """The one URI of a code system: without version or edition, an OID as a URN, then by its aliases."""
    plain = system.partition("|")[0].strip().rstrip("/")
    if oid := _OID.fullmatch(plain):
        plain = f"urn:oid:{oid[1]}"
    elif edition := _EDITION.fullmatch(plain):
        plain = edition[1]
    return aliases.get(plain, plain)


@dataclass(frozen=True)
class Terminology:
    """All translation tables of a study, by the name of their file."""

    maps: Mapping[str, ConceptMap]
    properties: Mapping[tuple[str, str], Mapping[str, tuple[str, ...]]]

    def __getitem__(self, name: str) -> ConceptMap:
        return self.maps[name]

    def codes_of(self, system: str) -> list[str]:
        """The codes of one of our own CodeSystems, in their order."""
        return [code for known, code in self.properties if known == system]

    def property_of(self, system: str, code: str, name: str) -> tuple[str, ...]:
        """Values of one property of a code of our own CodeSystems (`target` of an agent, `extranodal` of a site)."""
        return self.properties.get((system, code), {}).get(name, ())


@lru_cache(maxsize=_REMEMBERED)
def describe(concept: CodeableConcept | None) -> tuple[str, str, str]:
    """(system, code, text) by which an unmapped concept is listed: its first coding, else its text."""
    if concept is None:
        return ("", "", "")
    first = next((coding for coding in _codings(concept) if coding[1]), next(iter(_codings(concept)), ("", "", "")))
    return (first[0], first[1], concept.text or first[2])


def _codings(concept: CodeableConcept) -> Iterable[tuple[str, str, str]]:
    return ((coding.system, coding.code, coding.display) for coding in concept.coding)
