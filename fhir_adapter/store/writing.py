"""Changes to the landing store; each function runs inside a transaction of its caller."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from fhir_adapter.fhir.canonical import content_sha256
from fhir_adapter.fhir.deletion import Deletion
from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.fhir.record import Record
from fhir_adapter.store import content_sum
from fhir_adapter.store.newest import Held, read_moment
from fhir_adapter.store.showing import Showing, held_versions

_COUNT = """
INSERT INTO stream (run, stream, received, stored, duplicate, quarantined, deleted, conflicts, retries)
VALUES (:run, :stream, :received, :stored, :duplicate, :quarantined, :deleted, :conflicts, :retries)
ON CONFLICT (run, stream) DO UPDATE SET
    received = received + excluded.received,
    stored = stored + excluded.stored,
    duplicate = duplicate + excluded.duplicate,
    quarantined = quarantined + excluded.quarantined,
    deleted = deleted + excluded.deleted,
    conflicts = conflicts + excluded.conflicts,
    retries = retries + excluded.retries
"""
_COUNTED = ("received", "stored", "duplicate", "quarantined", "deleted", "conflicts", "retries")
_FINISH_STREAM = """
INSERT INTO stream (run, stream, announced, complete, reason, unverified) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (run, stream) DO UPDATE SET
    announced = excluded.announced, complete = excluded.complete,
    reason = excluded.reason, unverified = excluded.unverified
"""
_INSERT_VERSION = """
INSERT INTO version (type, id, version, content, last_updated, person, first_run, last_run, sha256)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_TOMBSTONE = """
INSERT INTO tombstone (type, id, version, at, run) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (type, id, version, at) DO UPDATE SET run = max(run, excluded.run)
"""
_QUARANTINE = """
INSERT INTO quarantine (stream, type, id, sha256, reason, first_run, run, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (stream, type, id, sha256) WHERE closed_run IS NULL
    DO UPDATE SET reason = excluded.reason, run = excluded.run
"""
_CLOSE = "UPDATE quarantine SET closed_run = ? WHERE closed_run IS NULL AND type = ? AND id = ?"
_MISSING = """
SELECT id FROM shown WHERE type = :type AND until_run IS NULL
    AND NOT EXISTS (
        SELECT * FROM version WHERE version.type = shown.type AND version.id = shown.id AND last_run = :run)
    AND id NOT IN (SELECT id FROM quarantine WHERE type = :type AND run = :run)
"""
_SWEPT = """
INSERT INTO stream (run, stream, swept, complete) VALUES (?, ?, ?, 1)
ON CONFLICT (run, stream) DO UPDATE SET swept = swept + excluded.swept
"""


def begin_run(database: sqlite3.Connection, started_at: str) -> int:
    last = database.execute("SELECT content_sum FROM run ORDER BY run DESC LIMIT 1").fetchone()
    values = (started_at, last[0] if last else content_sum.EMPTY)
    return int(database.execute("INSERT INTO run (started_at, content_sum) VALUES (?, ?)", values).lastrowid or 0)


def require_open(database: sqlite3.Connection, run: int) -> None:
    """What was known after a run never changes, so only the newest takes anything, and only until it is finished."""
    newest = database.execute("SELECT run FROM run WHERE NOT finished AND run = (SELECT max(run) FROM run)").fetchone()
    if newest is None or newest[0] != run:
        raise ValueError("this run is over, or was never begun")


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


def finish_run(database: sqlite3.Connection, run: int, complete: bool, changed_at: str) -> None:
    database.execute(
        "UPDATE run SET finished = 1, complete = ?, changed_at = ? WHERE run = ?", (complete, changed_at, run)
    )


def land(
    database: sqlite3.Connection,
    run: int,
    stream: str,
    records: Sequence[Record],
    quarantined: Sequence[Quarantined],
    deleted: Sequence[Deletion],
    retries: int,
) -> None:
    counts: Counter[str] = Counter(quarantined=len(quarantined), deleted=len(deleted), retries=retries)
    counts["received"] = len(records) + len(quarantined) + len(deleted)
    for thing in quarantined:
        _set_aside(database, run, stream, thing)
    for record in records:
        _file(database, run, record, counts)
    for deletion in deleted:
        database.execute(_TOMBSTONE, (deletion.type, deletion.id, deletion.version, deletion.at, run))
    touched = sorted({(each.type, each.id) for each in records} | {(each.type, each.id) for each in deleted})
    database.executemany(_CLOSE, [(run, type, id) for type, id in touched])
    with Showing(database, run) as showing:
        for type, id in touched:
            showing.update(type, id)
    database.execute(_COUNT, {name: counts[name] for name in _COUNTED} | {"run": run, "stream": stream})


def _set_aside(database: sqlite3.Connection, run: int, stream: str, thing: Quarantined) -> None:
    values = (thing.stream or stream, thing.type, thing.id, thing.sha256, thing.reason, run, run, thing.body)
    database.execute(_QUARANTINE, values)


