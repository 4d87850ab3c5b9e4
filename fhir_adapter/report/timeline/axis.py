"""The time axis: one line of days in stretches of different scale, so that years and single days are both legible.

Every stretch says what it holds and has its own ticks; the order of days is never changed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.report.timeline.person import Person

_DAY = timedelta(days=1)
_LEAD = timedelta(days=14)  # room before the first dose of the antibody, for the assessment that led to it
# Shares of the width: the days around the infusion hold most of the laboratory values.
_EARLIER, _ANTIBODY, _AROUND, _FOLLOW_UP = 0.17, 0.25, 0.34, 0.24
_FULL_DAYS = 42  # a stretch of fewer days is drawn narrower than its share
_DAY_STEPS = (1, 2, 7, 14, 28, 56, 112)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600)
_NARROW, _WIDE = 46, 52  # pixels that a label of four and of seven signs needs


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled day; `below` is a second label under the first."""

    x: float
    text: str
    below: str = ""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The days from `first` up to, but not including, `end`, in one scale; `zero` is the day that ticks count from."""

    title: str
    first: date
    end: date
    left: float
    right: float
    zero: date | None = None

    def x(self, day: date) -> float:
        """Where the day begins."""
        return self.left + (self.right - self.left) * (day - self.first).days / (self.end - self.first).days

    def ticks(self) -> Iterator[Tick]:
        """As many days as can be labelled; none so near the border that its label would leave the stretch."""
        for tick in self._days() if self.zero else self._months():
            if self.left + 16 <= tick.x <= self.right - 16:
                yield tick

    def _days(self) -> Iterator[Tick]:
        zero = self.zero or self.first
        step = next((one for one in _DAY_STEPS if self._width(timedelta(days=one)) >= _NARROW), _DAY_STEPS[-1])
        number = -((zero - self.first).days // step) * step
        while (day := zero + timedelta(days=number)) < self.end:
            yield Tick(self.x(day), str(number).replace("-", "−"), day.isoformat()[5:])
            number += step

    def _months(self) -> Iterator[Tick]:
        """First days of months, or of years."""
        months = next((one for one in _MONTH_STEPS if self._fits(one)), _MONTH_STEPS[-1])
        number = -(-(self.first.year * 12 + self.first.month - (self.first.day == 1)) // months) * months
        while (day := date(min(number // 12, 9999), number % 12 + 1, 1)) < self.end:
            yield Tick(self.x(day), day.isoformat()[: 4 if months >= 12 else 7])
            number += months

    def _fits(self, months: int) -> bool:
        return self._width(months * timedelta(days=30)) >= (_NARROW if months >= 12 else _WIDE)

    def _width(self, length: timedelta) -> float:
        return (self.right - self.left) * length.days / (self.end - self.first).days


class Axis:
    """Stretches side by side, from the first to the last day of interest."""

    def __init__(self, stretches: tuple[Stretch, ...]) -> None:
        self.stretches = stretches
        self.left, self.right = stretches[0].left, stretches[-1].right

    def stretch(self, day: date) -> Stretch:
        """The stretch that holds the day; the first or the last for days outside."""
        return self.stretches[max(0, bisect_right([one.first for one in self.stretches], day) - 1)]

    def x(self, day: date) -> float:
        """Where the day begins; days outside lie on the border."""
        return min(max(self.stretch(day).x(day), self.left), self.right)

    def noon(self, day: date) -> float:
        return (self.x(day) + self.night(day)) / 2

    def night(self, day: date) -> float:
        """Where the day ends."""
        return self.x(day + _DAY)

    def middle(self, on: PartialDate) -> float:
        left, right = self.span(on)
        return (left + right) / 2

    def span(self, on: PartialDate) -> tuple[float, float]:
        """From the beginning of the earliest to the end of the latest day that it can be."""
        return self.x(on.earliest), self.night(on.latest)


def axis_of(person: Person, days: Iterable[PartialDate], left: float, right: float) -> Axis:
    """The axis over all these days and the data cut, `left` to `right` in pixels."""
    known = [end for day in days for end in (day.earliest, day.latest)]
    cut = person.study.parameters.data_cut
    known += [cut] if cut else []
    first, end = min(known, default=date(2000, 1, 1)), max(known, default=date(2000, 1, 1)) + _DAY
    openings = [(min(max(day, first), end), title, share, zero) for day, title, share, zero in _openings(person, first)]
    held = [
        (one, following[0]) for one, following in pairwise([*openings, (end, "", 0.0, None)]) if one[0] < following[0]
    ]
    weights = [share * min(1.0, (until - day).days / _FULL_DAYS) for (day, _, share, _), until in held]
    stretches: list[Stretch] = []
    for ((day, title, _, zero), until), weight in zip(held, weights, strict=True):
        begin = stretches[-1].right if stretches else left
        stretches.append(Stretch(title, day, until, begin, begin + (right - left) * weight / sum(weights), zero))
    return Axis(tuple(stretches))


def _openings(person: Person, first: date) -> Iterator[tuple[date, str, float, date | None]]:
    """(first day, title, share of the width, day zero) of the stretches that the course of the person has."""
    index, antibody = person.index, person.first_antibody
    yield first, "earlier" if antibody or index else "whole course", _EARLIER, None
    if antibody:
        yield antibody.earliest - _LEAD, "from the antibody on", _ANTIBODY, None
    if index:
        infused, parameters = index.infusion, person.study.parameters
        around = infused.earliest - timedelta(days=parameters.conditioning_window_days)
        title = "days from the infusion" if infused.exact else "around the infusion"
        yield around, title, _AROUND, infused.day
        yield infused.latest + timedelta(days=parameters.ae_window[1] + 1), "follow-up", _FOLLOW_UP, None
