"""Opening the landing store: only a whole store of this source is used, and one of an older version is brought up."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fhir_adapter.errors import DiskError, FhirAdapterError, LockedError, StoreError
from fhir_adapter.store.migration import migrate
from fhir_adapter.store.tables import SCHEMA_VERSION, TABLES, statements

APPLICATION_ID = 0x46484952  # "FHIR"
_BUSY_SECONDS = 30.0
# To look through every page takes about a second a gigabyte. That is done where it costs nothing to speak of, and
# after an accident; every body is held against its hash when it is read, whatever the size.
_ALWAYS_CHECKED_BYTES = 64 * 1024 * 1024


class Altered(Exception):
    """Bytes in the store are not those that were put there."""


def open_database(path: Path, source: str | None) -> sqlite3.Connection:
    """Open the store of `source`, or make it; `StoreError` if the file is not a whole store of it.

    None stands for whatever source the store has; nothing is made then.
    """
    _prepare_file(path)
    with _connected(path, str(path)) as database:
        _open(database, path, source)
    return database


def watch_database(path: Path) -> sqlite3.Connection:
    """Open a store only to look at it, also while another process is at work; nothing is written."""
    with _connected(path, f"{path.absolute().as_uri()}?mode=ro") as database:
        _check_kind(database, path)
        if _number(database, "PRAGMA user_version") < SCHEMA_VERSION:
            raise StoreError(
                f"The landing store {path} was written by an older version of this software.",
                "Run `fhir-adapter fetch` once: it brings the store up to date.",
            )
    return database


@contextmanager
def _connected(path: Path, name: str) -> Iterator[sqlite3.Connection]:
    """A connection that stays open unless the block fails."""
    with translated(path):
        database = sqlite3.connect(
            name, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=name.startswith("file:")
        )
        try:
            yield database
        except BaseException:
            database.close()
            raise


def _prepare_file(path: Path) -> None:
    """The file is ours alone before the first byte is in it; SQLite gives its companions the same mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        raise DiskError(
            f"The landing store {path} cannot be written.", "Check the output folder and its permissions."
        ) from None


def _open(database: sqlite3.Connection, path: Path, source: str | None) -> None:
    """Nothing is changed in a file before it is known to be ours."""
    doubtful = _is_small_or_was_left_open(path)
    if source is not None:
        _create_if_empty(database, source)
    _check_kind(database, path)
    if doubtful and database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise _damaged(path)
    _check_source(database, path, source)
    path.chmod(0o600)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    migrate(database)


def _is_small_or_was_left_open(path: Path) -> bool:
    """Whoever closes a store leaves no write-ahead log with anything in it."""
    log = path.with_name(f"{path.name}-wal")
    return path.stat().st_size <= _ALWAYS_CHECKED_BYTES or (log.exists() and log.stat().st_size > 0)


def _create_if_empty(database: sqlite3.Connection, source: str) -> None:
    database.execute("BEGIN IMMEDIATE")
    if not _number(database, "SELECT count(*) FROM sqlite_schema"):
        for statement in statements(TABLES):
            database.execute(statement)
        database.execute("INSERT INTO property VALUES ('source', ?)", (source,))
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    database.execute("COMMIT")


def _check_kind(database: sqlite3.Connection, path: Path) -> None:
    if _number(database, "PRAGMA application_id") != APPLICATION_ID:
        raise StoreError(
            f"{path} is a database of something else, not a landing store.", "Choose another output folder."
        )
    if _number(database, "PRAGMA user_version") > SCHEMA_VERSION:
        raise StoreError(
            f"The landing store {path} was written by a newer version of this software.",
            "Update fhir-adapter, or choose another output folder.",
        )
    if path.stat().st_size < _number(database, "PRAGMA page_count") * _number(database, "PRAGMA page_size"):
        log = path.with_name(f"{path.name}-wal")
        if not (log.exists() and log.stat().st_size > 0):
            raise _damaged(path)


def _check_source(database: sqlite3.Connection, path: Path, source: str | None) -> None:
    stored = database.execute("SELECT value FROM property WHERE name = 'source'").fetchone()
    if stored is None or source not in (None, stored[0]):
        raise StoreError(
            f"The landing store {path} holds the data of another source.",
            "Two sources are never mixed: choose another output folder for this one.",
        )


def _number(database: sqlite3.Connection, statement: str) -> int:
    return int(database.execute(statement).fetchone()[0])


def _damaged(path: Path) -> StoreError:
    return StoreError(
        f"The landing store {path} is damaged or is not a landing store; nothing was changed in it.",
        "Restore it from a backup, or move it away: the next run fetches everything again.",
    )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """What SQLite finds wrong with the file or the disk, in our words; anything else is a bug."""
    try:
        yield
    except Altered:
        raise _damaged(path) from None
    except sqlite3.Error as error:
        known = _translation(getattr(error, "sqlite_errorcode", 0) & 0xFF, path)
        if known is None:
            raise
        raise known from None


def _translation(code: int, path: Path) -> FhirAdapterError | None:
    match code:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return _damaged(path)
        case sqlite3.SQLITE_FULL:
            return DiskError(f"There is no space left for the landing store {path}.", "Free some space, run again.")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return DiskError(f"The landing store {path} cannot be written.", "Check the disk and its permissions.")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return LockedError(f"The landing store {path} is in use.", "Wait for the other run to end.")
    return None
