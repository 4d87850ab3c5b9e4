"""Haematotoxicity after immune effector cells (EHA/EBMT ICAHT): how deep the counts fell, and for how many days.

The thresholds stand in `mappings/common/grading/icaht.csv`, which says which of them are verified. Parameters: `icaht`,
`icaht_recovery_days`, in docs/reference/parameters.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from fhir_adapter.cohort.events import Lab
from fhir_adapter.cohort.finding import Finding, Index, Step, Toxicity, rests_on, step
from fhir_adapter.cohort.study import DurationClause, Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.rules.grading import Interval
from fhir_adapter.rules.results import results_of
from fhir_adapter.rules.toxicity_words import grade_text, number

SCALE = "ICAHT"
NOT_VERIFIED = "thresholds-not-verified"
_PARAMETERS = ("icaht", "icaht_recovery_days", "ae_end", "missing_neutrophils")


def icaht(subject: Subject, study: Study, index: Index) -> Iterator[Finding[Toxicity]]:
    """One finding for each part of the scale (early, late) whose counts were measured in its days."""
    if study.parameters.icaht == "off" or not index.infusion.exact:
        return
    for _, steps in groupby(study.durations, key=lambda clause: clause.term_code):
        if found := _graded(tuple(steps), subject, study, index):
            yield found


def _graded(
    clauses: Sequence[DurationClause], subject: Subject, study: Study, index: Index
) -> Finding[Toxicity] | None:
    first, last = clauses[0].first_day, _last_day(clauses[0], study, index)
    by_day = _by_day(clauses[0].observable, first, last, subject, study, index)
    if not by_day:
        return None
    spans = {
        (clause.direction, clause.limit): days_low(by_day, clause, (first, last), study.parameters.icaht_recovery_days)
        for clause in clauses
    }
    low = max((one.grade for one in clauses if spans[one.direction, one.limit][0] >= one.least_days), default=0)
    high = max((one.grade for one in clauses if spans[one.direction, one.limit][1] >= one.least_days), default=0)
    worst = min((lab for labs in by_day.values() for lab in labs), key=lambda lab: lab.value)
    verified = all(clause.verified for clause in clauses)
    term, code = clauses[0].term, clauses[0].term_code
    return Finding(
        rule=f"toxicity.{code}",
        verdict=grade_text(low, high),
        value=Toxicity(
            term=term,
            code=code,
            grade_min=low,
            grade_max=high,
            scale=SCALE,
            scale_version="",
            value=number(worst),
            unit=worst.unit,
            source=";".join(rests_on(worst, *worst.derived_from)),
            flags=worst.flags if verified else (*worst.flags, NOT_VERIFIED),
        ),
        sentence=f"{term}: {grade_text(low, high)}; lowest {number(worst)} {worst.unit}.",
        steps=(
            step(f"measured on {len(by_day)} of the days {first} to {last}", value=str(len(by_day))),
            *(_span_step(limit, direction, span) for (direction, limit), span in spans.items()),
        ),
        sources=rests_on([lab for labs in by_day.values() for lab in labs]),
        parameters=study.parameters.named(*_PARAMETERS),
    )


def days_low(
    by_day: Mapping[int, Sequence[Lab]], clause: DurationClause, days: tuple[int, int], recovery: int
) -> tuple[int, int]:
    """(shortest, longest) number of days on the low side of a limit.

    A day between two low ones is low; one between a low and a higher one may be, and so may the days before the first
    and after the last value. A recovery of fewer than `recovery` days is none.
    """
    surely = {day: any(_low(lab, clause)[0] for lab in labs) for day, labs in by_day.items()}
    perhaps = {day: any(_low(lab, clause)[1] for lab in labs) for day, labs in by_day.items()}
    return _count(surely, days, recovery, all), _count(perhaps, days, recovery, any)


def _low(lab: Lab, clause: DurationClause) -> tuple[bool, bool]:
    interval = Interval.of(lab)
    return interval.below(clause.limit) if clause.direction == "below" else interval.at_or_below(clause.limit)


def _count(measured: Mapping[int, bool], days: tuple[int, int], recovery: int, join: Callable[..., bool]) -> int:
    """Days that are low, where a day without a value is as `join` (all or any) makes of the values around it."""
    low = []
    for day in range(days[0], days[1] + 1):
        before = [measured[one] for one in sorted(measured) if one <= day][-1:]
        after = [measured[one] for one in sorted(measured) if one >= day][:1]
        # Outside the values only the longest count goes on.
        known = bool(before and after) or join is any
        low.append(measured[day] if day in measured else known and join([*before, *after]))
    runs = [(is_low, len(list(run))) for is_low, run in groupby(low)]
    inner = range(1, len(runs) - 1)
    return sum(
        length for place, (is_low, length) in enumerate(runs) if is_low or (place in inner and length < recovery)
    )


def _last_day(clause: DurationClause, study: Study, index: Index) -> int:
    """The last day that counts: what follows the next therapy belongs to that."""
    ends = [one for one in (index.next_therapy, index.perhaps_therapy) if one]
    if study.parameters.ae_end == "window" or not ends:
        return clause.last_day
    return min(clause.last_day, *(index.infusion.days_until(one)[0] - 1 for one in ends))


def _by_day(
    observable: str, first: int, last: int, subject: Subject, study: Study, index: Index
) -> dict[int, list[Lab]]:
    """The values by day after the infusion; one whose day is not known exactly cannot be counted."""
    found: dict[int, list[Lab]] = {}
    for lab in results_of((observable,), subject, study):
        if lab.on and lab.on.exact and first <= (day := index.infusion.days_until(lab.on)[0]) <= last:
            found.setdefault(day, []).append(lab)
    return found


def _span_step(limit: object, direction: str, span: tuple[int, int]) -> Step:
    told = f"{span[0]} days" if span[0] == span[1] else f"{span[0]} to {span[1]} days"
    words = "below" if direction == "below" else "at or below"
    return step(f"{told} {words} {limit}", value=str(span[0]), parameter="icaht_recovery_days")
