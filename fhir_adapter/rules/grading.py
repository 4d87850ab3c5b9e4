"""Grades one laboratory value by the clauses of a CTCAE table, as an interval when the record leaves room.

A clause says: at least this grade when the value lies on this side of limit x reference (an absolute value, the
laboratory's own lower or upper limit, or the person's baseline). A value's grade is the highest whose clause holds.
The clauses are those of CTCAE 5.0 and 6.0, kept in mappings/common/grading/.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

import msgspec

from fhir_adapter.cohort.events import Lab
from fhir_adapter.cohort.parameters import Parameters
from fhir_adapter.cohort.study import GradeClause

_REMEMBERED = 4096
_INFINITY, _ZERO, _ONE = Decimal("Infinity"), Decimal(0), Decimal(1)


class Interval(msgspec.Struct, frozen=True, gc=False):
    """Where the true value lies; a comparator leaves one end open."""

    low: Decimal
    high: Decimal
    open_low: bool = False
    open_high: bool = False

    @classmethod
    def of(cls, lab: Lab) -> Interval:
        match lab.comparator:
            case "":
                return cls(lab.value, lab.value)
            case "<":
                return cls(_ZERO, lab.value, open_high=True)
            case "<=":
                return cls(_ZERO, lab.value)
            case ">":
                return cls(lab.value, _INFINITY, open_low=True)
            case ">=":
                return cls(lab.value, _INFINITY)

    def below(self, limit: Decimal) -> tuple[bool, bool]:
        """(surely, perhaps) below the limit."""
        return self.high < limit or (self.high == limit and self.open_high), self.low < limit

    def above(self, limit: Decimal) -> tuple[bool, bool]:
        """(surely, perhaps) above the limit."""
        return self.low > limit or (self.low == limit and self.open_low), self.high > limit

    def at_or_above(self, limit: Decimal) -> tuple[bool, bool]:
        return self.low >= limit, self.high > limit or (self.high == limit and not self.open_high)

    def at_or_below(self, limit: Decimal) -> tuple[bool, bool]:
        return self.high <= limit, self.low < limit or (self.low == limit and not self.open_low)


def grade(lab: Lab, baseline: Lab | None, clauses: Sequence[GradeClause], parameters: Parameters) -> tuple[int, int]:
    """(lowest, highest) grade of one value. `clauses` are those of one term."""
    interval = Interval.of(lab)
    good = _good_side(tuple(clauses), lab.lower_limit, lab.upper_limit)
    if good.above < interval.low and interval.high < good.below:  # most values are on the good side of every limit
        clauses = good.otherwise
    return _worst(lab, interval, baseline, clauses, parameters) if clauses else (0, 0)


class _GoodSide(msgspec.Struct, frozen=True, gc=False):
    """Of a value above and below these limits no clause of a term can hold, but those that ask for more than limits."""

    above: Decimal
    below: Decimal
    otherwise: tuple[GradeClause, ...]


@lru_cache(maxsize=_REMEMBERED)
def _good_side(clauses: tuple[GradeClause, ...], lower: Decimal | None, upper: Decimal | None) -> _GoodSide:
    """For the limits of one laboratory, which it repeats with every value."""
    above, below, otherwise = -_INFINITY, _INFINITY, []
    references = {"absolute": _ONE, "LLN": lower, "ULN": upper, "baseline": None}
    for clause in clauses:
        reference = references[clause.of]
        if reference is None or clause.direction in ("fall_at_least", "transfused"):
            otherwise.append(clause)
        elif clause.direction == "below":
            above = max(above, clause.limit * reference)
        else:
            below = min(below, clause.limit * reference)
    return _GoodSide(above, below, tuple(otherwise))


def _worst(
    lab: Lab, interval: Interval, baseline: Lab | None, clauses: Sequence[GradeClause], parameters: Parameters
) -> tuple[int, int]:
    """The highest grades whose clauses (surely, perhaps) hold."""
    lowest = highest = 0
    references = {
        "absolute": _ONE,
        "LLN": lab.lower_limit,
        "ULN": lab.upper_limit,
        "baseline": baseline.value if baseline else None,
    }
    for clause in clauses:
        surely, perhaps = _lies(clause, interval, references[clause.of], parameters)
        if surely or perhaps:
            applies = _applies(clause, lab, baseline, parameters)
            lowest = max(lowest, clause.grade) if surely and applies[0] else lowest
            highest = max(highest, clause.grade) if perhaps and applies[1] else highest
    return lowest, max(lowest, highest)


def _lies(
    clause: GradeClause, interval: Interval, reference: Decimal | None, parameters: Parameters
) -> tuple[bool, bool]:
    """(surely, perhaps) whether an interval lies on the side of the limit that the clause is about."""
    if clause.direction == "transfused":
        # A transfusion is no matter of the value.
        return False, False
    if reference is None:
        return False, True
    limit = clause.limit * reference
    match clause.direction:
        case "below":
            return interval.below(limit)
        case "above":
            return interval.above(limit)
        case "fall_at_least":
            return interval.at_or_below(reference - limit)
    if parameters.require_rise and clause.of == "baseline" and clause.limit == 1:
        # "1.0 - 1.5 x baseline" read literally would grade an unchanged abnormal value.
        return interval.above(limit)
    return interval.at_or_above(limit)


def _applies(clause: GradeClause, lab: Lab, baseline: Lab | None, parameters: Parameters) -> tuple[bool, bool]:
    """(surely, perhaps) whether the clause is meant for a person with this baseline.

    A missing baseline is graded as a normal one. One without a limit of its own is held against that of the value.
    """
    if clause.of == "baseline" and clause.direction in ("fall_at_least", "below"):
        if parameters.fibrinogen_fall == "off" or baseline is None:
            return False, False
        if parameters.fibrinogen_fall == "abnormal_value":
            below = lab.lower_limit is not None and Interval.of(lab).below(lab.lower_limit)[0]
            return below, below
    if clause.when_baseline == "any":
        return (baseline is not None, baseline is not None) if clause.of == "baseline" else (True, True)
    high_side = clause.direction in ("above", "at_or_above") and clause.when_baseline != "below_normal"
    wrong = _abnormal(baseline, lab, high_side)
    applies = wrong if clause.when_baseline in ("abnormal", "below_normal") else not wrong
    return applies, applies


def _abnormal(baseline: Lab | None, lab: Lab, high_side: bool) -> bool:
    """Whether the baseline itself was on the wrong side of the laboratory's limit."""
    if baseline is None:
        return False
    if high_side:
        upper = lab.upper_limit if baseline.upper_limit is None else baseline.upper_limit
        return upper is not None and baseline.value > upper
    lower = lab.lower_limit if baseline.lower_limit is None else baseline.lower_limit
    return lower is not None and baseline.value < lower
