"""Undetermined is monotone, for every rule at once.

A more exact date, or a record that was missing, may settle what was open. It never overturns what was settled, unless
the records then contradict each other and the contradiction is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from properties.vague_tables import EVERYTHING, WHOLE, Row, tables
from spec.people import judged, patient, study

from fhir_adapter.analysis.endpoints import event_times
from fhir_adapter.cohort.finding import (
    AnyFinding,
    Bulk,
    Failure,
    Index,
    IpiScore,
    Lines,
    Response,
    Score,
    Sites,
    Span,
    Toxicity,
)
from fhir_adapter.cohort.judgement import Excluded, Judgement
from fhir_adapter.fhir.dates import PartialDate

Open = tuple[Any, Any] | None
"""What an answer may still be, as (least, most); None when it may be anything."""


def answers(found: Judgement | Excluded) -> dict[str, Open]:
    """What every question about a person may have as its answer; only questions with an answer are named."""
    if isinstance(found, Excluded):
        return {} if found.exit.reason == "undetermined" else {"cohort": (found.exit.step, found.exit.step)}
    doubtful = any(one.verdict == "undetermined" for one in (found.diagnosis, found.exposure, found.failure))
    told: dict[str, Open] = {"cohort": None if doubtful else ("in", "in")}
    for one in found.findings():
        told |= {f"{one.rule}.{name}": answer for name, answer in _answers(one).items()}
    return told


def _answers(finding: AnyFinding) -> Mapping[str, Open]:
    match finding.value:
        case Span(shortest=low, longest=high):
            return {"length": (low, high)}
        case Lines(count=count) | Sites(count=count) | IpiScore(points=count) | Score(points=count):
            return {"number": (count.lowest, count.highest)}
        case Bulk(bulky=bulky):
            return {"bulky": (bulky, bulky)}
        case Failure(status=status):
            return {"status": None if status == "undetermined" else (status, status)}
        case Index(infusion=infusion):
            return {"infusion": _days(infusion)}
        case Response(best=best, progressed_on=progressed):
            return {"best": (best, best) if best else None, "progressed": _days(progressed)}
        case Toxicity(code=code, grade_min=low, grade_max=high) if low is not None:
            return {code: (low, high)}
    return {}


def _days(on: PartialDate | None) -> Open:
    return (on.earliest, on.latest) if on else None


def overturned(before: Judgement | Excluded, after: Judgement | Excluded) -> dict[str, tuple[Open, Open]]:
    """The questions whose answer after is none of those that were possible before."""
    known, found = answers(before), answers(after)
    return {
        question: (possible, found.get(question))
        for question, possible in known.items()
        if possible and not _inside(found.get(question), possible)
    }


def _inside(inner: Open, outer: tuple[Any, Any]) -> bool:
    """Whether an answer is one of those that were possible; an open one is when more than one was."""
    return bool(outer[0] <= inner[0] and inner[1] <= outer[1]) if inner else outer[0] != outer[1]


def contradicted(found: Judgement | Excluded) -> bool:
    """Whether records that cannot both be true are reported."""
    if isinstance(found, Excluded):
        return False
    response = found.response.value
    return bool(event_times(found, study())[1]) or bool(response and response.contradiction)


_LATE = EVERYTHING.map(lambda row: Row(row.day + timedelta(days=250), row.precision, row.what))


@given(tables(EVERYTHING, _LATE, most=8, fixed=WHOLE))
def test_a_more_exact_date_overturns_no_settled_answer_of_any_rule(table: tuple[str, str]) -> None:
    """Every record of the table happened on the day it tells, or on some day of the month that it tells."""
    written, exact = (judged(patient(one)) for one in table)
    assert overturned(written, exact) == {} or contradicted(exact)


# Of each of these there is at most one record, so that leaving it out is not knowing it.
_COMPONENTS = {
    "born": ("1960-05-01 | born", "1964-04-01 | born"),
    "ldh": ("2024-03-01 | ldh 200 (-250)", "2024-03-01 | ldh 800 (-250)"),
    "ecog": ("2024-03-01 | ECOG 0", "2024-03-01 | ECOG 3"),
    "stage": ("2024-02-20 | stage 1", "2024-02-20 | stage 4"),
    "sites": ("2024-02-20 | disease in none", "2024-02-20 | disease in bone"),
    "lesion": ("2024-02-20 | lesion 40", "2024-02-20 | lesion 90"),
    "progression": ("2024-02-12 | PD", "2024-02-12 | SD"),
    "crs": ("2024-04-03 | CRS 0", "2024-04-03 | CRS 3"),
    "platelets": ("2024-04-08 | platelets 20 (125-350)", "2024-04-08 | platelets 200 (125-350)"),
}
_CHART = "2022-01-01 | dlbcl\n2023-12-01 | glofitamab\n2024-03-04 | apheresis\n2024-04-01 | infusion\n"


@given(
    st.fixed_dictionaries({name: st.sampled_from(options) for name, options in _COMPONENTS.items()}),
    st.sets(st.sampled_from(sorted(_COMPONENTS))),
)
def test_a_record_that_was_missing_overturns_no_settled_answer(chart: dict[str, str], missing: set[str]) -> None:
    """What nobody recorded is open, or not reported; it is never taken for normal."""
    whole = judged(patient(_CHART + "\n".join(chart.values())))
    known = judged(patient(_CHART + "\n".join(line for name, line in chart.items() if name not in missing)))
    assert overturned(known, whole) == {}


def test_an_answer_that_leaves_the_possible_ones_is_noticed() -> None:
    """The properties above would see it."""
    stable, progressed = (judged(patient(f"{_CHART}2024-02-12 | {category}")) for category in ("CR", "PD"))
    assert overturned(stable, progressed) == {}
    shorter = judged(patient(_CHART + "2024-02-10 | glofitamab"))
    assert overturned(stable, shorter) == {"washout.length": ((94, 94), (23, 23))}
