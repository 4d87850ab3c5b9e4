"""What is told of everybody in numbers alone: who left where, what gave nothing, what is not known, what is open."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from fhir_adapter.cohort.estimate import NotInEndpoint
from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.cohort.review import UNDETERMINED

# Days and numbers of one person: without them the same reason is said of everybody alike.
_OWN = re.compile(r"\d{4}-\d\d(?:-\d\d)?|\b\d+(?:\.\d+)?\b|\b[A-Z][A-Za-z]+/\S+")

NotUsed = tuple[str, str]
"""Reason and type of a resource that gave nothing."""

Code = tuple[str, str, str, str]
"""Table, system, code and text of what a table of the study does not know."""


class Seen(NamedTuple):
    """How many records there are of a kind, the first of them in order, and about how many people (of the cohort)."""

    records: int
    example: str
    people: int = 0
    of_cohort: int = 0


@dataclass
class Tallies:
    """Numbers that grow with every person. Whose they are is not kept, but for one example of a record each.

    `exits` are people by step and reason; `open_inside` and `open_outside` verdicts that the records leave open, by
    rule and reason, of the cohort and of people outside; `contradictions` people by reason and endpoint,
    `contradicted` everybody of whom there is one.
    """

    included: int = 0
    excluded: int = 0
    exits: Counter[tuple[str, str]] = field(default_factory=Counter)
    not_used: dict[NotUsed, Seen] = field(default_factory=dict)
    unknown: dict[Code, Seen] = field(default_factory=dict)
    open_inside: Counter[tuple[str, str]] = field(default_factory=Counter)
    open_outside: Counter[tuple[str, str]] = field(default_factory=Counter)
    contradictions: Counter[tuple[str, str]] = field(default_factory=Counter)
    contradicted: int = 0

    def add(self, other: Tallies) -> None:
        """Count what was counted of other people."""
        self.included += other.included
        self.excluded += other.excluded
        self.contradicted += other.contradicted
        for name in ("exits", "open_inside", "open_outside", "contradictions"):
            getattr(self, name).update(getattr(other, name))
        for kind, seen in other.not_used.items():
            self.not_used[kind] = _together(self.not_used.get(kind), seen)
        for code, seen in other.unknown.items():
            self.unknown[code] = _together(self.unknown.get(code), seen)

    def add_not_used(self, kind: NotUsed, source: str) -> None:
        """Count one resource that gave nothing."""
        self.not_used[kind] = _together(self.not_used.get(kind), Seen(1, source))

    def add_unknown(self, records: Iterable[tuple[Code, str]], *, included: bool) -> None:
        """Count the records of one person with a code or text that is not known."""
        own: dict[Code, Seen] = {}
        for code, source in records:
            own[code] = _together(own.get(code), Seen(1, source))
        for code, seen in own.items():
            told = seen._replace(people=1, of_cohort=int(included))
            self.unknown[code] = _together(self.unknown.get(code), told)

    def add_open(self, findings: Iterable[AnyFinding], *, included: bool) -> None:
        """Count the verdicts about one person that the records leave open."""
        opened = self.open_inside if included else self.open_outside
        opened.update((one.rule, _OWN.sub("…", one.sentence)) for one in findings if one.verdict == UNDETERMINED)

    def add_contradictions(self, left: Iterable[NotInEndpoint]) -> None:
        """Count the endpoints that one person leaves."""
        found = [(one.reason, one.endpoint) for one in left]
        self.contradictions.update(found)
        self.contradicted += bool(found)


def _together(one: Seen | None, other: Seen) -> Seen:
    if one is None:
        return other
    return Seen(
        one.records + other.records,
        min(one.example, other.example),
        one.people + other.people,
        one.of_cohort + other.of_cohort,
    )
