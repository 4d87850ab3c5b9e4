"""A landing store as version 1 of its tables left it: two runs, one resource deleted, one set aside."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from store_records import record

from fhir_adapter.fhir.canonical import content_sha256

SOURCE = "https://ehr.invalid/fhir"
DAY = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
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


def write_version_1(path: Path) -> None:
    """What two runs left: `a` in two versions, `b` (about `p`), `gone` deleted in the second run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA application_id = 0x46484952")
    database.execute("PRAGMA user_version = 1")
    database.executescript(_TABLES)
    database.execute("INSERT INTO property VALUES ('source', ?)", (SOURCE,))
    database.executemany(
        "INSERT INTO run VALUES (?, ?, 1, 1, 'old hash', ?)", [(1, DAY[0], DAY[0]), (2, DAY[1], DAY[1])]
    )
    for run in (1, 2):
        database.execute(
            "INSERT INTO stream (run, stream, received, stored, complete) VALUES (?, 'Observation', 3, 3, 1)", (run,)
        )
    database.execute("UPDATE stream SET cursor = 'page-2'")
    held = [
        (record("Observation/a", "old", version="1"), 1, False, None),
        (record("Observation/a", "new", version="2"), 2, True, None),
        (record("Observation/b", about="p"), 1, True, None),
        (record("Observation/gone", about="p"), 1, True, 2),
    ]
    for seq, (each, run, newest, deleted) in enumerate(held, start=1):
        content = content_sha256(each.body)
        stamped = (each.last_updated, each.person, run, 2, each.sha256, each.body)
        database.execute(
            "INSERT INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (seq, each.type, each.id, each.version, content, *stamped),
        )
        if newest:
            database.execute(
                "INSERT INTO resource VALUES (?, ?, ?, ?, ?, ?)",
                (each.type, each.id, seq, each.person, content, deleted),
            )
    database.execute(
        "INSERT INTO quarantine VALUES ('Observation', 'Observation', 'bad', 'hash', 'invalid-utf8', 2, x'00')"
    )
    database.close()
