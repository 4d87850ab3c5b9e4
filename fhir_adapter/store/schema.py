"""The tables of the landing store, and opening it: only a whole store of this source and version is used."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fhir_adapter.errors import DiskError, FhirAdapterError, LockedError, StoreError

APPLICATION_ID = 0x46484952  # "FHIR"
SCHEMA_VERSION = 1
_BUSY_SECONDS = 30.0

_TABLES = """
CREATE TABLE property (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE run (
    run INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL,
    finished INTEGER NOT NULL DEFAULT 0,
    complete INTEGER NOT NULL DEFAULT 0,
    content_hash TEXT NOT NULL DEFAULT '',
    changed_at TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE stream (
    run INTEGER NOT NULL REFERENCES run,
    stream TEXT NOT NULL,
    announced INTEGER,
    received INTEGER NOT NULL DEFAULT 0,
    stored INTEGER NOT NULL DEFAULT 0,
    duplicate INTEGER NOT NULL DEFAULT 0,
    quarantined INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    swept INTEGER NOT NULL DEFAULT 0,
    conflicts INTEGER NOT NULL DEFAULT 0,
    complete INTEGER NOT NULL DEFAULT 0,
    unverified INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    cursor TEXT,
    PRIMARY KEY (run, stream)
) STRICT, WITHOUT ROWID;

-- Every version ever received. `content` is the hash of what it says, whatever its meta.
CREATE TABLE version (
    seq INTEGER PRIMARY KEY,
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    version TEXT NOT NULL,
    content TEXT NOT NULL,
    last_updated TEXT NOT NULL,
    person TEXT NOT NULL,
    first_run INTEGER NOT NULL,
    last_run INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (type, id, version, content)
) STRICT;

-- The newest version of each resource. `deleted_run` is the run that found it gone.
CREATE TABLE resource (
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL REFERENCES version,
    person TEXT NOT NULL,
    content TEXT NOT NULL,
    deleted_run INTEGER,
    PRIMARY KEY (type, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX resource_of_person ON resource (person, type, id);

CREATE TABLE quarantine (
    stream TEXT NOT NULL,
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    reason TEXT NOT NULL,
    run INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (stream, type, id, sha256)
) STRICT;
CREATE INDEX quarantine_of_resource ON quarantine (type, id);
"""


def open_database(path: Path, source: str | None) -> sqlite3.Connection:
    """Open the store of `source`, or make it; `StoreError` if the file is not a whole store of it.

    None stands for whatever source the store has; nothing is made then.
    """
    _prepare_file(path)
    with translated(path):
        database = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _open(database, path, source)
        except BaseException:
            database.close()
            raise
    return database


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
    if source is not None:
        _create_if_empty(database, source)
    _check(database, path, source)
    path.chmod(0o600)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")


def _create_if_empty(database: sqlite3.Connection, source: str) -> None:
    database.execute("BEGIN IMMEDIATE")
    if not _number(database, "SELECT count(*) FROM sqlite_schema"):
        for statement in _TABLES.split(";"):
            database.execute(statement)
        database.execute("INSERT INTO property VALUES ('source', ?)", (source,))
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    database.execute("COMMIT")


def _check(database: sqlite3.Connection, path: Path, source: str | None) -> None:
    if _number(database, "PRAGMA application_id") != APPLICATION_ID:
        raise StoreError(
            f"{path} is a database of something else, not a landing store.", "Choose another output folder."
        )
    if _number(database, "PRAGMA user_version") > SCHEMA_VERSION:
        raise StoreError(
            f"The landing store {path} was written by a newer version of this software.",
            "Update fhir-adapter, or choose another output folder.",
        )
    if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise _damaged(path)
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
