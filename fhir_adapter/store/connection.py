"""One connection to the file of a store, shared by threads; whole transactions only, and errors in our words."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fhir_adapter.interruption import undisturbed
from fhir_adapter.store.schema import translated


class Connection:
    """Whoever reads or writes holds the lock."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database = database
        self._path = path
        self._lock = threading.RLock()

    def close(self) -> None:
        """Close the file; a transaction of another thread is waited for."""
        with self._lock:
            self._database.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self._path):
            yield self._database

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside happens, or nothing of it. A signal to end is heard when it has happened."""
        with self._lock, translated(self._path):
            try:
                self._database.execute("BEGIN IMMEDIATE")
                with undisturbed():
                    yield self._database
                    self._database.execute("COMMIT")
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
