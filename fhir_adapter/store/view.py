"""What the landing store shows: now, or as it was known after a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from sqlite3 import Cursor

from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.fhir.record import Record
from fhir_adapter.store import content_sum, reading
from fhir_adapter.store.connection import Connection
from fhir_adapter.store.ledger import StreamLedger
from fhir_adapter.store.reading import Moment, Shown
from fhir_adapter.store.schema import Altered

_PAGE = 500


class View:
    """The resources of one moment. What a past run showed never changes, but for newer stamps on the same content."""

    def __init__(self, connection: Connection, moment: Moment) -> None:
        self._connection = connection
        self._moment = moment

    @property
    def source(self) -> str:
        """The source whose resources these are."""
        with self._connection.reading() as database:
            return reading.source(database)

    @property
    def run(self) -> int | None:
        """The run whose state this is: the newest one for the store itself; None before the first."""
        with self._connection.reading() as database:
            return self._moment.run or reading.last_run(database)

    def content_hash(self) -> str:
        """A hash of what all resources say, whatever their meta; the same set has the same hash in any store."""
        with self._connection.reading() as database:
            return reading.content_hash(database, self._moment)

    def changed_at(self) -> str:
        """When the run began that made the content what it is; empty before the first run."""
        with self._connection.reading() as database:
            return reading.changed_at(database, self._moment)

    def current(self) -> Iterator[Record]:
        """The newest version of every resource that is not deleted, by type and id.

        What was read is held against the sum that every change has kept: a damaged file is never half read.
        """
        before, found = self._total(), 0
        for shown in self._shown("", {}):
            found += shown.member
            yield shown.record
        if before == self._total() != content_sum.added(content_sum.EMPTY, found):
            with self._connection.reading():
                raise Altered

    def by_person(self) -> Iterator[tuple[str, list[Record]]]:
        """The same by the Patient they are about: first what is about nobody (an empty key), then by logical id.

        One answer to one question, so that whoever writes meanwhile changes nothing in it. What is about nobody is
        held as a whole, and else one Patient at a time. The sum is checked when all has been read.
        """
        found = 0
        with self._connection.reading() as database:
            rows = reading.by_person(database, self._moment)
            total = reading.total(database, self._moment)
        for person, some in groupby(self._pages(rows), key=lambda shown: shown.record.person):
            own = list(some)
            found += sum(shown.member for shown in own)
            yield person, [shown.record for shown in own]
        if total != content_sum.added(content_sum.EMPTY, found):
            with self._connection.reading():
                raise Altered

    def _pages(self, rows: Cursor) -> Iterator[Shown]:
        while True:
            with self._connection.reading():
                page = reading.shown(rows, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return

    def of_type(self, type: str) -> Iterator[Record]:
        """The same of one type, by id."""
        return self._records("AND shown.type = :type", {"type": type})

    def of_person(self, key: str) -> list[Record]:
        """The same about one person, the Patient included, by type and id."""
        return list(self._records("AND shown.person = :person", {"person": key}))

    def shared(self) -> Iterator[Record]:
        """The same about nobody in particular, by type and id."""
        return self._records("AND shown.person = ''", {})

    def person_keys(self) -> list[str]:
        """Logical ids of every Patient that a current resource is about, sorted."""
        with self._connection.reading() as database:
            return reading.person_keys(database, self._moment)

    def ids(self, type: str) -> set[str]:
        """Ids of every current resource of a type."""
        with self._connection.reading() as database:
            return reading.ids(database, self._moment, type)

    def count(self, type: str) -> int:
        """How many current resources of a type there are."""
        with self._connection.reading() as database:
            return reading.count(database, self._moment, type)

    def quarantine(self) -> list[Quarantined]:
        """What is set aside, by stream, type, id and hash."""
        with self._connection.reading() as database:
            return reading.quarantine(database, self._moment)

    def ledger(self, run: int) -> list[StreamLedger]:
        """The accounts of a run, ordered by stream."""
        with self._connection.reading() as database:
            return reading.ledger(database, run)

    def _total(self) -> bytes:
        with self._connection.reading() as database:
            return reading.total(database, self._moment)

    def recall(self, name: str) -> str | None:
        """A small fact that was remembered and not forgotten: the newest, whatever the moment."""
        with self._connection.reading() as database:
            return reading.recall(database, name)

    def _records(self, condition: str, values: Mapping[str, object]) -> Iterator[Record]:
        return (shown.record for shown in self._shown(condition, values))

    def _shown(self, condition: str, values: Mapping[str, object]) -> Iterator[Shown]:
        """Page by page, so that memory stays small and a long reader does not hold the store."""
        after = ("", "")
        while True:
            with self._connection.reading() as database:
                page = reading.records(database, self._moment, condition, values, after, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            after = (page[-1].record.type, page[-1].record.id)
