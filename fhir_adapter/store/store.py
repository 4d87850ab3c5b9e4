"""The landing store: every resource as it was received, every version kept, nothing interpreted.

Rows, ledger and cursor of one `land` are one transaction: a crash leaves all of it or nothing. A resource is
known by type and id within one source. All methods may be called from any thread.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from fhir_adapter.errors import StoreError
from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.fhir.record import Record
from fhir_adapter.store import reading, writing
from fhir_adapter.store.ledger import StreamLedger
from fhir_adapter.store.schema import open_database, translated

_PAGE = 500


class Store:
    """One SQLite file for one source. Use `open`; close it, or use it in a `with` block."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database = database
        self._path = path
        self._lock = threading.RLock()

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
        if not path.exists():
            raise StoreError(f"There is no landing store at {path}.", "Run `fhir-adapter fetch` first.")
        return cls(open_database(path, None), path)

    @property
    def source(self) -> str:
        """The source whose resources these are."""
        with self._reading() as database:
            return reading.source(database)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Runs

    def begin_run(self, started_at: str) -> int:
        """Open a run; `started_at` is an instant. Returns its number."""
        with self._transaction() as database:
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
        with self._transaction() as database:
            writing.finish_stream(database, run, stream, announced, complete, reason, unverified)

    def finish_run(self, run: int, *, complete: bool) -> None:
        """Close a run, and note since when the content has been what it is now."""
        with self._transaction() as database:
            content_hash = reading.content_hash(database)
            changed_at = reading.changed_at(database, content_hash, run)
            writing.finish_run(database, run, complete, content_hash, changed_at)

    def last_run(self) -> int | None:
        with self._reading() as database:
            return reading.last_run(database)

    def last_complete_run(self) -> int | None:
        with self._reading() as database:
            return reading.last_complete_run(database)

    def ledger(self, run: int) -> list[StreamLedger]:
        """The accounts of a run, ordered by stream."""
        with self._reading() as database:
            return reading.ledger(database, run)

    def cursor(self, stream: str) -> str | None:
        """The cursor stored with the newest rows of this stream."""
        with self._reading() as database:
            return reading.cursor(database, stream)

    # Landing

    def land(
        self,
        run: int,
        stream: str,
        records: Sequence[Record],
        quarantined: Sequence[Quarantined],
        *,
        cursor: str | None = None,
        deleted: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Store what one page or file part brought, in one transaction with its ledger and its cursor.

        `deleted` are deletions reported by the stream itself, as type and id.
        """
        with self._transaction() as database:
            writing.land(database, run, stream, records, quarantined, deleted, cursor)

    def sweep(self, run: int, type: str, seen_ids: Collection[str]) -> int:
        """Mark as deleted what a complete fetch of a whole type did not show; returns how many.

        Nothing is marked unless the stream of that name is complete, or, where no stream has the name of the
        type, every stream of the run. What came in this run by any way is never marked.
        """
        with self._transaction() as database:
            return writing.sweep(database, run, type, seen_ids)

    # Content

    def content_hash(self) -> str:
        """SHA-256 over what all current resources say, whatever their meta."""
        with self._reading() as database:
            return reading.content_hash(database)

    def changed_at(self) -> str:
        """When the run began that made the content what it is now; empty before the first run."""
        with self._reading() as database:
            return reading.changed_at(database, reading.content_hash(database), None)

    def current(self) -> Iterator[Record]:
        """The newest version of every resource that is not deleted, by type and id."""
        return self._records("", ())

    def person_keys(self) -> list[str]:
        """Logical ids of every Patient that a current resource is about, sorted."""
        with self._reading() as database:
            return reading.person_keys(database)

    def of_person(self, key: str) -> list[Record]:
        """Everything current about one person, the Patient included, by type and id."""
        return list(self._records("AND resource.person = ?", (key,)))

    def shared(self) -> Iterator[Record]:
        """Current resources that are about nobody in particular, by type and id."""
        return self._records("AND resource.person = ''", ())

    def quarantine(self) -> list[Quarantined]:
        """What is set aside, by stream, type, id and hash."""
        with self._reading() as database:
            return reading.quarantine(database)

    def _records(self, condition: str, values: tuple[str, ...]) -> Iterator[Record]:
        """Page by page, so that memory stays small and a long reader does not hold the store."""
        after = ("", "")
        while True:
            with self._reading() as database:
                page = reading.records(database, condition, values, after, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            after = (page[-1].type, page[-1].id)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self._path):
            yield self._database

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self._path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
