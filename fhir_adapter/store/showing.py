"""What each resource shows, kept as a history: the newest version that was not deleted after it, run by run."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from fhir_adapter.store import content_sum
from fhir_adapter.store.newest import Held, Tombstone, newest_not_deleted

_HELD = "SELECT seq, version, last_updated, last_run, content, person, sha256 FROM version WHERE type = ? AND id = ?"
_TOMBSTONES = "SELECT version, at, run FROM tombstone WHERE type = ? AND id = ?"
_SHOWN = "SELECT seq, from_run, content FROM shown WHERE type = ? AND id = ? AND until_run IS NULL"
_SHOW = "INSERT INTO shown (type, id, from_run, seq, person, content) VALUES (?, ?, ?, ?, ?, ?)"


def held_versions(database: sqlite3.Connection, type: str, id: str) -> list[Held]:
    """Every version of one resource."""
    return [Held(*row) for row in database.execute(_HELD, (type, id))]


@dataclass(frozen=True, slots=True)
class _Shown:
    seq: int
    from_run: int
    content: str


class Showing:
    """The changes of one transaction; at its end the sum of everything shown is written beside the run."""

    def __init__(self, database: sqlite3.Connection, run: int) -> None:
        self._database, self._run = database, run
        self._difference = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None and self._difference:
            question = "SELECT content_sum FROM run WHERE run = ?"
            [total] = self._database.execute(question, (self._run,)).fetchone()
            total = content_sum.added(total, self._difference)
            self._database.execute("UPDATE run SET content_sum = ? WHERE run = ?", (total, self._run))

    def update(self, type: str, id: str) -> None:
        """Let the resource show its newest version, or nothing if that was deleted."""
        tombstones = [Tombstone(*row) for row in self._database.execute(_TOMBSTONES, (type, id))]
        latest = newest_not_deleted(held_versions(self._database, type, id), tombstones)
        row = self._database.execute(_SHOWN, (type, id)).fetchone()
        before = _Shown(*row) if row else None
        if before and (latest is None or before.seq != latest.seq):
            self._hide(type, id, before)
        if latest and (before is None or before.seq != latest.seq):
            self._show(type, id, latest)

    def _hide(self, type: str, id: str, before: _Shown) -> None:
        """What was shown after an earlier run stays in the history; within one run only its end counts."""
        key = (type, id, before.from_run)
        if before.from_run == self._run:
            self._database.execute("DELETE FROM shown WHERE type = ? AND id = ? AND from_run = ?", key)
        else:
            close = "UPDATE shown SET until_run = ? WHERE type = ? AND id = ? AND from_run = ?"
            self._database.execute(close, (self._run, *key))
        self._difference -= content_sum.member(type, id, before.content)

    def _show(self, type: str, id: str, latest: Held) -> None:
        values = (type, id, self._run, latest.seq, latest.person, latest.content)
        self._database.execute(_SHOW, values)
        self._difference += content_sum.member(type, id, latest.content)
