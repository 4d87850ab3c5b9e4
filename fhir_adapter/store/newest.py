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
    moments = {held.seq: read_moment(held.last_updated) for held in versions}
    if all(is_number(held.version) for held in versions):
        return max(versions, key=lambda held: (int(held.version), moments[held.seq], held.run, held.content))
    if _NEVER not in moments.values():
        return max(versions, key=lambda held: (moments[held.seq], held.run, held.content))
    return max(versions, key=lambda held: (held.run, held.content))


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
