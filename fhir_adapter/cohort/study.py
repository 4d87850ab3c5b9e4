"""What a study asks: its parameters, its drugs and what it counts as what. Read from `mappings/<study>/`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

import msgspec
from pydantic import ConfigDict

from fhir_adapter.cohort.events import Frozen
from fhir_adapter.cohort.parameters import Parameters
from fhir_adapter.cohort.response_system import ResponseSystem
from fhir_adapter.cohort.subgroup import Subgroup, subgroup


class Roles(Frozen):
    """What the study counts as what: each role names one ValueSet of the study; here its member codes."""

    disease: frozenset[str]
    transformed_disease: frozenset[str]
    bsab: frozenset[str]
    car_t: frozenset[str]
    line_therapy: frozenset[str]
    pretreatment: frozenset[str]
    lymphodepletion: frozenset[str]
    new_therapy: frozenset[str]


class Agent(Frozen):
    """A drug or cell product of the study's vocabulary, with the antigens it is directed at.

    A `continuous` one runs for weeks, bag after bag.
    """

    code: str
    display: str
    targets: tuple[str, ...] = ()
    continuous: bool = False


class GradeClause(msgspec.Struct, frozen=True, kw_only=True, gc=False, cache_hash=True):
    """One laboratory clause of a grading table: a value has at least `grade` when it lies `direction` of limit x of.

    `transfused` holds whatever the value is, when a transfusion was given for it.
    """

    term: str
    term_code: str
    observable: str
    grade: int
    direction: Literal["below", "above", "at_or_above", "fall_at_least", "transfused"]
    limit: Decimal
    of: Literal["absolute", "LLN", "ULN", "baseline"]
    when_baseline: Literal["any", "normal", "abnormal", "below_normal"]
    text: str = ""


class DurationClause(Frozen):
    """One step of a scale of depth and duration: at least `grade` after `least_days` on the low side of `limit`."""

    term: str
    term_code: str
    observable: str
    first_day: int
    last_day: int
    direction: Literal["at_most", "below"]
    limit: Decimal
    least_days: int
    grade: int
    verified: bool


class MeasureFamily(Frozen):
    """One Measure of the study and the statistics its report carries, in order."""

    family: str
    url: str
    version: str
    resource: Mapping[str, Any]


class Study(Frozen):
    """A checked study folder. `fingerprint` is the SHA-256 over its files and the parameters in force.

    `adverse_events` are the codes of the terms that may be recorded as such.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    id: str
    version: str
    title: str
    site: str
    parameters: Parameters
    roles: Roles
    agents: Mapping[str, Agent]
    labels: Mapping[str, str]
    gradings: Mapping[str, tuple[GradeClause, ...]]
    elevated_terms: Mapping[str, str]
    responses: ResponseSystem
    adverse_events: tuple[str, ...] = ()
    durations: tuple[DurationClause, ...] = ()
    measures: tuple[MeasureFamily, ...] = ()
    fingerprint: str = ""

    @property
    def grading(self) -> tuple[GradeClause, ...]:
        """The laboratory clauses of the CTCAE version in force."""
        return self.gradings[self.parameters.ctcae_version]

    @cached_property
    def subgroups(self) -> tuple[Subgroup, ...]:
        """The groups of people that are also looked at apart, in the order of the study."""
        return tuple(subgroup(text) for text in self.parameters.subgroups)

    def targets(self, agent: str) -> tuple[str, ...]:
        found = self.agents.get(agent)
        return found.targets if found else ()

    def is_continuous(self, agent: str) -> bool:
        return agent in self.agents and self.agents[agent].continuous

    def display(self, code: str) -> str:
        """The name to print for a code of the study's vocabulary."""
        return self.agents[code].display if code in self.agents else self.labels.get(code, code)
