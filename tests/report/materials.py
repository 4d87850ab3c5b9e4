"""What a report is made from, for cohorts of any size: the twelve people of the study, fewer, or copies of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.judged_people import CUT_2, study, twelve
from study12_estimates import FLOW

from fhir_adapter.analysis.endpoints import event_times
from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.cohort.estimate import EventTime
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.study import Study
from fhir_adapter.report.inputs import Material, RunFacts

FACTS = RunFacts("fhir-adapter 0.1.0", "http://127.0.0.1:8080/fhir", "2025-08-01T23:00:00Z", "c" * 64)


@dataclass(frozen=True)
class Code:
    """A code that the study does not know."""

    table: str
    system: str
    code: str
    text: str
    person: str


def material(people: Sequence[Judgement], asked: Study, **more: Any) -> Material:
    """The report's material about some people, their times and statistics computed as in a run."""
    times = times_of(people, asked)
    flow = more.pop("flow", FLOW)
    steps = [(row.step, row.n_left) for row in flow]
    given: dict[str, Any] = {"facts": FACTS, "flow": flow, "times": times, **more}
    return Material(study=asked, people=people, estimates=estimate(people, times, steps, asked), **given)


def times_of(people: Sequence[Judgement], asked: Study) -> list[EventTime]:
    return [time for person in people for time in event_times(person, asked)[0]]


def of_the_study(**parameters: Any) -> Material:
    """The twelve people at the second cut."""
    asked = study(**parameters)
    return material(twelve(CUT_2, asked), asked)


def copies(number: int, asked: Study) -> list[Judgement]:
    """As many people as are wanted: the twelve again and again, under ids of their own."""
    some = twelve(CUT_2, asked)
    return [named(some[place % len(some)], f"P-{place:05}") for place in range(number)]


def named(person: Judgement, name: str) -> Judgement:
    """The same person under another id."""
    return person.model_copy(update={"subject": person.subject.model_copy(update={"subject_id": name})})
