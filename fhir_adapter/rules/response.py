"""How did the person respond to CAR-T: best overall response, progression, last assessment.

The categories are those of the study's response system. Parameters: docs/reference/parameters.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from fhir_adapter.cohort.events import Assessment
from fhir_adapter.cohort.finding import Finding, Index, Response, rests_on, step
from fhir_adapter.cohort.response_system import INDETERMINATE, NOT_EVALUABLE, PROGRESSION
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.rules.appraisal import PARAMETERS, overruled_steps
from fhir_adapter.rules.best_response import Series, best_of, every_series, settle
from fhir_adapter.rules.index import NEVER, when
from fhir_adapter.rules.readings import readings

_PARAMETERS = (
    "response_system",
    "response_confirmation",
    "bor_end",
    "ir_policy",
    "ir_confirm_days",
    "first_planned_assessment_day",
    *PARAMETERS,
)


@dataclass(frozen=True)
class Course:
    """The response after the infusion under one reading of the records."""

    best: str
    responded: date | None
    complete: date | None
    progressed: date | None
    assessed: date | None


def response(subject: Subject, study: Study, index: Index) -> Finding[Response]:
    """Best category from the infusion until the first progression (and new therapy, by parameter).

    Partial dates and days with more than one answer are read in every way; what all readings agree on is settled.
    """
    considered = [one for one in subject.assessments if one.on and index.infusion.earliest < one.on.latest]
    courses = _courses(considered, study, index)
    undated = [one for one in subject.assessments if one.on is None and one.category == PROGRESSION]
    value = _value(courses, considered)
    overruled = [one for one in subject.overruled if one.on and index.infusion.earliest < one.on.latest]
    before = _complete_before(subject.assessments, study, index)
    if undated and value.progressed_on is None and not value.contradiction:
        value = Response(best="", contradiction="a progression without a date is recorded")
    if before:
        value = value.model_copy(update={"complete_before": True})
    return Finding(
        rule="response",
        verdict=value.best or "undetermined",
        value=value,
        sentence=_sentence(value) + (" A progression without a date is recorded and not counted." if undated else ""),
        steps=(
            *(step(f"{one.category} on {when(one).iso}", one, value=one.category) for one in considered),
            *overruled_steps(overruled),
            *(step("a progression without a date is not counted", one) for one in undated),
            *(
                (step("in complete remission before the infusion already", before, value=before.category),)
                if before
                else ()
            ),
        ),
        sources=rests_on(considered, undated),
        parameters=study.parameters.named(*_PARAMETERS),
    )


def _complete_before(assessments: Sequence[Assessment], study: Study, index: Index) -> Assessment | None:
    """The last assessment that is surely not after the infusion, if it is a complete response."""
    before = [one for one in assessments if one.on and one.on.latest <= index.infusion.earliest]
    last = before[-1] if before else None
    return last if last and last.category in study.responses.complete else None


def _courses(considered: Sequence[Assessment], study: Study, index: Index) -> frozenset[Course]:
    """The course under every reading; empty when there are too many."""
    planned, confirm = study.parameters.first_planned_assessment_day, study.parameters.ir_confirm_days
    found: set[Course] = set()
    for therapy in {index.next_therapy or NEVER, index.perhaps_therapy or index.next_therapy or NEVER}:
        dates = [index.infusion, therapy, *(when(one) for one in considered)]
        for days in readings(dates, (planned, confirm)) or ():
            infused, next_therapy = days[0], days[1]
            after = [
                (day, _early(one.category, day, infused + timedelta(days=planned)))
                for day, one in zip(days[2:], considered, strict=True)
                if day > infused
            ]
            found.update(_course(series, next_therapy, study) for series in every_series(after))
    return frozenset(found)


def _early(category: str, day: date, planned: date) -> str:
    """Progression before the first planned assessment may be a flare: it counts as indeterminate."""
    return INDETERMINATE if category == PROGRESSION and day < planned else category


def _course(series: Series, next_therapy: date, study: Study) -> Course:
    _, progressed = best_of(series, study, next_therapy)
    stops = study.parameters.bor_end == "first_pd_or_new_therapy"
    best, _ = best_of([(day, one) for day, one in series if not stops or day <= next_therapy], study, next_therapy)
    settled = settle(series, study, next_therapy)
    before = [(day, one) for day, one in settled if progressed is None or day < progressed]
    return Course(
        best=best,
        responded=next((day for day, one in before if one in study.responses.responded), None),
        complete=next((day for day, one in before if one in study.responses.complete), None),
        progressed=progressed,
        assessed=max((day for day, one in before if one != NOT_EVALUABLE), default=None),
    )


def _value(courses: frozenset[Course], considered: Sequence[Assessment]) -> Response:
    if not courses:
        return Response(best="", contradiction="the records can be read in too many ways")
    bests = {course.best for course in courses}
    days = {
        "responded_on": _interval(course.responded for course in courses),
        "complete_on": _interval(course.complete for course in courses),
        "progressed_on": _interval(course.progressed for course in courses),
        "last_assessed_on": _interval(course.assessed for course in courses),
    }
    unsettled = len({course.progressed is None for course in courses}) > 1
    unsettled = unsettled or len({course.assessed is None for course in courses}) > 1
    return Response(
        best=next(iter(bests)) if len(bests) == 1 else "",
        responded_on=days["responded_on"],
        complete_on=days["complete_on"],
        progressed_on=None if unsettled else days["progressed_on"],
        last_assessed_on=None if unsettled else days["last_assessed_on"],
        contradiction="assessments can be read in ways that differ on progression" if unsettled else "",
        sources={
            name: str(one.source)
            for name, day in days.items()
            for one in reversed(considered)
            if day and when(one).earliest <= day.latest and day.earliest <= when(one).latest
        },
    )


def _interval(days: Iterable[date | None]) -> PartialDate | None:
    """The days as an interval; None when there is none, or when one reading has none."""
    known = list(days)
    exact = [day for day in known if day is not None]
    if not exact or len(exact) < len(known):
        return None
    first, last = min(exact), max(exact)
    return PartialDate.on(first) if first == last else PartialDate(first, last)


def _sentence(value: Response) -> str:
    if value.contradiction:
        return f"Best response is not determined: {value.contradiction}."
    if not value.best:
        told = "Best response after the infusion is not determined: the records can be read in more than one way"
    elif value.best == NOT_EVALUABLE:
        told = "No response assessment after the infusion can be used"
    else:
        told = f"Best response after the infusion is {value.best}"
    ends = f"; progression on {value.progressed_on.iso}" if value.progressed_on else "; no progression documented"
    last = f", last assessed on {value.last_assessed_on.iso}" if value.last_assessed_on else ""
    before = " The person was in complete remission before the infusion already." if value.complete_before else ""
    return told + ends + last + "." + before
