"""What people decided about a finding, line by line, and what became of it beside the answer of the rule."""

from __future__ import annotations

from collections.abc import Iterable, Set
from datetime import date
from functools import cached_property
from typing import Literal

from fhir_adapter.cohort.events import Frozen

CONSENSUS = "consensus"
"""The reviewer who speaks for all of them: settles what they had decided up to that day."""

UNDETERMINED = "undetermined"
_SPAN = " to "  # an answer that the records only bound: `2 to 4`, `grade 1 to 5`


class Ruling(Frozen):
    """One line of the adjudication file: what one reviewer decided about one finding of one person.

    `verdict` is empty for a line that is still to be filled in (pending). `evidence` is the fingerprint of what the
    reviewer saw, empty when nobody wrote it down. `line` is the line in the file.
    """

    person: str
    rule: str
    verdict: str
    reviewer: str = ""
    on: date | None = None
    reason: str = ""
    evidence: str = ""
    line: int

    @property
    def voice(self) -> str:
        """Who speaks, however the name is spelled."""
        return " ".join(self.reviewer.casefold().split())


Standing = Literal["applied", "disputed", "other-definitions", "not-possible"]
"""Does it count? `disputed`: reviewers differ. `other-definitions`: it answered another question than the study asks
now. `not-possible`: there is no infusion to count from."""

Seen = Literal["as-seen", "changed", "not-recorded"]
"""Are the records still those that the reviewer saw?"""


class Review(Frozen):
    """The reviewers' answer beside that of the rule; `verdict` is empty when they differ.

    `by_rule` is in the words in which a reviewer would say it, `rulings` are the lines that count, by day.
    """

    by_rule: str
    sentence_by_rule: str
    verdict: str
    standing: Standing
    records: Seen
    rulings: tuple[Ruling, ...]

    @property
    def applied(self) -> bool:
        return self.standing == "applied"

    @property
    def comparable(self) -> bool:
        """Whether rule and reviewers have both an answer to the same question about the same records."""
        answered = all(said != UNDETERMINED and _SPAN not in said for said in (self.by_rule, self.verdict))
        return self.applied and self.records != "changed" and answered

    @property
    def flags(self) -> tuple[str, ...]:
        """What a reader should know: that it does not count, or that the records are not surely those of the review."""
        doubt = self.records if self.records != "as-seen" else ""
        return (self.standing,) if not self.applied else (f"records-{doubt}",) if doubt else ()

    @property
    def overrides(self) -> bool:
        """Whether the person counts otherwise than by the rule alone."""
        return self.applied and self.verdict != self.by_rule


class Rulings(Frozen):
    """Every line of an adjudication file; `sha256` is that of the file, empty without one."""

    rulings: tuple[Ruling, ...] = ()
    sha256: str = ""

    @cached_property
    def _by_person(self) -> dict[str, list[Ruling]]:
        found: dict[str, list[Ruling]] = {}
        for one in self.rulings:
            found.setdefault(one.person, []).append(one)
        return found

    @property
    def people(self) -> Set[str]:
        """The Patient ids of everybody whom a line is about."""
        return self._by_person.keys()

    def about(self, patient_ids: tuple[str, ...]) -> tuple[Ruling, ...]:
        """What was decided about a person; what is pending decides nothing."""
        found = (one for name in patient_ids for one in self._by_person.get(name, ()) if one.verdict)
        return tuple(sorted(found, key=lambda one: one.line))

    def strangers(self, people: Set[str]) -> tuple[Ruling, ...]:
        """The lines about people who are not among the data."""
        return tuple(one for one in self.rulings if one.person not in people)


def voices(rulings: Iterable[Ruling]) -> tuple[Ruling, ...]:
    """The lines that count, of those about one finding: the last of each reviewer.

    A consensus takes the place of everything that was decided up to its day; what came after it stands beside it.
    """
    in_order = sorted(rulings, key=lambda one: (one.on or date.min, one.line))
    last = sorted({one.voice: one for one in in_order}.values(), key=in_order.index)
    settled = next((one.on for one in last if one.voice == CONSENSUS), None)
    if settled is None:
        return tuple(last)
    return tuple(one for one in last if one.voice == CONSENSUS or (one.on or date.min) > settled)
