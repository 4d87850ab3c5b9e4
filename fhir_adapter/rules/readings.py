"""Every way in which partial dates can be read: a verdict that is the same in all of them is settled."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import product
from math import prod
from typing import TypeVar

from fhir_adapter.fhir.dates import PartialDate

V = TypeVar("V", bound=Hashable)
_MOST = 10_000


def readings(dates: Sequence[PartialDate], lengths: Sequence[int] = ()) -> Iterator[tuple[date, ...]] | None:
    """All combinations of days the dates can stand for; None when there are too many to try.

    The ends of every date are anchors: between two anchors nothing that a rule compares can change. A rule that
    compares lengths names them, so that the days at such a length from an anchor are anchors too.
    """
    if all(one.exact for one in dates):
        return iter([tuple(one.earliest for one in dates)])
    ends = {day for one in dates for day in (one.earliest, one.latest)}
    shifts = {0, *lengths, *(-length for length in lengths)}
    anchors = {day + timedelta(days=shift) for day in ends for shift in shifts}
    options = [one.readings(anchors) for one in dates]
    if prod(len(option) for option in options) > _MOST:
        return None
    return product(*options)


def verdicts(
    dates: Sequence[PartialDate], judge: Callable[[Sequence[date]], V], lengths: Sequence[int] = ()
) -> frozenset[V] | None:
    """The different verdicts over all readings; None when there are too many readings to try."""
    found = readings(dates, lengths)
    return None if found is None else frozenset(judge(days) for days in found)


def choices(options: Iterable[Sequence[V]]) -> list[tuple[V, ...]]:
    """Every way to take one of each; empty when there are too many to try."""
    listed = [tuple(option) for option in options]
    return list(product(*listed)) if prod(map(len, listed)) <= _MOST else []
