"""Did the bispecific antibody fail: relapsed after a response, refractory, or not to be told from the records?

The reference study's rule rests on the response: refractory when the best response of the BsAb line is stable or
progressive disease, relapsed when it was a response and progression followed. The alternatives add the time from the
last dose to progression. Parameters: docs/reference/parameters.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from fhir_adapter.cohort.events import Assessment, Dose
from fhir_adapter.cohort.finding import Failure, Finding, Index, Step, rests_on, step
from fhir_adapter.cohort.response_system import PROGRESSION, ResponseSystem
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.rules.appraisal import PARAMETERS, overruled_steps
from fhir_adapter.rules.best_response import Series, best_of, every_series
from fhir_adapter.rules.index import bsab_doses, until, when
from fhir_adapter.rules.lines import groupings
from fhir_adapter.rules.readings import readings

Status = Literal["relapsed", "refractory", "undetermined"]
_PARAMETERS = (
    "response_system",
    "response_confirmation",
    "bsab_status_rule",
    "interval_days",
    "interval_anchor",
    "bsab_line_for_status",
    "refractory_min_doses",
    "sd_limit_days",
    "toxicity_stop_with_sd",
    "ir_policy",
    "ir_confirm_days",
    *PARAMETERS,
)

_ANCHORS = {"last_dose": "the last dose", "first_dose": "the first dose", "end_of_line": "the end of the line"}


@dataclass(frozen=True)
class BsabLine:
    """One line that holds a BsAb: its BsAb doses, the last day of any of its drugs, and the day the next line began.

    `next_line` is None when no other line began before the collection.
    """

    doses: tuple[Dose, ...]
    ended: PartialDate
    next_line: PartialDate | None


@dataclass(frozen=True)
class Exposed:
    """The BsAb doses of the line under one reading: the first day, days with a dose, and how they ended.

    `anchor` is the day from which progression is counted.
    """

    first: date
    anchor: date
    doses: int
    intolerance: bool


@dataclass(frozen=True)
class Outcome:
    """What the assessments of the line say under one reading of the records; `why` when a limit leaves it open."""

    status: Status
    best: str
    progression: date | None
    why: str = ""


def failure(subject: Subject, study: Study, index: Index) -> Finding[Failure]:
    """Relapsed, refractory or undetermined, on the line(s) that `bsab_line_for_status` names."""
    judged = {lines: _over_lines(lines, subject, study, index) for lines in bsab_lines(subject, study, index)}
    if not judged:
        return Finding(rule="failure", verdict="undetermined", sentence="No BsAb line can be told from the records.")
    found = list(judged.values())
    if len({one.verdict for one in found}) == 1:
        return _agreed(found)
    why = "the partial dates of the doses allow more than one grouping into lines"
    return found[0].model_copy(
        update={
            "verdict": "undetermined",
            "value": Failure(status="undetermined", best_response=""),
            "sentence": _sentence("undetermined", "", None, why),
        }
    )


def _agreed(found: Sequence[Finding[Failure]]) -> Finding[Failure]:
    """One finding of several with the same verdict: what they do not agree on is not settled."""
    values = [one.value for one in found if one.value]
    if len(set(values)) <= 1:
        return found[0]
    bests, progressions = {one.best_response for one in values}, {one.progression for one in values}
    best = bests.pop() if len(bests) == 1 else ""
    progression = progressions.pop() if len(progressions) == 1 else None
    value = values[0].model_copy(update={"best_response": best, "progression": progression})
    sentence = _sentence(value.status, best, progression, "the partial dates allow more than one grouping into lines")
    return found[0].model_copy(update={"value": value, "sentence": sentence})


def _over_lines(lines: tuple[BsabLine, ...], subject: Subject, study: Study, index: Index) -> Finding[Failure]:
    """The finding on the line that the study judges by."""
    found = [_line_failure(line, subject, study, index) for line in lines]
    match study.parameters.bsab_line_for_status:
        case "best":
            return min(found, key=lambda one: ("relapsed", "undetermined", "refractory").index(one.verdict))
        case "worst":
            return min(found, key=lambda one: ("refractory", "undetermined", "relapsed").index(one.verdict))
        case "first":
            return found[0]
        case _:
            return found[-1]


def stopped_for_intolerance(subject: Subject, study: Study, index: Index) -> bool:
    """Whether the last BsAb dose before the collection was the last because of intolerance."""
    doses = [dose for dose in bsab_doses(subject, study) if when(dose).surely_on_or_before(_end(index))]
    return bool(doses) and max(doses, key=when).intolerance


def bsab_lines(subject: Subject, study: Study, index: Index) -> list[tuple[BsabLine, ...]]:
    """The lines before the collection that hold a BsAb dose, in order, for every way to group the therapies."""
    given, found = groupings(subject, study, index)
    every: dict[tuple[BsabLine, ...], None] = {}
    for grouping in found:
        lines = []
        for number, line in enumerate(grouping):
            members = [given[one].event for one in line]
            doses = tuple(one for one in members if isinstance(one, Dose) and one.agent in study.roles.bsab)
            following = grouping[number + 1] if number + 1 < len(grouping) else ()
            if doses:
                next_line = min((given[one].on for one in following), default=None)
                lines.append(BsabLine(doses, max(given[one].until for one in line), next_line))
        if lines:
            every[tuple(lines)] = None
    return list(every)


def _line_failure(line: BsabLine, subject: Subject, study: Study, index: Index) -> Finding[Failure]:
    first = min(when(dose) for dose in line.doses)
    ends = [end for end in (line.next_line, _end(index)) if end]
    considered = _considered(subject.assessments, first, ends)
    outcomes = _outcomes(considered, ends, line, study)
    status, best, why = _settle(outcomes, study.responses)
    progression = _progression(outcomes, considered)
    value = Failure(status=status, best_response=best, progression=progression)
    last_dose = max(line.doses, key=until)
    return Finding(
        rule="failure",
        verdict=status,
        value=value,
        sentence=_sentence(status, best, progression, why),
        steps=(
            *_steps(line, last_dose, ends),
            *(step(f"{one.category} on {when(one).iso}", one, value=one.category) for one in considered),
            *overruled_steps(_considered(subject.overruled, first, ends)),
            *_rule_steps(study, _anchor(line, line.doses, study), progression),
        ),
        sources=rests_on(list(considered), [min(line.doses, key=when), last_dose]),
        parameters=study.parameters.named(*_PARAMETERS),
    )


def _end(index: Index) -> PartialDate:
    return index.apheresis or index.infusion


def _considered(
    assessments: Sequence[Assessment], first: PartialDate, ends: Sequence[PartialDate]
) -> tuple[Assessment, ...]:
    """Assessments that may lie after the line's first BsAb dose and not after its end."""
    return tuple(
        one
        for one in assessments
        if one.on and first.earliest < one.on.latest and all(one.on.perhaps_on_or_before(end) for end in ends)
    )


