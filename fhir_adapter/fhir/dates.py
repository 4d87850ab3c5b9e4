"""Dates as exact as the record: a FHIR `date`, `dateTime` or `instant` read as an interval of calendar days.

The local day of the performing site counts. A dateTime keeps the day it was written with, unless the site's time zone
is known, in which case the moment is moved there first. A date without a time is never moved.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_PATTERN = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})"
    r"(?:T(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?(?P<zone>Z|[+-]\d{2}:\d{2})?)?)?)?"
)
_FRACTION = re.compile(r"\.\d+")
_MIDNIGHT = re.compile(r"(.*T)24:00(?::00)?(.*)")
_LEAP_SECOND = re.compile(r"(T\d{2}:\d{2}):60")
# Systems write these when they have no date at all.
_PLACEHOLDER_YEARS = ("0001", "9999")
_REMEMBERED = 4096
_DAY = 24 * 60 * 60
_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC)


class NotADate(ValueError):
    """The text is not a FHIR date. The text itself is left out on purpose."""

    def __init__(self) -> None:
        super().__init__("not a FHIR date")


@dataclass(frozen=True, slots=True, order=True)
class PartialDate:
    """A calendar date known to a day, a month or a year: it lies in `[earliest, latest]`."""

    earliest: date
    latest: date
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str, zone: ZoneInfo | None = None) -> PartialDate | None:
        """Read `2021`, `2021-03`, `2021-03-09` or a dateTime; None for placeholders; `NotADate` for anything else.

        `zone` is the site's time zone: a dateTime with an offset is moved there before its day is taken.
        """
        return _parsed(text, zone)

    @classmethod
    def on(cls, day: date) -> PartialDate:
        """A date known to the day."""
        return cls(day, day, day.isoformat())

    @property
    def exact(self) -> bool:
        return self.earliest == self.latest

    @property
    def day(self) -> date | None:
        """The calendar day if it is known, else None."""
        return self.earliest if self.exact else None

    @property
    def iso(self) -> str:
        """The date as exact as known: `2021`, `2021-03`, `2021-03-09`, or `first/last` for any other interval."""
        first, last = self.earliest, self.latest
        if self.exact:
            return first.isoformat()
        next_day = last + timedelta(days=1)
        if first.day == 1 and next_day.day == 1 and first.year == last.year:
            if first.month == last.month:
                return first.isoformat()[:7]
            if first.month == 1 and last.month == 12:
                return first.isoformat()[:4]
        return f"{first.isoformat()}/{last.isoformat()}"

    def is_one_moment_with(self, other: PartialDate) -> bool:
        """Whether both were written as the same time, be it with different offsets; without a time, as the same day."""
        if self.text == other.text:
            return True
        first, second = _moment(self.text), _moment(other.text)
        return first is not None and first == second

    def surely_before(self, other: PartialDate) -> bool:
        return self.latest < other.earliest

    def surely_on_or_before(self, other: PartialDate) -> bool:
        return self.latest <= other.earliest

    def perhaps_on_or_before(self, other: PartialDate) -> bool:
        return self.earliest <= other.latest

    def days_until(self, other: PartialDate) -> tuple[int, int]:
        """Smallest and largest number of days from this date to `other` (negative when `other` is earlier)."""
        return (other.earliest - self.latest).days, (other.latest - self.earliest).days

    def years_until(self, other: PartialDate) -> tuple[int, int]:
        """Smallest and largest number of completed years from this date to `other`."""
        return _completed_years(self.latest, other.earliest), _completed_years(self.earliest, other.latest)

    def readings(self, anchors: Iterable[date] = ()) -> tuple[date, ...]:
        """Days that stand for every way this date can lie relative to the `anchors`, in order.

        An exact date has one reading. A partial one has its two ends, and the days around each anchor inside it: a
        verdict that depends only on comparisons with the anchors is the same for every other day.
        """
        if self.exact:
            return (self.earliest,)
        near = {anchor + timedelta(days=shift) for anchor in anchors for shift in (-1, 0, 1)}
        inside = {day for day in near if self.earliest <= day <= self.latest}
        return tuple(sorted(inside | {self.earliest, self.latest}))


@lru_cache(maxsize=_REMEMBERED)
def _parsed(text: str, zone: ZoneInfo | None) -> PartialDate | None:
    """As `PartialDate.parse`; the results of one visit come with the same moment, one after the other."""
    day = _usual_day(text, zone) if zone else None
    return PartialDate(day, day, text) if day else _parsed_at_length(text, zone)


def _parsed_at_length(text: str, zone: ZoneInfo | None) -> PartialDate | None:
    found = _PATTERN.fullmatch(text.strip())
    if not found:
        raise NotADate
    year, month, day, offset = found.group("year", "month", "day", "zone")
    if year in _PLACEHOLDER_YEARS:
        return None
    try:
        if month is None:
            return PartialDate(date(int(year), 1, 1), date(int(year), 12, 31), text)
        if zone and offset:
            exact = _with_offset(text).astimezone(zone).date()
            return PartialDate(exact, exact, text)
        first = date(int(year), int(month), int(day or 1))
        last = first if day else first.replace(day=calendar.monthrange(first.year, first.month)[1])
    except (ValueError, OverflowError):
        raise NotADate from None
    return PartialDate(first, last, text)


def _usual_day(text: str, zone: ZoneInfo) -> date | None:
    """The day of a dateTime in a zone, put together from what is remembered of its day and of its time of day.

    None for anything that is not a time of a day on which the clocks of the zone are left alone.
    """
    written, since = _written_day(text[:10]), _since_midnight(text[10:])
    if written is None or since is None or (offset := _steady_offset(written, zone)) is None:
        return None
    later = (since + offset) // _DAY
    return written + timedelta(days=later) if later else written


@lru_cache(maxsize=_REMEMBERED)
def _written_day(text: str) -> date | None:
    try:
        found = _parsed_at_length(text, None)
    except NotADate:
        return None
    return found.day if found else None


@lru_cache(maxsize=_REMEMBERED)
def _since_midnight(text: str) -> int | None:
    """Seconds from midnight in UTC of the day that was written to a time of day with an offset."""
    try:
        moment = _moment(f"{_ANY_DAY.date()}{text}")
    except ValueError:
        return None
    return int((moment - _ANY_DAY).total_seconds()) if moment else None


@lru_cache(maxsize=_REMEMBERED)
def _steady_offset(day: date, zone: ZoneInfo) -> int | None:
    """The zone's offset in seconds, if it is the same wherever on earth that day was written; None when it changes."""
    midnight = datetime.combine(day, time(), UTC)
    near = {(midnight + timedelta(days=days)).astimezone(zone).utcoffset() for days in (-1, 0, 1, 2)}
    offset = near.pop()
    return int(offset.total_seconds()) if offset is not None and not near else None


def _moment(text: str) -> datetime | None:
    """The moment that a dateTime with an offset names; None for anything less."""
    found = _PATTERN.fullmatch(text.strip())
    return _with_offset(text) if found and found["zone"] else None


def _with_offset(text: str) -> datetime:
    """The moment of a dateTime to the second: one of any finer grain is not another moment."""
    plain = text.strip()
    if "." in plain:
        plain = _FRACTION.sub("", plain)
    try:
        return datetime.fromisoformat(plain)
    except ValueError:
        midnight = _MIDNIGHT.fullmatch(plain)
        if midnight:
            plain = f"{midnight[1]}00:00:00{midnight[2]}"
        # A leap second is not a time Python knows; the minute is enough to find the day.
        return datetime.fromisoformat(_LEAP_SECOND.sub(r"\1:59", plain)) + timedelta(days=1 if midnight else 0)


def _completed_years(first: date, last: date) -> int:
    """Of somebody born on 29 February the birthday of a common year is 1 March."""
    return last.year - first.year - ((last.month, last.day) < (first.month, first.day))
