"""The tables of the landing store. A change here is a new schema version, and a step in `migration.py`."""

from __future__ import annotations

SCHEMA_VERSION = 2

TABLES = """
CREATE TABLE property (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Small facts that whoever fetches wants to find again after an accident.
CREATE TABLE memory (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- `content_sum` stands for everything shown after the run (see content_sum.py).
CREATE TABLE run (
    run INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL,
    finished INTEGER NOT NULL DEFAULT 0,
    complete INTEGER NOT NULL DEFAULT 0,
    changed_at TEXT NOT NULL DEFAULT '',
    content_sum BLOB NOT NULL
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
    retries INTEGER NOT NULL DEFAULT 0,
    complete INTEGER NOT NULL DEFAULT 0,
    unverified INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run, stream)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_of_stream ON stream (stream, run);

-- From which instant a stream has to be asked for again; `person` is empty where it is about everybody.
CREATE TABLE cursor (
    stream TEXT NOT NULL,
    person TEXT NOT NULL,
    instant TEXT NOT NULL,
    PRIMARY KEY (stream, person)
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
    UNIQUE (type, id, version, content)
) STRICT;

-- Apart, so that noting that a version was seen again does not write its bytes again.
CREATE TABLE body (seq INTEGER PRIMARY KEY REFERENCES version, body BLOB NOT NULL) STRICT;

-- Which version a resource showed: after `from_run`, and not any more after `until_run` (null: it does now).
CREATE TABLE shown (
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    from_run INTEGER NOT NULL,
    until_run INTEGER,
    seq INTEGER NOT NULL REFERENCES version,
    person TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (type, id, from_run)
) STRICT, WITHOUT ROWID;
CREATE INDEX shown_of_person ON shown (person, type, id) WHERE until_run IS NULL;

-- Deletions, as they were told (version and instant may be missing), and the last run that told of them.
CREATE TABLE tombstone (
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    version TEXT NOT NULL,
    at TEXT NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (type, id, version, at)
) STRICT, WITHOUT ROWID;

-- `run` saw it last. It is an open question until `closed_run`.
CREATE TABLE quarantine (
    stream TEXT NOT NULL,
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    reason TEXT NOT NULL,
    first_run INTEGER NOT NULL,
    run INTEGER NOT NULL,
    closed_run INTEGER,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX quarantine_open ON quarantine (stream, type, id, sha256) WHERE closed_run IS NULL;
CREATE INDEX quarantine_of_resource ON quarantine (type, id) WHERE closed_run IS NULL;
"""


def statements(script: str) -> list[str]:
    """The statements of a script, one by one: `executescript` would commit what the caller has begun."""
    said = "\n".join(line for line in script.splitlines() if not line.startswith("--"))
    return [statement for statement in said.split(";") if statement.strip()]
