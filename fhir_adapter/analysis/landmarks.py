"""A day on the time line: an interval of dates, what it is, and the record that gave it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from fhir_adapter.cohort.events import Event
from fhir_adapter.fhir.dates import PartialDate

_MID_MONTH, _MID_YEAR = 15, (7, 1)  # the usual midpoints: the 15th, and 1 July


@dataclass(frozen=True, slots=True)
class Landmark:
    """Something that happened, or was last known, on a day in `on`; `reason` says what in a few words."""

    on: PartialDate
    reason: str
    source: str

    @property
    def assumed(self) -> date:
        """The day itself, or the middle of what is known: the 15th of a month, the 1st of July of a year."""
        first, last = self.on.earliest, self.on.latest
        if (first.year, first.month) == (last.year, last.month):
            middle = first.replace(day=_MID_MONTH)
        elif first.year == last.year:
            middle = date(first.year, *_MID_YEAR)
        else:
            middle = first + (last - first) / 2
        return min(max(middle, first), last)

    def within(self, first: date, last: date) -> Landmark:
        """The same landmark, known to lie in `[first, last]`; one that lies outside is left as it is."""
        if self.on.exact:  # inside it nothing changes, and outside neither
            return self
        earliest, latest = max(self.on.earliest, first), min(self.on.latest, last)
        return replace(self, on=PartialDate(earliest, latest, self.on.text)) if earliest <= latest else self

    def named(self, reason: str) -> Landmark:
        return replace(self, reason=reason)


def by_day(landmark: Landmark) -> tuple[date, date]:
    return landmark.on.earliest, landmark.on.latest


def landmarks(events: Iterable[Event], reason: str) -> list[Landmark]:
    """The dated events as landmarks, in order; undated ones have no place on a time line."""
    dated = [Landmark(event.on, reason, str(event.source)) for event in events if event.on is not None]
    return sorted(dated, key=lambda landmark: (*by_day(landmark), landmark.source))


def recorded(on: PartialDate, reason: str, events: Iterable[Event], otherwise: Sequence[str]) -> Landmark:
    """A date that a rule found, with the event it came from, else the last record that the rule rests on."""
    same = (event for event in events if event.on and event.on.earliest == on.earliest and event.on.latest == on.latest)
    event = next(same, None)
    return Landmark(on, reason, str(event.source) if event else "".join(otherwise[-1:]))
