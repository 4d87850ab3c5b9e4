"""How did the person respond to CAR-T: best overall response, progression, last assessment.

Source: clinical brief §1.5, edge cases 23-31.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from fhir_adapter.cohort.events import Assessment
from fhir_adapter.cohort.finding import Finding, Index, Response, rests_on, step
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.rules.best_response import NOT_EVALUABLE, RESPONDED, best_of, resolve_indeterminate
from fhir_adapter.rules.index import when
from fhir_adapter.rules.readings import choices


@dataclass(frozen=True)
class Course:
    """The response after the infusion under one reading of days with more than one answer."""

    best: str
    responded: date | None
    complete: date | None
    progressed: date | None
    assessed: date | None


def response(subject: Subject, study: Study, index: Index) -> Finding[Response]:
    """Best category from the infusion until the first progression (and new therapy, by parameter)."""
    after = [one for one in subject.assessments if one.on and index.infusion.surely_before(one.on)]
    unsure = [
        one
        for one in subject.assessments
        if one.on and one not in after and index.infusion.latest <= one.on.latest and not one.on.exact
    ]
    courses = _courses(after, study, index)
    parameters = study.parameters.named("bor_end", "ir_policy", "first_planned_assessment_day")
    steps = [step(f"{one.category} on {when(one).iso}", one, value=one.category) for one in after]
    steps += [step("an assessment may lie before or after the infusion and is not counted", one) for one in unsure]
    if len(courses) != 1:
        contradiction = "assessments of one day contradict each other"
        return Finding(
            rule="response",
            verdict="undetermined",
            value=Response(best="", contradiction=contradiction),
            sentence=f"Best response is not determined: {contradiction}.",
            steps=tuple(steps),
            sources=rests_on(after),
            parameters=parameters,
        )
    course = courses[0]
    value = _value(course, after)
    return Finding(
        rule="response",
        verdict=value.best,
        value=value,
        sentence=_sentence(value),
        steps=tuple(steps),
        sources=rests_on(after),
        parameters=parameters,
    )


def _courses(after: Sequence[Assessment], study: Study, index: Index) -> list[Course]:
    answers: dict[date, set[str]] = {}
    for one in after:
        answers.setdefault(when(one).earliest, set()).add(_early(one, study, index))
    days = sorted(answers)
    found = {
        _course(list(zip(days, choice, strict=True)), study, index)
        for choice in choices(
            [sorted(answers[day] - ({NOT_EVALUABLE} if len(answers[day]) > 1 else set())) for day in days]
        )
    }
    return list(found)


def _early(one: Assessment, study: Study, index: Index) -> str:
    """Progression before the first planned assessment may be a flare: it counts as indeterminate."""
    planned = index.infusion.earliest + timedelta(days=study.parameters.first_planned_assessment_day)
    return "IR" if one.category == "PD" and when(one).latest < planned else one.category


def _course(series: Sequence[tuple[date, str]], study: Study, index: Index) -> Course:
    policy = study.parameters.ir_policy
    _, progressed = best_of(series, policy)
    ends = index.next_therapy
    stops = study.parameters.bor_end == "first_pd_or_new_therapy" and ends is not None
    counted = [(day, one) for day, one in series if not stops or (ends is not None and day <= ends.earliest)]
    best, _ = best_of(counted, policy)
    settled = [
        (day, one) for day, one in resolve_indeterminate(series, policy) if progressed is None or day < progressed
    ]
    adequate = [day for day, one in settled if one != NOT_EVALUABLE]
    return Course(
        best=best,
        responded=next((day for day, one in settled if one in RESPONDED), None),
        complete=next((day for day, one in settled if one == "CR"), None),
        progressed=progressed,
        assessed=max(adequate, default=None),
    )


def _value(course: Course, after: Sequence[Assessment]) -> Response:
    def written(day: date | None) -> PartialDate | None:
        return next((when(one) for one in after if when(one).earliest == day), None) if day else None

    days = {"responded_on": course.responded, "complete_on": course.complete}
    days |= {"progressed_on": course.progressed, "last_assessed_on": course.assessed}
    sources = {name: str(one.source) for name, day in days.items() if day for one in after if when(one).earliest == day}
    return Response(
        best=course.best,
        responded_on=written(course.responded),
        complete_on=written(course.complete),
        progressed_on=written(course.progressed),
        last_assessed_on=written(course.assessed),
        sources=sources,
    )


def _sentence(value: Response) -> str:
    if value.best == NOT_EVALUABLE:
        told = "No response assessment after the infusion can be used"
    else:
        told = f"Best response after the infusion is {value.best}"
    ends = f"; progression on {value.progressed_on.iso}" if value.progressed_on else "; no progression documented"
    last = f", last assessed on {value.last_assessed_on.iso}" if value.last_assessed_on else ""
    return told + ends + last + "."
