"""Questions to the landing store. `Moment` says whether they are about now, or about what was known after a run."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from fhir_adapter.errors import StoreError
from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.fhir.record import Record
from fhir_adapter.store import content_sum
from fhir_adapter.store.ledger import StreamLedger
from fhir_adapter.store.run import Run
from fhir_adapter.store.schema import Altered

# A resource whose server states no version is counted by us: the first content seen is "1".
_WHAT = """
held.type, held.id,
    CASE WHEN held.version <> '' THEN held.version ELSE (
        SELECT CAST(count(*) AS TEXT) FROM version AS earlier
        WHERE earlier.type = held.type AND earlier.id = held.id AND earlier.version = ''
            AND (earlier.first_run, earlier.content) <= (held.first_run, held.content)
    ) END,
    held.last_updated, held.person, body.body, held.sha256, held.content
"""
_RECORDS = """
SELECT {what} FROM shown JOIN version AS held USING (seq) JOIN body USING (seq)
WHERE {moment} AND (shown.type, shown.id) > (:after_type, :after_id) {condition}
ORDER BY shown.type, shown.id LIMIT :limit
"""
# The rows are put in order before their bodies are looked up: of what is shown now an index has the order, and of what
# was, SQLite sorts the numbers of the rows and not the bodies. The limit is none; without it the order could be lost.
_BY_PERSON = """
SELECT {what} FROM (SELECT seq FROM shown WHERE {moment} ORDER BY person, type, id LIMIT -1)
CROSS JOIN version AS held USING (seq) CROSS JOIN body USING (seq)
"""
_LEDGER = """
SELECT stream, announced, received, stored, duplicate, quarantined, deleted, swept, conflicts, retries,
    complete, unverified, reason
FROM stream WHERE run = ? ORDER BY stream
"""
_RUNS = "SELECT run, started_at, finished, complete FROM run ORDER BY run"
_LAST_GOOD = """
SELECT run, started_at, finished, complete FROM run WHERE run = (
    SELECT max(run) FROM stream
    WHERE stream = ? AND complete AND received = stored + duplicate + quarantined + deleted
)
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """Now (`run` is None), or the end of a run."""

    run: int | None = None

    @property
    def shown(self) -> str:
        """The condition on rows of `shown`, a constant: no question is put together from anything outside."""
        if self.run is None:
            return "shown.until_run IS NULL"
        return "shown.from_run <= :run AND (shown.until_run IS NULL OR shown.until_run > :run)"

    @property
    def set_aside(self) -> str:
        """The condition on rows of `quarantine`."""
        if self.run is None:
            return "closed_run IS NULL"
        return "first_run <= :run AND (closed_run IS NULL OR closed_run > :run)"

    @property
    def values(self) -> dict[str, object]:
        return {"run": self.run}


NOW = Moment()


@dataclass(frozen=True, slots=True)
class Shown:
    """A record, and the hash of what it says."""

    record: Record
    content: str

    @property
    def member(self) -> int:
        """What it adds to the sum of everything shown."""
        return content_sum.member(self.record.type, self.record.id, self.content)


def records(
    database: sqlite3.Connection,
    moment: Moment,
    condition: str,
    values: Mapping[str, object],
    after: tuple[str, str],
    limit: int,
) -> list[Shown]:
    """The next `limit` records after a type and id. `condition` is ours, never from outside."""
    question = _RECORDS.format(what=_WHAT, moment=moment.shown, condition=condition)
    place = {"after_type": after[0], "after_id": after[1], "limit": limit}
    return [_shown(*row) for row in database.execute(question, {**moment.values, **values, **place})]


def by_person(database: sqlite3.Connection, moment: Moment) -> sqlite3.Cursor:
    """Rows for `shown`, of every record, by person, type and id."""
    return database.execute(_BY_PERSON.format(what=_WHAT, moment=moment.shown), moment.values)


def shown(rows: sqlite3.Cursor, limit: int) -> list[Shown]:
    """The next `limit` records of such rows."""
    return [_shown(*row) for row in rows.fetchmany(limit)]


def _shown(
    type: str, id: str, version: str, last_updated: str, person: str, body: bytes, sha256: str, content: str
) -> Shown:
    if not isinstance(body, bytes) or hashlib.sha256(body).hexdigest() != sha256:
        raise Altered
    return Shown(Record(type, id, version, last_updated, person, body), content)


def ledger(database: sqlite3.Connection, run: int) -> list[StreamLedger]:
    rows = database.execute(_LEDGER, (run,))
    names = [column[0] for column in rows.description]
    return [msgspec.convert(dict(zip(names, row, strict=True)), StreamLedger, strict=False) for row in rows]


def runs(database: sqlite3.Connection) -> list[Run]:
    return [_run(row) for row in database.execute(_RUNS)]


def last_good(database: sqlite3.Connection, stream: str) -> Run | None:
    row = database.execute(_LAST_GOOD, (stream,)).fetchone()
    return _run(row) if row else None


def _run(row: tuple[int, str, int, int]) -> Run:
    run, started_at, finished, complete = row
    return Run(run, started_at, bool(finished), bool(complete))


