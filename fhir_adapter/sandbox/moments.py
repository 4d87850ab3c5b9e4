"""Dates in searches: every FHIR date is a span of time, and a prefix says how two spans must lie."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?")
_PREFIXED = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(\d.*)", re.DOTALL)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to just before `end`; an open side reaches to the end of time."""

    start: datetime
    end: datetime


def read_span(text: str) -> Span | None:
    """The time a FHIR date, dateTime or instant covers (no zone: read as UTC), or None if it is none."""
    found = _DATE.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        start = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), tzinfo=UTC)
        start += timedelta(seconds=int(second or 0)) - _offset(zone)
        if fraction:
            start += timedelta(microseconds=int(fraction.ljust(6, "0")[:6]))
        return Span(start, start + _length(start, month, day, hour, second, fraction))
    except (ValueError, OverflowError):
        return None


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta()
    size = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return size if zone[0] == "+" else -size


def _length(start: datetime, *parts: str | None) -> timedelta:
    month, day, hour, second, fraction = parts
    if fraction:
        return timedelta(microseconds=10 ** max(0, 6 - len(fraction)))
    if second:
        return timedelta(seconds=1)
    if hour:
        return timedelta(minutes=1)
    if day:
        return timedelta(days=1)
    if month:
        return timedelta(days=calendar.monthrange(start.year, start.month)[1])
    return timedelta(days=366 if calendar.isleap(start.year) else 365)


def span_of(value: object) -> Span | None:
    """The time covered by an element: a date in text, or a Period."""
    if isinstance(value, str):
        return read_span(value)
    if not isinstance(value, dict) or not ("start" in value or "end" in value):
        return None
    start = read_span(str(value["start"])) if "start" in value else Span(_FIRST, _FIRST)
    end = read_span(str(value["end"])) if "end" in value else Span(_LAST, _LAST)
    return Span(start.start, end.end) if start and end else None


def read_criterion(text: str) -> tuple[str, Span] | None:
    """Split `ge2021-03` into prefix and span; no prefix means `eq`."""
    found = _PREFIXED.fullmatch(text)
    span = read_span(found.group(2)) if found else None
    return ((found.group(1) or "eq"), span) if found and span else None


def lies(value: Span, prefix: str, asked: Span) -> bool:
    """Whether `value` lies to `asked` as the prefix demands (FHIR R4, search, "Prefixes")."""
    match prefix:
        case "eq":
            return asked.start <= value.start and value.end <= asked.end
        case "ne":
            return not lies(value, "eq", asked)
        case "gt":
            return value.end > asked.end
        case "ge":
            return value.end > asked.end or lies(value, "eq", asked)
        case "lt":
            return value.start < asked.start
        case "le":
            return value.start < asked.start or lies(value, "eq", asked)
        case "sa":
            return value.start >= asked.end
        case "eb":
            return value.end <= asked.start
        case _:
            return value.start < asked.end and asked.start < value.end
