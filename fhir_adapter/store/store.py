"""The landing store: every resource as it was received, every version kept, nothing interpreted.

Rows, ledger and cursor of one `land` are one transaction: a crash leaves all of it or nothing. A resource is
known by type and id within one source. All methods may be called from any thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self

from fhir_adapter.errors import StoreError
from fhir_adapter.fhir.deletion import Deletion
from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.fhir.record import Record
from fhir_adapter.store import reading, writing
from fhir_adapter.store.connection import Connection
from fhir_adapter.store.reading import NOW
from fhir_adapter.store.run import Run
from fhir_adapter.store.schema import open_database, watch_database
from fhir_adapter.store.view import View


class Store(View):
    """One SQLite file for one source. Use `open`; close it, or use it in a `with` block. As a `View` it shows now."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        super().__init__(Connection(database, path), NOW)

    @classmethod
    def open(cls, path: Path, source: str) -> Self:
        """Open or make the store of `source` (a server's base address, or `folder:` and an absolute path).

        `StoreError` when the file belongs to another source, is damaged or newer; `DiskError` when it cannot
        be written.
        """
        return cls(open_database(path, source), path)

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Open the store that an earlier fetch has left, whatever its source; `StoreError` when there is none."""
        _require(path)
        return cls(open_database(path, None), path)

    @classmethod
    def watch(cls, path: Path) -> Self:
        """Look at the store while a run may be working on it: nothing is checked, locked or written."""
        _require(path)
        return cls(watch_database(path), path)

    def close(self) -> None:
        """Close the file; a transaction of another thread is waited for."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Runs

    def begin_run(self, started_at: str) -> int:
        """Open a run; `started_at` is an instant. Returns its number. Earlier runs take nothing from now on."""
        with self._connection.transaction() as database:
            return writing.begin_run(database, started_at)

    def finish_stream(
        self,
        run: int,
        stream: str,
        *,
        announced: int | None,
        complete: bool,
        reason: str = "",
        unverified: bool = False,
    ) -> None:
        """Close the account of one stream: how many were announced, and whether all of it came."""
        with self._connection.transaction() as database:
            writing.require_open(database, run)
            writing.finish_stream(database, run, stream, announced, complete, reason, unverified)

    def finish_run(self, run: int, *, complete: bool) -> None:
        """Close a run, and note since when the content has been what it is now. It takes nothing from now on."""
        with self._connection.transaction() as database:
            writing.require_open(database, run)
            writing.finish_run(database, run, complete, reading.changed_at(database, NOW, unfinished=run))

    def runs(self) -> list[Run]:
        """Every run, the first one first."""
        with self._connection.reading() as database:
            return reading.runs(database)

    def last_run(self) -> int | None:
        """The number of the newest run, however it ended."""
        with self._connection.reading() as database:
            return reading.last_run(database)

    def last_complete_run(self) -> int | None:
        """The number of the newest run that ended and missed nothing."""
        with self._connection.reading() as database:
            return reading.last_complete_run(database)

    def last_good(self, stream: str) -> Run | None:
        """The newest run in which all of this stream came and its account balances."""
        with self._connection.reading() as database:
            return reading.last_good(database, stream)

    def as_of(self, run: int) -> View:
        """What was known after a run; `StoreError` when there is no such run."""
        with self._connection.reading() as database:
            return View(self._connection, reading.moment_after(database, run))

    # Landing

    def land(
        self,
        run: int,
        stream: str,
        records: Sequence[Record],
        quarantined: Sequence[Quarantined],
        *,
        deleted: Sequence[Deletion] = (),
        cursor: tuple[str, str] | None = None,
        retries: int = 0,
    ) -> None:
        """Store what one page or file part brought, in one transaction with its ledger and its cursor.

        `deleted` are deletions that the stream itself reports. `cursor` is a person (empty: everybody) and the instant
        from which this stream has to be asked for again; give it with the last page of what it stands for.
        `retries` is how often the page had to be asked for again.
        """
        with self._connection.transaction() as database:
            writing.require_open(database, run)
            writing.land(database, run, stream, records, quarantined, deleted, retries)
            if cursor:
                writing.write_cursor(database, stream, *cursor)

    def known(self, records: Sequence[Record]) -> frozenset[str]:
        """The sha256 of those whose very bytes are held already, as the newest or an earlier version."""
        with self._connection.reading() as database:
            return frozenset(record.sha256 for record in records if reading.is_known(database, record))

    def count_missing(self, run: int, type: str, seen_ids: Collection[str] | None = None) -> int:
        """How many resources a sweep would take out."""
        with self._connection.reading() as database:
            return len(writing.missing(database, run, type, seen_ids))

    def sweep(self, run: int, type: str, seen_ids: Collection[str] | None = None) -> int:
        """Take out what a complete fetch of a whole type did not show; returns how many. `seen_ids` are there although
        they were not fetched (None: everything was fetched).

        What came in this run by any way counts as seen, even an older version or one that was set aside. Nothing is
        taken out unless the stream of that name is complete, or, where no stream has the name of the type, every
        stream of the run.
        """
        with self._connection.transaction() as database:
            writing.require_open(database, run)
            return writing.sweep(database, run, type, seen_ids)

    def withdraw(self, run: int, people: Collection[str]) -> int:
        """Take out everything about people who no longer belong here, and their cursors; returns how many resources.

        Who joins again is shown again as soon as their resources are landed.
        """
        with self._connection.transaction() as database:
            writing.require_open(database, run)
            return writing.withdraw(database, run, people)

    def dismiss(self, quarantined: Quarantined) -> None:
        """Close the question that something set aside has left open."""
        with self._connection.transaction() as database:
            writing.dismiss(database, quarantined)

    def quarantine_counts(self) -> list[tuple[str, str, str, int]]:
        """How many things are set aside, by stream, type and reason."""
        with self._connection.reading() as database:
            return reading.quarantine_counts(database)

    # What the next run has to know

    def cursor(self, stream: str, person: str = "") -> str | None:
        """The instant from which a stream has to be asked for again; None: from the beginning."""
        return self.cursors(stream).get(person)

    def cursors(self, stream: str) -> dict[str, str]:
        """The instants of a stream by person; the empty one is everybody."""
        with self._connection.reading() as database:
            return reading.cursors(database, stream)

    def forget_cursors(self, stream: str | None = None) -> None:
        """Let a stream (None: every stream) be asked for from the beginning."""
        with self._connection.transaction() as database:
            writing.forget_cursors(database, stream)

    def remember(self, name: str, value: str) -> None:
        """Keep a small fact; it is on the disk when this returns."""
        with self._connection.transaction() as database:
            writing.remember(database, name, value)

    def forget(self, name: str) -> None:
        """Forget a fact, if it is there."""
        with self._connection.transaction() as database:
            writing.forget(database, name)


def _require(path: Path) -> None:
    if not path.exists():
        raise StoreError(f"There is no landing store at {path}.", "Run `fhir-adapter fetch` first.")
