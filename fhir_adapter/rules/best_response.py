"""The best category of a series of assessments, up to the first progression.

The order of the categories is that of the study's response system. An indeterminate response is, by `ir_policy`, no
event until progression confirms it in time (and then dates from it), progression, or stable disease (as in LYRIC).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise

from fhir_adapter.cohort.parameters import Parameters
from fhir_adapter.cohort.response_system import INDETERMINATE, NOT_EVALUABLE, PROGRESSION, STABLE
from fhir_adapter.cohort.study import Study
from fhir_adapter.rules.readings import choices

Series = Sequence[tuple[date, str]]


def every_series(assessed: Iterable[tuple[date, str]]) -> list[Series]:
    """Every series of one category a day; several when a day has answers that differ, none when there are too many.

    "Not evaluable" contradicts nothing: beside another answer of the day it is left out.
    """
    answers: dict[date, set[str]] = {}
    for day, category in assessed:
        answers.setdefault(day, set()).add(category)
    days = sorted(answers)
    options = [sorted(answers[day] - {NOT_EVALUABLE}) or [NOT_EVALUABLE] for day in days]
    return [list(zip(days, choice, strict=True)) for choice in choices(options)]


def best_of(series: Series, study: Study, therapy: date = date.max) -> tuple[str, date | None]:
    """(best category, day of the first progression) of assessments in order of days; `NE` when none can be used."""
    settled = settle(series, study, therapy)
    progressed = next((day for day, category in settled if category == PROGRESSION), None)
    counted = [category for day, category in settled if progressed is None or day <= progressed]
    return study.responses.best(counted), progressed


def settle(series: Series, study: Study, therapy: date = date.max) -> list[tuple[date, str]]:
    """What every assessment counts as, by the policies of the study about indeterminate and unconfirmed ones.

    An assessment after the next `therapy` confirms nothing.
    """
    resolved = _resolve_indeterminate(series, study.parameters)
    if study.parameters.response_confirmation == "none":
        return resolved
    usable = [(day, category) for day, category in resolved if category != NOT_EVALUABLE]
    following = {day: after if then <= therapy else None for (day, _), (then, after) in pairwise(usable)}
    return [(day, study.responses.confirmed(category, following.get(day))) for day, category in resolved]


def _resolve_indeterminate(series: Series, parameters: Parameters) -> list[tuple[date, str]]:
    """Replace every indeterminate response (IR) by what the policy makes of it."""
    return [
        (day, _resolved(day, series[position + 1 :], parameters) if category == INDETERMINATE else category)
        for position, (day, category) in enumerate(series)
    ]


def _resolved(day: date, later: Series, parameters: Parameters) -> str:
    if parameters.ir_policy == "as_pd":
        return PROGRESSION
    if parameters.ir_policy == "as_sd":
        return STABLE
    following = ((when, one) for when, one in later if one not in (INDETERMINATE, NOT_EVALUABLE))
    when, confirming = next(following, (day, ""))
    in_time = (when - day).days <= parameters.ir_confirm_days
    return PROGRESSION if confirming == PROGRESSION and in_time else NOT_EVALUABLE