def _outcomes(
    considered: Sequence[Assessment], ends: Sequence[PartialDate], line: BsabLine, study: Study
) -> frozenset[Outcome]:
    """The outcome under every reading of the records; empty when there are too many.

    Partial dates, days with more than one answer, and doses that may not have been given are read in every way.
    """
    certain = tuple(dose for dose in line.doses if dose.given == "yes")
    found: set[Outcome] = set()
    for doses in {line.doses, certain or line.doses}:
        first, anchor = min(when(dose) for dose in doses), _anchor(line, doses, study)
        intolerance = max(doses, key=when).intolerance
        dates = [first, anchor, *ends, *(when(one) for one in considered)]
        lengths = (study.parameters.interval_days, study.parameters.ir_confirm_days, study.parameters.sd_limit_days)
        days_of_all = readings(dates, lengths)
        if days_of_all is None:
            return frozenset()
        for days in days_of_all:
            opens, counted_from, closes = days[0], days[1], min(days[2 : 2 + len(ends)])
            pairs = zip(days[2 + len(ends) :], considered, strict=True)
            inside = [(day, one.category) for day, one in pairs if opens < day <= closes]
            exposed = Exposed(opens, min(counted_from, closes), len({dose.on for dose in doses}), intolerance)
            found.update(_outcome(series, exposed, study) for series in every_series(inside))
    return frozenset(found)


def _anchor(line: BsabLine, doses: Sequence[Dose], study: Study) -> PartialDate:
    """The day from which the study counts to progression."""
    match study.parameters.interval_anchor:
        case "first_dose":
            return min(when(dose) for dose in doses)
        case "end_of_line":
            return line.ended
        case _:
            return max(until(dose) for dose in doses)


