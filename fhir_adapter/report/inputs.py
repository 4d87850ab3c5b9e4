"""What the report is made from, beside the study and its estimates: shapes only, whoever makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from fhir_adapter.cohort.case import Case, Course
from fhir_adapter.cohort.estimate import Estimate, EventTime
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.tallies import Tallies
from fhir_adapter.report.subgroup_ids import is_of_subgroup

if TYPE_CHECKING:
    from fhir_adapter.report.human_review import HumanReview


class CurveStep(Protocol):
    """A day with an event or a censoring: what holds after it, and the people at risk just before it."""

    @property
    def time(self) -> int: ...
    @property
    def survival(self) -> float: ...
    @property
    def ci_low(self) -> float | None: ...
    @property
    def ci_high(self) -> float | None: ...
    @property
    def at_risk(self) -> int: ...
    @property
    def events(self) -> int: ...
    @property
    def censored(self) -> int: ...


class Curve(Protocol):
    """A Kaplan-Meier curve in days; its steps begin at day 0."""

    @property
    def n(self) -> int: ...
    @property
    def steps(self) -> Sequence[CurveStep]: ...
    @property
    def last_time(self) -> int: ...
    def at_risk(self, day: float) -> int: ...


class LedgerRow(Protocol):
    """What one stream announced and what became of it."""

    @property
    def stream(self) -> str: ...
    @property
    def announced(self) -> int | None: ...
    @property
    def received(self) -> int: ...
    @property
    def stored(self) -> int: ...
    @property
    def duplicate(self) -> int: ...
    @property
    def quarantined(self) -> int: ...
    @property
    def deleted(self) -> int: ...
    @property
    def complete(self) -> bool: ...
    @property
    def unverified(self) -> bool: ...
    @property
    def reason(self) -> str: ...


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What ran, on what. No clock: the same data, study and software give the same page.

    `source` is where the records come from, `changed_at` the instant at which they last changed.
    """

    software: str
    source: str
    changed_at: str
    content_sha256: str


@dataclass(frozen=True, slots=True)
class Material:
    """Everything a report is made from. `remarks` are what streams said about themselves.

    `courses` are those of everybody in a cohort that is small enough to show them.
    """

    study: Study
    facts: RunFacts
    estimates: Sequence[Estimate] = ()
    people: Sequence[Case] = ()
    courses: Sequence[Course] = ()
    times: Sequence[EventTime] = ()
    flow: Sequence[FlowRow] = ()
    ledger: Sequence[LedgerRow] = ()
    remarks: Sequence[str] = ()
    tallies: Tallies = field(default_factory=Tallies)
    human: HumanReview | None = None

    @property
    def whole(self) -> list[Estimate]:
        """The statistics of the whole cohort."""
        return [one for one in self.estimates if not is_of_subgroup(one)]

    def of(self, *families: str) -> list[Estimate]:
        """Those of some families: the first word of their id."""
        return [one for one in self.whole if one.id.split(".")[0] in families]

    @property
    def by_id(self) -> dict[str, Estimate]:
        return {one.id: one for one in self.estimates}

    @property
    def is_empty(self) -> bool:
        """Whether nobody is in the cohort."""
        return any(one.id == "baseline.n" and not one.n and not one.suppressed for one in self.estimates)

    @property
    def incomplete(self) -> list[str]:
        return [row.stream for row in self.ledger if not row.complete]
