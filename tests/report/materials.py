"""What a report is made from, for cohorts of any size: the twelve people of the study, fewer, or copies of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from analysis.judged_people import CUT_2, study, twelve
from study12_estimates import FLOW

from fhir_adapter.analysis.endpoints import event_times
from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.cohort.case import case_of, course_of
from fhir_adapter.cohort.estimate import EventTime
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.tallies import Code, Tallies
from fhir_adapter.report.inputs import Material, RunFacts

FACTS = RunFacts("fhir-adapter 0.1.0", "http://127.0.0.1:8080/fhir", "2025-08-01T23:00:00Z", "c" * 64)


def material(people: Sequence[Judgement], asked: Study, **more: Any) -> Material:
    """The report's material about some people, their times and statistics computed as in a run."""
    times, cases = times_of(people, asked), [case_of(one) for one in people]
    flow = more.pop("flow", FLOW)
    steps = [(row.step, row.n_left) for row in flow]
    given: dict[str, Any] = {"facts": FACTS, "flow": flow, "times": times, "tallies": tallied(people), **more}
    courses = [course for one in people if (course := course_of(one))]
    return Material(study=asked, people=cases, courses=courses, estimates=estimate(cases, times, steps, asked), **given)


def tallied(people: Iterable[Judgement] = (), unknown: Iterable[tuple[Code, str]] = ()) -> Tallies:
    """What is open about these people; and who has a record with which code that is not known, somebody `P...` of
    the cohort or another.
    """
    found = Tallies()
    for one in people:
        found.add_open(one.findings(), included=True)
    owners: dict[str, list[tuple[Code, str]]] = {}
    for code, owner in unknown:
        owners.setdefault(owner, []).append((code, "Observation/1/_history/1"))
    for owner, records in owners.items():
        found.add_unknown(records, included=owner.startswith("P"))
    return found


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
