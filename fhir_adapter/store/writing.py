"""Changes to the landing store; each function runs inside a transaction of its caller."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Sequence

from fhir_adapter.fhir.canonical import content_sha256
from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.fhir.record import Record
from fhir_adapter.store.newest import Held, newest, read_moment

_COUNT = """
INSERT INTO stream (run, stream, received, stored, duplicate, quarantined, deleted, conflicts, cursor)
VALUES (:run, :stream, :received, :stored, :duplicate, :quarantined, :deleted, :conflicts, :cursor)
ON CONFLICT (run, stream) DO UPDATE SET
    received = received + excluded.received,
    stored = stored + excluded.stored,
    duplicate = duplicate + excluded.duplicate,
    quarantined = quarantined + excluded.quarantined,
    deleted = deleted + excluded.deleted,
    conflicts = conflicts + excluded.conflicts,
    cursor = coalesce(excluded.cursor, cursor)
"""
_FINISH_STREAM = """
INSERT INTO stream (run, stream, announced, complete, reason, unverified) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (run, stream) DO UPDATE SET
    announced = excluded.announced, complete = excluded.complete,
    reason = excluded.reason, unverified = excluded.unverified
"""
_INSERT_VERSION = """
INSERT INTO version (type, id, version, content, last_updated, person, first_run, last_run, sha256, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_RESTAMP = "UPDATE version SET last_updated = ?, person = ?, sha256 = ?, body = ? WHERE seq = ?"
_POINT = """
INSERT INTO resource (type, id, seq, person, content) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (type, id) DO UPDATE SET
    seq = excluded.seq, person = excluded.person, content = excluded.content, deleted_run = NULL
"""
_HELD = "SELECT seq, version, last_updated, last_run, content, person FROM version WHERE type = ? AND id = ?"
_QUARANTINE = """
INSERT INTO quarantine (stream, type, id, sha256, reason, run, body) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (stream, type, id, sha256) DO UPDATE SET reason = excluded.reason, run = excluded.run
"""
_SWEEP = """
INSERT INTO stream (run, stream, swept, complete) VALUES (?, ?, ?, 1)
ON CONFLICT (run, stream) DO UPDATE SET swept = swept + excluded.swept
"""


def begin_run(database: sqlite3.Connection, started_at: str) -> int:
    return int(database.execute("INSERT INTO run (started_at) VALUES (?)", (started_at,)).lastrowid or 0)


def finish_stream(
    database: sqlite3.Connection,
    run: int,
    stream: str,
    announced: int | None,
    complete: bool,
    reason: str,
    unverified: bool,
) -> None:
    database.execute(_FINISH_STREAM, (run, stream, announced, complete, reason, unverified))


def finish_run(database: sqlite3.Connection, run: int, complete: bool, content_hash: str, changed_at: str) -> None:
    database.execute(
        "UPDATE run SET finished = 1, complete = ?, content_hash = ?, changed_at = ? WHERE run = ?",
        (complete, content_hash, changed_at, run),
    )


def land(
    database: sqlite3.Connection,
    run: int,
    stream: str,
    records: Sequence[Record],
    quarantined: Sequence[Quarantined],
    deleted: Sequence[tuple[str, str]],
    cursor: str | None,
) -> None:
    counts: Counter[str] = Counter(quarantined=len(quarantined), deleted=len(deleted))
    counts["received"] = len(records) + len(quarantined) + len(deleted)
    for thing in quarantined:
        _set_aside(database, run, stream, thing)
    for record in records:
        _land(database, run, record, counts)
    for type, id in deleted:
        database.execute(
            "UPDATE resource SET deleted_run = ? WHERE type = ? AND id = ? AND deleted_run IS NULL",
            (run, type, id),
        )
    names = ("received", "stored", "duplicate", "quarantined", "deleted", "conflicts")
    database.execute(_COUNT, {name: counts[name] for name in names} | {"run": run, "stream": stream, "cursor": cursor})


def _set_aside(database: sqlite3.Connection, run: int, stream: str, thing: Quarantined) -> None:
    values = (thing.stream or stream, thing.type, thing.id, thing.sha256, thing.reason, run, thing.body)
    database.execute(_QUARANTINE, values)


def _land(database: sqlite3.Connection, run: int, record: Record, counts: Counter[str]) -> None:
    """File one record: a new version, or one that is known already; then see which version is the newest."""
    content = content_sha256(record.body)
    held = [Held(*row) for row in database.execute(_HELD, (record.type, record.id))]
    known = [each for each in held if each.version == record.version and each.content == content]
    if known:
        counts["duplicate"] += 1
        _see_again(database, run, record, known[0])
    else:
        counts["stored"] += 1
        counts["conflicts"] += any(each.version == record.version != "" for each in held)
        _insert(database, run, record, content)
    database.execute("DELETE FROM quarantine WHERE type = ? AND id = ?", (record.type, record.id))
    _point(database, record.type, record.id)


def _insert(database: sqlite3.Connection, run: int, record: Record, content: str) -> None:
    named = (record.type, record.id, record.version, content)
    stamped = (record.last_updated, record.person, run, run, record.sha256, record.body)
    database.execute(_INSERT_VERSION, (*named, *stamped))


def _see_again(database: sqlite3.Connection, run: int, record: Record, known: Held) -> None:
    """The same version with the same content: only its meta may differ, and the latest stamp is kept."""
    database.execute("UPDATE version SET last_run = max(last_run, ?) WHERE seq = ?", (run, known.seq))
    sha256 = database.execute("SELECT sha256 FROM version WHERE seq = ?", (known.seq,)).fetchone()[0]
    stamp = (read_moment(record.last_updated), record.sha256)
    if stamp > (read_moment(known.last_updated), sha256):
        database.execute(_RESTAMP, (record.last_updated, record.person, record.sha256, record.body, known.seq))


def _point(database: sqlite3.Connection, type: str, id: str) -> None:
    """Let the resource show its newest version; what was thought deleted and came again is back."""
    latest = newest([Held(*row) for row in database.execute(_HELD, (type, id))])
    database.execute(_POINT, (type, id, latest.seq, latest.person, latest.content))


def sweep(database: sqlite3.Connection, run: int, type: str, seen_ids: Collection[str]) -> int:
    if not _is_complete(database, run, type):
        return 0
    question = """
        SELECT resource.id FROM resource JOIN version USING (seq)
        WHERE resource.type = ? AND deleted_run IS NULL AND last_run < ?
            AND resource.id NOT IN (SELECT id FROM quarantine WHERE type = ? AND run = ?)
    """
    seen = frozenset(seen_ids)
    gone = [id for (id,) in database.execute(question, (type, run, type, run)) if id not in seen]
    database.executemany(
        "UPDATE resource SET deleted_run = ? WHERE type = ? AND id = ?", [(run, type, id) for id in gone]
    )
    # What was set aside and is not there any more either is no open question any longer.
    database.execute("DELETE FROM quarantine WHERE run < ? AND (type = ? OR stream = ?)", (run, type, type))
    if gone:
        database.execute(_SWEEP, (run, type, len(gone)))
    return len(gone)


def _is_complete(database: sqlite3.Connection, run: int, type: str) -> bool:
    rows = dict(database.execute("SELECT stream, complete FROM stream WHERE run = ?", (run,)).fetchall())
    return bool(rows[type]) if type in rows else bool(rows) and all(rows.values())
