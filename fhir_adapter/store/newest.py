"""Which of several versions of one resource is the newest, and whether a deletion came after it.

The answer depends on the set of versions and deletions only, never on the order in which they came. So the
yardstick is chosen for the set as a whole: whole numbers if every version has one, else `lastUpdated` if every
version has one, else the run that saw it last. Comparing pair by pair with mixed yardsticks could go round in a
circle. A deletion is held against the newest version alone, by the first of these yardsticks that both have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A deletion in the store; `version` and `at` (an instant) may be empty, `run` is the last run that told of it."""

    version: str
    at: str
    run: int

    def covers(self, held: Held) -> bool:
        """Is this version not newer than the deletion?"""
        if is_number(self.version) and is_number(held.version):
            return int(held.version) <= int(self.version)
        deleted, updated = read_moment(self.at), read_moment(held.last_updated)
        if deleted > _NEVER and updated > _NEVER:
            return updated <= deleted
        return held.run <= self.run


def newest_not_deleted(versions: Sequence[Held], tombstones: Iterable[Tombstone]) -> Held | None:
    """The version that a resource shows; None if it has none, or was deleted after the newest."""
    if not versions:
        return None
    latest = newest(versions)
    return None if any(tombstone.covers(latest) for tombstone in tombstones) else latest


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
