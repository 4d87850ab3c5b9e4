"""What the page about one person is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from fhir_adapter.cohort.estimate import EventTime
from fhir_adapter.cohort.finding import AnyFinding, Exposures, Index, Toxicity
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.fhir.dates import PartialDate

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

    @property
    def first_antibody(self) -> PartialDate | None:
        """The first dose of any bispecific antibody."""
        exposed = self.exposures
        return min((one.first for one in exposed.exposures), default=None) if exposed else None

    def finding(self, rule: str) -> AnyFinding | None:
        return next((one for one in self.findings if one.rule == rule), None)

    def value(self, rule: str, kind: type[V]) -> V | None:
        """The result of a rule; None when it was not asked or has nothing of this kind to give."""
        found = self.finding(rule)
        return found.value if found and isinstance(found.value, kind) else None

    @cached_property
    def graded(self) -> Mapping[tuple[str, str], Toxicity]:
        """What was graded by the value of an observable in a record; one record may hold several values."""
        measured = [(clause.term_code, clause.observable) for clause in self.study.grading]
        measured += [(term, observable) for observable, term in self.study.elevated_terms.items()]
        found: dict[tuple[str, str], Toxicity] = {}
        for one in (finding.value for finding in self.findings if isinstance(finding.value, Toxicity)):
            for name, observable in measured:
                if name in (one.code, one.term):
                    found.setdefault((observable, one.source), one)
        return found
