"""What the report is made from, beside the study and its estimates: shapes only, whoever makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


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

    `source` is where the records come from, `changed_at` the instant at which they last changed. The counts are
    things set aside: records that contradict each other, codes not known, facts that could not be used.
    """

    software: str
    source: str
    changed_at: str
    content_sha256: str
    contradictions: int = 0
    unmapped: int = 0
    rejected: int = 0