def last_run(database: sqlite3.Connection) -> int | None:
    return _number(database, "SELECT max(run) FROM run")


def last_complete_run(database: sqlite3.Connection) -> int | None:
    return _number(database, "SELECT max(run) FROM run WHERE finished AND complete")


def moment_after(database: sqlite3.Connection, run: int) -> Moment:
    """The end of a run; `StoreError` when there is no such run, or nothing is known about it any more."""
    last, first = last_run(database) or 0, _history_since(database)
    if first <= run <= last and run >= 1:
        return Moment(run)
    if not last:
        raise StoreError("nothing was fetched yet, so there is no earlier state", "run `fhir-adapter fetch` first")
    raise StoreError(
        f"what was known after run {run} is not in the landing store",
        f"it holds the states after runs {max(first, 1)} to {last}",
    )


def _history_since(database: sqlite3.Connection) -> int:
    """A store that was begun by an earlier version of this software kept no history at first."""
    row = database.execute("SELECT value FROM property WHERE name = 'history_since'").fetchone()
    return int(row[0]) if row else 1


def cursors(database: sqlite3.Connection, stream: str) -> dict[str, str]:
    question = "SELECT person, instant FROM cursor WHERE stream = ? ORDER BY person"
    return dict(database.execute(question, (stream,)).fetchall())


def recall(database: sqlite3.Connection, name: str) -> str | None:
    row = database.execute("SELECT value FROM memory WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else None


def source(database: sqlite3.Connection) -> str:
    return str(database.execute("SELECT value FROM property WHERE name = 'source'").fetchone()[0])


def person_keys(database: sqlite3.Connection, moment: Moment) -> list[str]:
    question = f"SELECT DISTINCT person FROM shown WHERE person <> '' AND {moment.shown} ORDER BY person"  # noqa: S608
    return [str(person) for (person,) in database.execute(question, moment.values)]


def ids(database: sqlite3.Connection, moment: Moment, type: str) -> set[str]:
    question = f"SELECT id FROM shown WHERE type = :type AND {moment.shown}"  # noqa: S608
    return {str(id) for (id,) in database.execute(question, {**moment.values, "type": type})}


def count(database: sqlite3.Connection, moment: Moment, type: str) -> int:
    question = f"SELECT count(*) FROM shown WHERE type = :type AND {moment.shown}"  # noqa: S608
    return int(database.execute(question, {**moment.values, "type": type}).fetchone()[0])


def quarantine(database: sqlite3.Connection, moment: Moment) -> list[Quarantined]:
    question = f"""
        SELECT stream, type, id, reason, sha256, body, first_run FROM quarantine WHERE {moment.set_aside}
        ORDER BY stream, type, id, sha256
    """  # noqa: S608
    return [Quarantined(*row) for row in database.execute(question, moment.values)]


def quarantine_counts(database: sqlite3.Connection) -> list[tuple[str, str, str, int]]:
    question = """
        SELECT stream, type, reason, count(*) FROM quarantine WHERE closed_run IS NULL
        GROUP BY stream, type, reason ORDER BY stream, type, reason
    """
    return [(str(stream), str(type), str(reason), int(n)) for stream, type, reason, n in database.execute(question)]


def is_known(database: sqlite3.Connection, record: Record) -> bool:
    """Are these very bytes held already?"""
    question = "SELECT 1 FROM version WHERE type = ? AND id = ? AND sha256 = ?"
    return database.execute(question, (record.type, record.id, record.sha256)).fetchone() is not None


def content_hash(database: sqlite3.Connection, moment: Moment) -> str:
    return content_sum.content_hash(total(database, moment))


def total(database: sqlite3.Connection, moment: Moment) -> bytes:
    """The sum of everything shown, as it was kept up to date by every change."""
    at = _run_at(database, moment)
    return at.content_sum if at else content_sum.EMPTY


def changed_at(database: sqlite3.Connection, moment: Moment, unfinished: int | None = None) -> str:
    """When the run began that made the content this; `unfinished` is a run whose own answer is still to be found."""
    at = _run_at(database, moment)
    if at is None:
        return ""
    question = """
        SELECT content_sum, changed_at FROM run WHERE finished AND run <= ? AND run IS NOT ? ORDER BY run DESC LIMIT 1
    """
    finished = database.execute(question, (at.run, unfinished)).fetchone()
    return str(finished[1] if finished and finished[0] == at.content_sum else at.started_at)


@dataclass(frozen=True, slots=True)
class _RunAt:
    run: int
    started_at: str
    content_sum: bytes


def _run_at(database: sqlite3.Connection, moment: Moment) -> _RunAt | None:
    question = "SELECT run, started_at, content_sum FROM run WHERE run = coalesce(?, (SELECT max(run) FROM run))"
    row = database.execute(question, (moment.run,)).fetchone()
    return _RunAt(*row) if row else None


def _number(database: sqlite3.Connection, question: str) -> int | None:
    found = database.execute(question).fetchone()[0]
    return None if found is None else int(found)
