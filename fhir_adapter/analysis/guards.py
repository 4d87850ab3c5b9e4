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
    if len(days) != len(events):
        raise TimesRefused(f"{len(days)} times but {len(events)} event codes")
    if not days:
        raise TimesRefused("no times")
    _refuse_any("time that is not a whole number of days", [day for day in days if not _is_whole(day)])
    _refuse_any("negative time", [day for day in days if day < 0])
    _refuse_any(
        "event code other than 0 and 1",
        [code for code in events if not _is_whole(code) or code not in (0, 1)],
    )
    return [int(day) for day in days], [int(code) for code in events]


def _is_whole(number: float) -> bool:
    return float(number).is_integer()


def _refuse_any(what: str, found: Sequence[object]) -> None:
    if found:
        raise TimesRefused(f"{what}: {len(found)}")
