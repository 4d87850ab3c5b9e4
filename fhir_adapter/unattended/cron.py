"""When to run: a cron expression, always in UTC.

An expression is read into the minutes, hours and days that it means, and everything else is made from these. So a
scheduler that numbers the days of the week from Monday, or one that wants both day fields to agree, cannot misread it:
in cron 0 and 7 are Sunday, and where both day fields are limited either of them is enough.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fhir_adapter.errors import UsageError

_EXAMPLE = 'minute, hour, day of the month, month, weekday: "0 2 * * *" is every night at 02:00 UTC'
_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]{1,2}))?")
_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}  # days of the months that have not 31
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True)
class _Field:
    """One of the five fields: what it is called, what it may hold, and names for its numbers."""

    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()

    def all(self) -> range:
        return range(self.lowest, self.highest + 1)


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MINUTE, _HOUR = _Field("minute", 0, 59), _Field("hour", 0, 23)
_DAY, _MONTH = _Field("day of the month", 1, 31), _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("weekday", 0, 7, WEEKDAYS)
_FIELDS = (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)


@dataclass(frozen=True)
class Cron:
    """The minutes, hours, days of the month, months and weekdays (0 to 6 from Sunday) of a schedule in UTC.

    `either_day`: both day fields are limited, and a day that fits one of them is enough.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    @property
    def either_day(self) -> bool:
        return len(self.days) < 31 and len(self.weekdays) < 7

    def __str__(self) -> str:
        """The expression in the one spelling that every cron reads the same: numbers, and Sunday is 0."""
        whole = (60, 24, 31, 12, 7)
        fields = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        return " ".join("*" if len(held) == full else _spell(held) for held, full in zip(fields, whole, strict=True))


def parse_cron(text: str) -> Cron:
    """Read an expression of five fields or a nickname such as `@daily`; `UsageError` names the field that is wrong."""
    words = _NICKNAMES.get(text.strip().lower(), text).split()
    if len(words) != len(_FIELDS):
        raise UsageError(f"a cron expression has five fields, this one has {len(words)}", _EXAMPLE)
    minutes, hours, days, months, weekdays = (_read(field, word) for field, word in zip(_FIELDS, words, strict=True))
    cron = Cron(minutes, hours, days, months, tuple(sorted({day % 7 for day in weekdays})))
    if cron.either_day and (words[2].startswith("*") or words[4].startswith("*")):
        raise UsageError(
            "the cron expression limits both day fields, one of them with `*/`: cron programs differ about it",
            "write the days out, for example 1,3,5",
        )
    if not cron.either_day and min(days) > max(_LONGEST.get(month, 31) for month in months):
        raise UsageError("the cron expression names a day that does not exist, so it would never run", _EXAMPLE)
    return cron


def _read(field: _Field, word: str) -> tuple[int, ...]:
    return tuple(sorted({value for part in word.split(",") for value in _read_part(field, part)}))


def _read_part(field: _Field, part: str) -> Sequence[int]:
    """`*`, `5`, `mon`, `1-5`, and the ranges with `/step`."""
    found = _PART.fullmatch(part)
    if not found:
        raise UsageError(f"the {field.name} `{part}` of the cron expression cannot be read", _EXAMPLE)
    first, last, step = found["first"], found["last"], int(found["step"] or 1)
    if step == 0:
        raise UsageError(f"the {field.name} `{part}` of the cron expression steps by nothing", _EXAMPLE)
    if first is None:
        return field.all()[::step]
    if last is None and found["step"]:
        raise UsageError(
            f"the {field.name} `{part}` of the cron expression steps from one number: cron programs differ about it",
            f"write the range: {first}-{field.highest}/{step}",
        )
    begin, end = _number(field, first), _number(field, last or first)
    if begin > end:
        raise UsageError(f"the {field.name} `{part}` of the cron expression runs backwards", _EXAMPLE)
    return range(begin, end + 1, step)


def _number(field: _Field, word: str) -> int:
    if word.lower() in field.names:
        return field.names.index(word.lower()) + field.lowest
    if word.isdecimal() and word.isascii() and int(word) in field.all():
        return int(word)
    raise UsageError(
        f"the {field.name} `{word}` of the cron expression is not between {field.lowest} and {field.highest}", _EXAMPLE
    )


def _spell(values: Sequence[int]) -> str:
    """Numbers with commas, three or more in a row as a range."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)
