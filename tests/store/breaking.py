"""A database connection that breaks at its n-th statement: by an exception, or by the end of the process."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from store_records import bad, record

from fhir_adapter.fhir.deletion import Deletion
from fhir_adapter.store import Store
from fhir_adapter.store.schema import open_database

SOURCE = "https://ehr.invalid/fhir"


class Broken(Exception):
    """The accident."""


class Breaking:
    """Passes everything on until it is time; rolling back always works, as SQLite does it by itself."""

    def __init__(self, database: sqlite3.Connection, at: int, accident: Callable[[], NoReturn]) -> None:
        self._database = database
        self._left = at
        self._accident = accident
        self.statements = 0

    def execute(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
        self._count(statement)
        return self._database.execute(statement, values)

    def executemany(self, statement: str, values: Sequence[Any]) -> sqlite3.Cursor:
        self._count(statement)
        return self._database.executemany(statement, values)

    @property
    def in_transaction(self) -> bool:
        return self._database.in_transaction

    def close(self) -> None:
        self._database.close()

    def _count(self, statement: str) -> None:
        if statement == "ROLLBACK":
            return
        self.statements += 1
        self._left -= 1
        if self._left == 0:
            self._accident()


def raise_broken() -> NoReturn:
    raise Broken


def die() -> NoReturn:
    os._exit(9)


def breaking_store(path: Path, at: int, accident: Callable[[], NoReturn]) -> tuple[Store, Breaking]:
    breaking = Breaking(open_database(path, SOURCE), at, accident)
    return Store(breaking, path), breaking  # type: ignore[arg-type]


def second_run(store: Store) -> None:
    """A night's work with a bit of everything."""
    run = store.begin_run("2026-01-02T00:00:00Z")
    store.land(
        run,
        "Observation",
        [record("Observation/a", "changed", version="2"), record("Observation/b"), record("Observation/new")],
        [bad("Observation/bad")],
        cursor=("", "2026-01-02T00:00:00Z"),
        deleted=[Deletion("Observation", "c")],
    )
    store.finish_stream(run, "Observation", announced=5, complete=True)
    store.sweep(run, "Observation", ["a", "b", "new"])
    store.finish_run(run, complete=True)


if __name__ == "__main__":
    second_run(breaking_store(Path(sys.argv[1]), int(sys.argv[2]), die)[0])