def _file(database: sqlite3.Connection, run: int, record: Record, counts: Counter[str]) -> None:
    """File one record: a new version, or one that is known already."""
    held = held_versions(database, record.type, record.id)
    content = next((each.content for each in held if each.sha256 == record.sha256), "")
    content = content or content_sha256(record.body)
    known = [each for each in held if each.version == record.version and each.content == content]
    if known:
        counts["duplicate"] += 1
        _see_again(database, run, record, known[0])
        return
    counts["stored"] += 1
    counts["conflicts"] += any(each.version == record.version != "" for each in held)
    named = (record.type, record.id, record.version, content)
    stamped = (record.last_updated, record.person, run, run, record.sha256)
    seq = database.execute(_INSERT_VERSION, (*named, *stamped)).lastrowid
    database.execute("INSERT INTO body (seq, body) VALUES (?, ?)", (seq, record.body))


def _see_again(database: sqlite3.Connection, run: int, record: Record, known: Held) -> None:
    """The same version with the same content: only its meta may differ, and the latest stamp is kept."""
    if known.run < run:
        database.execute("UPDATE version SET last_run = ? WHERE seq = ?", (run, known.seq))
    stamp = (read_moment(record.last_updated), record.sha256)
    if stamp > (read_moment(known.last_updated), known.sha256):
        restamp = "UPDATE version SET last_updated = ?, sha256 = ? WHERE seq = ?"
        database.execute(restamp, (record.last_updated, record.sha256, known.seq))
        database.execute("UPDATE body SET body = ? WHERE seq = ?", (record.body, known.seq))


def write_cursor(database: sqlite3.Connection, stream: str, person: str, instant: str) -> None:
    database.execute("REPLACE INTO cursor (stream, person, instant) VALUES (?, ?, ?)", (stream, person, instant))


def missing(database: sqlite3.Connection, run: int, type: str, seen_ids: Collection[str] | None) -> list[str]:
    """Ids of a type that are shown, although they did not come in this run, neither by landing nor among `seen_ids`."""
    seen = frozenset(seen_ids or ())
    return [id for (id,) in database.execute(_MISSING, {"type": type, "run": run}) if id not in seen]


def sweep(database: sqlite3.Connection, run: int, type: str, seen_ids: Collection[str] | None) -> int:
    if not _is_complete(database, run, type):
        return 0
    gone = missing(database, run, type, seen_ids)
    _bury(database, run, [(type, id) for id in gone])
    # What was set aside and is not there any more either is no open question any longer.
    if seen_ids is None:
        close = "UPDATE quarantine SET closed_run = ? WHERE closed_run IS NULL AND run < ? AND (type = ? OR stream = ?)"
        database.execute(close, (run, run, type, type))
    else:
        open_ids = "SELECT DISTINCT id FROM quarantine WHERE closed_run IS NULL AND run < ? AND type = ?"
        aside = {id for (id,) in database.execute(open_ids, (run, type))} - frozenset(seen_ids)
        database.executemany(_CLOSE, [(run, type, id) for id in sorted(aside)])
    return len(gone)


def withdraw(database: sqlite3.Connection, run: int, people: Iterable[str]) -> int:
    gone: list[tuple[str, str]] = []
    for person in people:
        gone += database.execute(
            "SELECT type, id FROM shown WHERE person = ? AND until_run IS NULL", (person,)
        ).fetchall()
        database.execute("DELETE FROM cursor WHERE person = ?", (person,))
    _bury(database, run, gone)
    return len(gone)


def _bury(database: sqlite3.Connection, run: int, gone: Sequence[tuple[str, str]]) -> None:
    """Take out what nobody told us about, but is not there any more; it is back when it is seen again."""
    database.executemany(_TOMBSTONE, [(type, id, "", "", run) for type, id in gone])
    with Showing(database, run) as showing:
        for type, id in gone:
            showing.update(type, id)
    for type, count in Counter(type for type, _ in gone).items():
        database.execute(_SWEPT, (run, type, count))


def _is_complete(database: sqlite3.Connection, run: int, type: str) -> bool:
    rows = dict(database.execute("SELECT stream, complete FROM stream WHERE run = ?", (run,)).fetchall())
    return bool(rows[type]) if type in rows else bool(rows) and all(rows.values())


def dismiss(database: sqlite3.Connection, thing: Quarantined) -> None:
    """The run that goes on, or else the next one, closes the question: what was known before stays known."""
    today = "(SELECT coalesce(max(run) + (SELECT finished FROM run ORDER BY run DESC LIMIT 1), 1) FROM run)"
    database.execute(
        f"UPDATE quarantine SET closed_run = {today} "  # noqa: S608  (a constant)
        "WHERE closed_run IS NULL AND stream = ? AND type = ? AND id = ? AND sha256 = ?",
        (thing.stream, thing.type, thing.id, thing.sha256),
    )


def forget_cursors(database: sqlite3.Connection, stream: str | None) -> None:
    database.execute("DELETE FROM cursor WHERE stream = coalesce(?, stream)", (stream,))


def remember(database: sqlite3.Connection, name: str, value: str) -> None:
    database.execute("REPLACE INTO memory (name, value) VALUES (?, ?)", (name, value))


def forget(database: sqlite3.Connection, name: str) -> None:
    database.execute("DELETE FROM memory WHERE name = ?", (name,))
