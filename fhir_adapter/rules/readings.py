"""Every way in which partial dates can be read: a verdict that is the same in all of them is settled."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import date
from itertools import product
from math import prod
from typing import TypeVar

from fhir_adapter.fhir.dates import PartialDate

V = TypeVar("V", bound=Hashable)
_MOST = 20_000


def readings(dates: Sequence[PartialDate]) -> Iterator[tuple[date, ...]] | None:
    """All combinations of days the dates can stand for; None when there are too many to try.

    The days of every exact date and the ends of every partial one are the anchors: between two anchors nothing that a
    rule compares can change, except lengths, for which a rule asks `PartialDate.days_until`.
    """
    anchors = {day for one in dates for day in (one.earliest, one.latest)}
    options = [one.readings(anchors) for one in dates]
    if prod(len(option) for option in options) > _MOST:
        return None
    return product(*options)


def verdicts(dates: Sequence[PartialDate], judge: Callable[[Sequence[date]], V]) -> frozenset[V] | None:
    """The different verdicts over all readings; None when there are too many readings to try."""
    found = readings(dates)
    return None if found is None else frozenset(judge(days) for days in found)


def choices(options: Iterable[Sequence[V]]) -> list[tuple[V, ...]]:
    """Every way to take one of each; empty when there are too many to try."""
    listed = [tuple(option) for option in options]
    return list(product(*listed)) if prod(map(len, listed)) <= _MOST else []
