"""One person judged: the findings of every rule, in the order the study's questions are asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from fhir_adapter.cohort.events import Frozen
from fhir_adapter.cohort.finding import (
    NOT_ASKED,
    AnyFinding,
    Bulk,
    Exposures,
    Failure,
    Finding,
    Index,
    IpiScore,
    Lines,
    Response,
    Score,
    Sites,
    Span,
    Toxicity,
)
from fhir_adapter.cohort.subject import Subject

STEPS = ("person", "diagnosis", "bsab", "car_t", "bsab_before_apheresis", "failure", "assessable")


class Exit(Frozen):
    """Where and why a person left the attrition."""

    step: str
    reason: str
    sentence: str


class Judgement(Frozen):
    """Everything the rules found about an included person (as known at the data cut).

    `eligibility` says why the person belongs to the cohort.
    """

    subject: Subject
    cut: date | None
    diagnosis: AnyFinding
    index: Finding[Index]
    exposure: Finding[Exposures]
    failure: Finding[Failure]
    washout: Finding[Span]
    lines: Finding[Lines]
    age: Finding[Span]
    sites: Finding[Sites]
    bulk: Finding[Bulk]
    ipi: Finding[IpiScore]
    ipi_relatives: tuple[Finding[Score], ...] = ()
    response: Finding[Response]
    toxicities: tuple[Finding[Toxicity], ...]
    assessable: AnyFinding
    eligibility: AnyFinding

    def findings(self) -> Iterator[AnyFinding]:
        """Every finding that the study asks for, in the order a reader would ask for them."""
        asked: tuple[AnyFinding, ...] = (
            self.diagnosis,
            self.index,
            self.exposure,
            self.failure,
            self.washout,
            self.lines,
            self.age,
            self.sites,
            self.bulk,
            self.ipi,
            *self.ipi_relatives,
            self.response,
            *self.toxicities,
            self.assessable,
        )
        yield from (finding for finding in asked if finding.verdict != NOT_ASKED)


class Excluded(Frozen):
    """A person who is not in the cohort: the step and reason, told as a finding too, and the findings up to there."""

    subject: Subject
    exit: Exit
    findings: tuple[AnyFinding, ...] = ()
    eligibility: AnyFinding
