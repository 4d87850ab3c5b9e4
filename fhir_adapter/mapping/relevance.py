"""Could an unknown code have mattered? What speaks for it, what rules it out, and what it may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from fhir_adapter.fhir.r4 import Component, Observation
from fhir_adapter.mapping.artefacts import read_toml
from fhir_adapter.mapping.gaps import Gap
from fhir_adapter.mapping.reading import UNIT
from fhir_adapter.mapping.resemblance import Phrasebook
from fhir_adapter.mapping.result import concept_of
from fhir_adapter.mapping.terminology import ConceptMap, Terminology
from fhir_adapter.mapping.units import Units

Matters = Literal["likely", "perhaps", "no"]
RuledOut = Literal["another-class", "another-measurement"]
Why = (
    RuledOut
    | Literal["known-in-another-system", "answer-is-known", "question-is-known", "looks-alike"]
    | Literal["unit-fits", "not-ruled-out", "nobody-undecided"]
)

# The question was understood, only its answer was not; or the other way round, the answer is one of the study's.
_QUESTIONS = frozenset({"medication", "procedure", "condition", "observation", "adverse-event"})
_ANSWERS = {
    "response": "response",
    "stage": "stage",
    "deauville-score": "deauville",
    "disease-trend": "disease-status",
}
_LONGEST_ANSWER = 60  # what is longer is prose, in which two letters stand for anything
_MOST_CANDIDATES = 4  # a word or a unit that fits more than these tells nothing
_NOT_OURS = frozenset({"other", "NE"})


@dataclass(frozen=True)
class Appraised:
    """A gap, whether it could have mattered, why, and the codes of the study that it may be."""

    gap: Gap
    matters: Matters
    why: Why
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Relevance:
    """What the study's tables tell about unknown codes. `beginnings` are those codes of a system that can matter."""

    terms: Terminology
    units: Units
    beginnings: Mapping[str, tuple[str, ...]]
    other_units: frozenset[str]

    @cached_property
    def _phrasebooks(self) -> dict[str, Phrasebook]:
        return {
            name: Phrasebook({phrase: target.code for phrase, target in table.phrases.items()})
            for name, table in self.terms.maps.items()
        }

    def ruled_out(self, gap: Gap, seen: Iterable[Observation] = ()) -> RuledOut | None:
        """Why it can be nothing the study asks for; None when it can."""
        if gap.table == UNIT:
            return None
        beginnings = self.beginnings.get(self.terms[gap.table].canonical(gap.system))
        if gap.code and beginnings and not gap.code.upper().startswith(beginnings):
            return "another-class"
        units = {spelling for one in _results(seen) for spelling in _units(one)}
        if gap.table == "observation" and units and units <= self.other_units:
            return "another-measurement"
        return None

    def appraise(self, gap: Gap, undecided: frozenset[str], seen: Iterable[Observation] = ()) -> Appraised:
        """`undecided` are the people about whom it could change an answer, `seen` some Observations with this code."""
        observations = tuple(seen)
        if why := self.ruled_out(gap, observations):
            return Appraised(gap, "no", why)
        if gap.table == UNIT:
            return self._told(gap, "likely", "question-is-known", frozenset(), undecided)
        table = self.terms[gap.table]
        if elsewhere := _known_elsewhere(table, gap.code):
            return self._told(gap, "likely", "known-in-another-system", elsewhere, undecided)
        if answered := self._answered(observations):
            return self._told(gap, "likely", "answer-is-known", answered, undecided)
        if alike := self._phrasebooks[gap.table].nearest(gap.text, gap.code) - _NOT_OURS:
            return self._told(gap, "likely", "looks-alike", alike, undecided)
        if gap.table not in _QUESTIONS:
            return self._told(gap, "likely", "question-is-known", frozenset(), undecided)
        if fitting := self._measured(observations):
            return self._told(gap, "perhaps", "unit-fits", fitting, undecided)
        return self._told(gap, "perhaps", "not-ruled-out", frozenset(), undecided)

    def _told(
        self, gap: Gap, matters: Matters, why: Why, candidates: frozenset[str], undecided: frozenset[str]
    ) -> Appraised:
        """Without anybody concerned, nothing could have come out differently."""
        if gap.people.isdisjoint(undecided):
            return Appraised(gap, "no", "nobody-undecided")
        told = tuple(sorted(candidates)) if len(candidates) <= _MOST_CANDIDATES else ()
        return Appraised(gap, matters, why, told)

    def _answered(self, seen: Iterable[Observation]) -> frozenset[str]:
        """The questions of the study that answers given under this code would fit."""
        return frozenset(
            question
            for concept in map(concept_of, _results(seen))
            if concept and len(concept.text) <= _LONGEST_ANSWER
            for table, question in _ANSWERS.items()
            if self.terms[table].translate(concept).code not in (None, "NE")
        )

    def _measured(self, seen: Iterable[Observation]) -> frozenset[str]:
        """The measurements whose unit and range every number given under this code would fit."""
        fitting: frozenset[str] | None = None
        for quantity in (one.valueQuantity for one in _results(seen)):
            if quantity and quantity.value is not None:
                fits = frozenset(
                    name
                    for name in self.units.analytes
                    if (value := self.units.convert(name, quantity.value, quantity)) is not None
                    and self.units.plausible(name, value)
                )
                fitting = fits if fitting is None else fitting & fits
        return fitting or frozenset()


def read_relevance(path: Path, terms: Terminology, units: Units) -> Relevance:
    """What `relevance.toml` rules out; without the file nothing is."""
    written = read_toml(path) if path.exists() else {}
    beginnings = {system: tuple(codes) for system, codes in written.get("codes", {}).items()}
    return Relevance(terms, units, beginnings, frozenset(written.get("units", {}).get("other", ())))


def _known_elsewhere(table: ConceptMap, code: str) -> frozenset[str]:
    """What the same code means in a system that the table knows: the hospital may only name that system otherwise."""
    if len(code) < 4 or not any(letter.isdigit() for letter in code):
        return frozenset()
    return frozenset(target.code for (_, known), target in table.codes.items() if known == code) - _NOT_OURS


def _results(seen: Iterable[Observation]) -> Iterator[Observation | Component]:
    for one in seen:
        yield one
        yield from one.component


def _units(result: Observation | Component) -> Iterator[str]:
    quantity = result.valueQuantity
    if quantity and (quantity.code or quantity.unit):
        yield quantity.code or quantity.unit