def _outcome(series: Series, exposed: Exposed, study: Study) -> Outcome:
    parameters = study.parameters
    best, progressed = best_of(series, study)
    status = _status(best, progressed, exposed, study)
    if status != "refractory":
        return Outcome(status, best, progressed)
    if exposed.doses < parameters.refractory_min_doses:
        why = f"refractory needs {parameters.refractory_min_doses} doses, and fewer were given"
        return Outcome("undetermined", best, progressed, why)
    stable = ((progressed or series[-1][0]) - exposed.first).days if best in study.responses.stable else 0
    if parameters.sd_limit_days and stable > parameters.sd_limit_days:
        why = f"the disease was stable for longer than {parameters.sd_limit_days} days, and no response was seen"
        return Outcome("undetermined", best, progressed, why)
    return Outcome(status, best, progressed)


def _status(best: str, progressed: date | None, exposed: Exposed, study: Study) -> Status:
    parameters, responses = study.parameters, study.responses
    early = progressed is not None and (progressed - exposed.anchor).days <= parameters.interval_days
    if parameters.bsab_status_rule == "pd_within":
        if progressed is None:
            return "undetermined"
        return "refractory" if early else "relapsed"
    stopped = best in responses.stable and exposed.intolerance and progressed is None
    if stopped and parameters.toxicity_stop_with_sd == "undetermined":
        return "undetermined"
    if best in responses.stable or best == PROGRESSION:
        return "refractory"
    if parameters.bsab_status_rule == "best_response_or_pd_within" and early:
        return "refractory"
    return "relapsed" if best in responses.improved and progressed else "undetermined"


def _settle(outcomes: frozenset[Outcome], responses: ResponseSystem) -> tuple[Status, str, str]:
    if not outcomes:
        return "undetermined", "", "too many dates are partial to try every reading"
    statuses = {outcome.status for outcome in outcomes}
    bests = {outcome.best for outcome in outcomes}
    best = next(iter(bests)) if len(bests) == 1 else ""
    if len(statuses) > 1:
        return "undetermined", best, "the records allow more than one reading"
    status = next(iter(statuses))
    if status != "undetermined":
        return status, best, ""
    whys = {outcome.why for outcome in outcomes}
    if len(whys) == 1 and "" not in whys:
        return status, best, whys.pop()
    if best in responses.improved:
        return status, best, "a response is recorded, but no progression before the collection"
    if best in responses.stable:
        return status, best, "the drug was stopped for intolerance while the disease was stable"
    return status, best, "no assessment of the BsAb line decides it"


def _progression(outcomes: frozenset[Outcome], considered: Sequence[Assessment]) -> PartialDate | None:
    days = {outcome.progression for outcome in outcomes}
    if not days or None in days:
        return None
    if len(days) == 1:
        return PartialDate.on(next(day for day in days if day))
    exact = [when(one) for one in considered if one.category == PROGRESSION]
    return exact[0] if len(exact) == 1 else PartialDate(min(d for d in days if d), max(d for d in days if d))


def _sentence(status: Status, best: str, progression: PartialDate | None, why: str) -> str:
    if status == "undetermined":
        return f"Whether the BsAb failed by relapse or refractoriness is not determined: {why}."
    told = f"best response {best}" if best else "best response not settled"
    followed = (
        f", progression on {progression.iso}" if progression else ", no progression documented before the collection"
    )
    return f"BsAb-{status}: {told}{followed}."


def _steps(line: BsabLine, last_dose: Dose, ends: Sequence[PartialDate]) -> list[Step]:
    first_dose, limit = min(line.doses, key=when), min(ends)
    return [
        step(f"the BsAb line began on {when(first_dose).iso}", first_dose),
        step(f"its last dose was on {until(last_dose).iso}", last_dose),
        step(f"assessments count after the first dose, up to {limit.iso}", value=limit.iso),
    ]


def _rule_steps(study: Study, anchor: PartialDate, progression: PartialDate | None) -> list[Step]:
    rule = study.parameters.bsab_status_rule
    found = [step(f"the rule is {rule}", value=rule, parameter="bsab_status_rule")]
    if rule != "best_response" and progression:
        shortest, longest = anchor.days_until(progression)
        length = str(shortest) if shortest == longest else f"{shortest} to {longest}"
        limit = study.parameters.interval_days
        says = (
            f"progression {length} days after {_ANCHORS[study.parameters.interval_anchor]}; the limit is {limit} days"
        )
        found.append(step(says, value=length, unit="d", parameter="interval_days"))
    return found
