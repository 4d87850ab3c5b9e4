"""Questions to the landing store."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence

import msgspec

from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.fhir.record import Record
from fhir_adapter.store.ledger import StreamLedger

# A resource whose server states no version is counted by us: the first content seen is "1".
_RECORDS = """
SELECT held.type, held.id,
    CASE WHEN held.version <> '' THEN held.version ELSE (
        SELECT CAST(count(*) AS TEXT) FROM version AS earlier
        WHERE earlier.type = held.type AND earlier.id = held.id AND earlier.version = ''
            AND (earlier.first_run, earlier.content) <= (held.first_run, held.content)
    ) END,
    held.last_updated, held.person, held.body
FROM resource JOIN version AS held ON held.seq = resource.seq
WHERE resource.deleted_run IS NULL AND (resource.type, resource.id) > (?, ?) {condition}
ORDER BY resource.type, resource.id LIMIT ?
"""
_LEDGER = """
SELECT stream, announced, received, stored, duplicate, quarantined, deleted, swept, conflicts,
    complete, unverified, reason
FROM stream WHERE run = ? ORDER BY stream
"""


def records(
    database: sqlite3.Connection, condition: str, values: Sequence[str], after: tuple[str, str], limit: int
) -> list[Record]:
    """The next `limit` current records after a type and id. `condition` is ours, never from outside."""
    rows = database.execute(_RECORDS.format(condition=condition), (*after, *values, limit))
    return [Record(*row) for row in rows]


def ledger(database: sqlite3.Connection, run: int) -> list[StreamLedger]:
    rows = database.execute(_LEDGER, (run,))
    names = [column[0] for column in rows.description]
    return [msgspec.convert(dict(zip(names, row, strict=True)), StreamLedger, strict=False) for row in rows]


def last_run(database: sqlite3.Connection) -> int | None:
    return _number(database, "SELECT max(run) FROM run")


def last_complete_run(database: sqlite3.Connection) -> int | None:
    return _number(database, "SELECT max(run) FROM run WHERE finished AND complete")


def cursor(database: sqlite3.Connection, stream: str) -> str | None:
    question = "SELECT cursor FROM stream WHERE stream = ? AND cursor IS NOT NULL ORDER BY run DESC LIMIT 1"
    row = database.execute(question, (stream,)).fetchone()
    return str(row[0]) if row else None


def source(database: sqlite3.Connection) -> str:
    return str(database.execute("SELECT value FROM property WHERE name = 'source'").fetchone()[0])


def person_keys(database: sqlite3.Connection) -> list[str]:
    question = "SELECT DISTINCT person FROM resource WHERE person <> '' AND deleted_run IS NULL ORDER BY person"
    return [str(person) for (person,) in database.execute(question)]


def quarantine(database: sqlite3.Connection) -> list[Quarantined]:
    question = "SELECT stream, type, id, reason, sha256, body FROM quarantine ORDER BY stream, type, id, sha256"
    return [Quarantined(*row) for row in database.execute(question)]


def content_hash(database: sqlite3.Connection) -> str:
    digest = hashlib.sha256()
    question = "SELECT type, id, content FROM resource WHERE deleted_run IS NULL ORDER BY type, id"
    for type, id, content in database.execute(question):
        digest.update(f"{type}/{id} {content}\n".encode())
    return digest.hexdigest()


def changed_at(database: sqlite3.Connection, content_hash: str, run: int | None) -> str:
    """When the run began that made the content this: `run` or the newest, unless one before left it so."""
    question = "SELECT content_hash, changed_at FROM run WHERE finished AND run IS NOT ? ORDER BY run DESC LIMIT 1"
    finished = database.execute(question, (run,)).fetchone()
    if finished and finished[0] == content_hash:
        return str(finished[1])
    question = "SELECT started_at FROM run WHERE run = coalesce(?, (SELECT max(run) FROM run))"
    begun = database.execute(question, (run,)).fetchone()
    return str(begun[0]) if begun else ""


def _number(database: sqlite3.Connection, question: str) -> int | None:
    found = database.execute(question).fetchone()[0]
    return None if found is None else int(found)
