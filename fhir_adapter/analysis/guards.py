"""What survival times must be before a statistics library sees them.

lifelines accepts negative times and event code 2 without a word, and answers; so all is checked here first.
"""

from __future__ import annotations

from collections.abc import Sequence


class TimesRefused(ValueError):
    """Times or codes that no survival estimate may be computed from; the message gives kinds and counts."""


def checked_times(days: Sequence[float], events: Sequence[float]) -> tuple[list[int], list[int]]:
    """Whole days from 0 and event codes 0 or 1, as plain integers and of the same length.

    Raises `TimesRefused` for anything else: nothing at all, lists that do not match, a time that is negative,
    not a number or not whole, a code other than 0 and 1.
    """
    times = _checked_days(days, events, "event codes")
    _refuse_any(
        "event code other than 0 and 1",
        [code for code in events if not _is_whole(code) or code not in (0, 1)],
    )
    return times, [int(code) for code in events]


def checked_causes(days: Sequence[float], causes: Sequence[float]) -> tuple[list[int], list[int]]:
    """As `checked_times`, for codes that tell causes apart: 0 censored, 1, 2, ... a cause each."""
    times = _checked_days(days, causes, "causes")
    _refuse_any("cause that is not a whole number from 0", [code for code in causes if not _is_whole(code) or code < 0])
    return times, [int(code) for code in causes]


def checked_groups(
    days: Sequence[float], events: Sequence[float], groups: Sequence[int], number: int
) -> tuple[list[int], list[int]]:
    """As `checked_times`, for people in groups 0 to `number` - 1; each of them needs somebody in it."""
    times, codes = checked_times(days, events)
    if len(groups) != len(times):
        raise TimesRefused(f"{len(times)} times but {len(groups)} groups")
    _refuse_any("group that is not known", [group for group in groups if group not in range(number)])
    empty = number - len(set(groups))
    if number < 2 or empty:
        raise TimesRefused(f"fewer than two groups: {number}" if number < 2 else f"groups with nobody: {empty}")
    return times, codes


def _checked_days(days: Sequence[float], codes: Sequence[float], what: str) -> list[int]:
    if len(days) != len(codes):
        raise TimesRefused(f"{len(days)} times but {len(codes)} {what}")
    if not days:
        raise TimesRefused("no times")
    _refuse_any("time that is not a whole number of days", [day for day in days if not _is_whole(day)])
    _refuse_any("negative time", [day for day in days if day < 0])
    return [int(day) for day in days]


def _is_whole(number: float) -> bool:
    return float(number).is_integer()


def _refuse_any(what: str, found: Sequence[object]) -> None:
    if found:
        raise TimesRefused(f"{what}: {len(found)}")
