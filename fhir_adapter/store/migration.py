"""An older store becomes one of today, in one transaction: it is the old one or the new one, whatever happens."""

from __future__ import annotations

import sqlite3

from fhir_adapter.store import content_sum
from fhir_adapter.store.tables import SCHEMA_VERSION, TABLES, statements

# Version 1 kept no history: what it shows is taken as known since its last run, and earlier runs cannot be asked for.
# It kept no cursors that could be relied on either, so the next fetch is a full one.
_FROM_1 = """
ALTER TABLE run RENAME TO old_run;
ALTER TABLE stream RENAME TO old_stream;
ALTER TABLE version RENAME TO old_version;
ALTER TABLE quarantine RENAME TO old_quarantine;
DROP INDEX quarantine_of_resource;
CREATE TABLE today (run INTEGER NOT NULL) STRICT;
INSERT INTO today SELECT coalesce(max(run), 0) FROM old_run;
{tables}
INSERT INTO run SELECT run, started_at, finished, complete, changed_at, zeroblob({size}) FROM old_run;
INSERT INTO stream SELECT run, stream, announced, received, stored, duplicate, quarantined, deleted, swept,
    conflicts, 0, complete, unverified, reason FROM old_stream;
INSERT INTO version SELECT seq, type, id, version, content, last_updated, person, first_run, last_run, sha256
    FROM old_version;
INSERT INTO body SELECT seq, body FROM old_version;
INSERT INTO shown SELECT type, id, today.run, NULL, seq, person, content FROM resource, today WHERE deleted_run IS NULL;
INSERT INTO tombstone SELECT type, id, '', '', deleted_run FROM resource WHERE deleted_run IS NOT NULL;
INSERT INTO quarantine SELECT stream, type, id, sha256, reason, run, run, NULL, body FROM old_quarantine;
INSERT INTO property SELECT 'history_since', run FROM today;
DROP TABLE today;
DROP TABLE resource;
DROP TABLE old_quarantine;
DROP TABLE old_version;
DROP TABLE old_stream;
DROP TABLE old_run
"""


def migrate(database: sqlite3.Connection) -> None:
    """Bring a store of an older schema version up to `SCHEMA_VERSION`; nothing happens to one of today."""
    if _version(database) == SCHEMA_VERSION:
        return
    database.execute("BEGIN IMMEDIATE")
    try:
        if _version(database) == 1:  # nobody else was quicker
            _from_1(database)
        database.execute("COMMIT")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")


def _from_1(database: sqlite3.Connection) -> None:
    tables = TABLES.replace("CREATE TABLE property", "CREATE TABLE IF NOT EXISTS property")
    for statement in statements(_FROM_1.format(tables=tables, size=content_sum.SIZE)):
        database.execute(statement)
    members = database.execute("SELECT type, id, content FROM shown")
    total = content_sum.added(content_sum.EMPTY, sum(content_sum.member(*row) for row in members))
    database.execute("UPDATE run SET content_sum = ? WHERE run = (SELECT max(run) FROM run)", (total,))
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])
