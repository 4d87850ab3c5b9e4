"""Which of several versions of one resource is the newest.

The answer depends on the set of versions only, never on the order in which they came. So the yardstick is
chosen for the set as a whole: whole numbers if every version has one, else `lastUpdated` if every version has
one, else the run that saw it last. Comparing pair by pair with mixed yardsticks could go round in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Held:
    """A version in the store, without its body; `run` is the last run that saw it."""

    seq: int
    version: str
    last_updated: str
    run: int
    content: str
    person: str


def newest(versions: Sequence[Held]) -> Held:
    """The newest of at least one version."""
    if len(versions) == 1:
        return versions[0]
    numbered = all(is_number(held.version) for held in versions)
    stamped = all(read_moment(held.last_updated) > _NEVER for held in versions)

    def rank(held: Held) -> tuple[int, datetime, int, str, str]:
        number = int(held.version) if numbered else 0
        moment = read_moment(held.last_updated) if numbered or stamped else _NEVER
        return number, moment, held.run, held.content, held.version

    return max(versions, key=rank)


def is_number(version: str) -> bool:
    return version.isascii() and version.isdigit() and len(version) <= 64


def read_moment(instant: str) -> datetime:
    """A FHIR instant; the beginning of time when there is none, or none that can be read."""
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError:
        return _NEVER
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return _NEVER
