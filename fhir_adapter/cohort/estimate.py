"""What the analysis works on and what it answers: one row per person and endpoint, one per statistic."""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import Struct

from fhir_adapter.cohort.events import Frozen
from fhir_adapter.cohort.finding import Json

NO_INTERVAL = "no_interval"
"""The parameter that says why a value stands without the interval that its method has."""

Endpoint = Literal["OS", "PFS", "DOR", "DOCR", "EFS", "TTNT", "TTP"]


class EventTime(Struct, frozen=True, gc=False):
    """Time from `start` to an event or to censoring, in whole days, for one person and endpoint.

    `days` is None when the record bounds it only (`days_min`, `days_max`). `reason` says what ended the time (death,
    progression, last contact, last assessment, ...), `source` which record gave the day. `imputed` is true when a
    partial date was replaced by its midpoint.
    """

    subject_id: str
    endpoint: Endpoint
    start: date
    end: date
    days: int | None
    days_min: int
    days_max: int
    imputed: bool
    event: bool
    reason: str
    source: str


class NotInEndpoint(Frozen):
    """A person who leaves one endpoint because the records contradict each other or give no usable date."""

    subject_id: str
    endpoint: Endpoint
    reason: str
    sources: tuple[str, ...]


class Estimate(Frozen):
    """One statistic. Ratios are fractions 0 to 1 with unit `1`; times are in the unit given.

    `not_reached` and `not_estimable` (the reason, empty when it is estimable) are said, never guessed. `numerator` and
    `denominator` are set for proportions only: a Kaplan-Meier estimate is not a proportion. `suppressed` names the
    fields that are withheld because they tell of too few people: such a field is None,
    `n` and `missing` are then 0. `population` says of whom: `infused`, `responders`, or one level of a subgroup of the
    study, `bsab_failure=refractory`; then the `id` is the one of the whole cohort with the population in brackets.
    """

    id: str
    endpoint: str
    label: str
    timepoint_months: int | None = None
    population: str = "infused"
    method: str
    value: float | None = None
    unit: str = "1"
    ci_level: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    n: int
    events: int | None = None
    at_risk: int | None = None
    not_reached: bool = False
    not_estimable: str = ""
    numerator: int | None = None
    denominator: int | None = None
    range_low: float | None = None
    range_high: float | None = None
    missing: int = 0
    suppressed: tuple[str, ...] = ()
    parameters: dict[str, Json] = {}

    @property
    def no_interval(self) -> str:
        """Why the interval cannot be estimated although the value can; empty when it can, or when there is neither."""
        return str(self.parameters.get(NO_INTERVAL, ""))
