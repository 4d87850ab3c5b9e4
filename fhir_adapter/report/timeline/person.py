"""What the page about one person is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from fhir_adapter.cohort.estimate import EventTime
from fhir_adapter.cohort.finding import AnyFinding, Exposures, Index, Toxicity
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject

V = TypeVar("V")


@dataclass(frozen=True)
class Person:
    """The records of a person as known at the data cut, what was found about them, and their times to events."""

    study: Study
    subject: Subject
    findings: tuple[AnyFinding, ...]
    times: tuple[EventTime, ...] = ()

    @property
    def index(self) -> Index | None:
        return self.value("index", Index)

    @property
    def exposures(self) -> Exposures | None:
        return self.value("exposure", Exposures)

    def finding(self, rule: str) -> AnyFinding | None:
        return next((one for one in self.findings if one.rule == rule), None)

    def value(self, rule: str, kind: type[V]) -> V | None:
        """The result of a rule; None when it was not asked or has nothing of this kind to give."""
        found = self.finding(rule)
        return found.value if found and isinstance(found.value, kind) else None

    def toxicities(self) -> dict[str, Toxicity]:
        """What was graded, by the record that the grade rests on."""
        graded = (one.value for one in self.findings if isinstance(one.value, Toxicity))
        return {one.source: one for one in graded if one.source}
