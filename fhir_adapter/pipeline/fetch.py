"""From a server or a folder into the landing store: every page through the gate, every stream in the ledger."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fhir_adapter.ehr.capability import fetch_capability
from fhir_adapter.ehr.folder import FolderFile, read_pages, scan
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.plan import StreamPlan, plan
from fhir_adapter.ehr.search import fetch_stream
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import IncompleteError, StreamIncomplete, UsageError
from fhir_adapter.fhir.quarantine import Quarantined, set_aside
from fhir_adapter.fhir.r4 import READ_TYPES
from fhir_adapter.fhir.record import Record
from fhir_adapter.fhir.resource_types import R4_TYPES
from fhir_adapter.fhir.validate import check
from fhir_adapter.pipeline.connection import connected
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store, StreamLedger


@dataclass(frozen=True)
class Fetched:
    """One fetch: the ledger of its streams. A type that the server does not offer is a stream that says so."""

    run: int
    ledger: tuple[StreamLedger, ...]

    def require_complete(self) -> None:
        """`IncompleteError` naming the streams that did not reconcile."""
        broken = [stream for stream in self.ledger if not (stream.complete and stream.balances)]
        if broken:
            named = "; ".join(f"{stream.stream}: {stream.reason or 'the ledger does not balance'}" for stream in broken)
            raise IncompleteError(
                f"{len(broken)} of {len(self.ledger)} streams are incomplete ({named})",
                "nothing was published and the last good results stay; run the same command again",
            )


Land = Callable[[Store, str, Progress], Fetched]


@contextmanager
def reached(settings: Settings) -> Iterator[Land]:
    """Look at the source first; what is yielded lands everything the study reads, starting at an instant.

    Nothing is written before the source has shown that it can be read. Data once landed stay, whatever happens later.
    """
    if settings.folder:
        files = list(scan(settings.folder))
        yield lambda store, started_at, say: _land_folder(files, settings, store, started_at, say)
        return
    with connected(settings.server, settings) as transport:
        streams = plan_streams(transport, settings)
        if not any(stream.type == "Patient" and stream.how != "unsupported" for stream in streams):
            raise UsageError("this server offers no Patient resources", "without patients there is nothing to build")
        yield lambda store, started_at, say: _land_server(transport, streams, settings, store, started_at, say)


def plan_streams(transport: Transport, settings: Settings) -> list[StreamPlan]:
    """How each resource type of this server will be fetched."""
    return plan(fetch_capability(transport), READ_TYPES, _listed_patients(settings))


def _land_server(
    transport: Transport,
    streams: Sequence[StreamPlan],
    settings: Settings,
    store: Store,
    started_at: str,
    say: Progress,
) -> Fetched:
    offered = [stream for stream in streams if stream.how != "unsupported"]
    run = store.begin_run(started_at)
    # What was not asked for is not gone: only a fetch of everybody can tell that something was deleted.
    everybody = frozenset(stream.type for stream in offered) if settings.patients is None else frozenset()
    landing = _Landing(store, run, say, everybody)
    for stream in streams:
        if stream not in offered:
            store.finish_stream(run, stream.type, announced=None, complete=True, unverified=True, reason=stream.reason)
    first = [stream for stream in offered if stream.type == "Patient"]
    for stream in first:
        landing.land(stream.type, _pages(transport, stream, settings))
    # Whoever refuses a search over a whole type is asked for each patient.
    people = sorted(landing.patients)
    rest = [stream if stream.people else stream.for_people(people) for stream in offered if stream not in first]
    with ThreadPoolExecutor(settings.concurrency) as pool:
        waiting = [pool.submit(landing.land, stream.type, _pages(transport, stream, settings)) for stream in rest]
        for one in waiting:
            one.result()
    return landing.finish()


def _land_folder(
    files: Sequence[FolderFile],
    settings: Settings,
    store: Store,
    started_at: str,
    say: Progress,
) -> Fetched:
    run = store.begin_run(started_at)
    landing = _Landing(store, run, say, frozenset(READ_TYPES))
    for file in files:
        landing.land(_stream_name(file), read_pages(file), settings.unreadable_lines)
    return landing.finish()


def _stream_name(file: FolderFile) -> str:
    """Files named after a resource type keep their name; any other may be named after a person, so it is counted."""
    first = re.split(r"[^A-Za-z]", Path(file.name).name, maxsplit=1)[0]
    return file.name if first in R4_TYPES else f"file {file.number:04d}"


def _pages(transport: Transport, stream: StreamPlan, settings: Settings) -> Iterator[Page]:
    return fetch_stream(transport, stream, settings.page_size, settings.max_pages)


def _listed_patients(settings: Settings) -> Sequence[str]:
    """The Patient ids of the list that the settings name: one a line."""
    if settings.patients is None:
        return ()
    try:
        lines = settings.patients.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"the list of patients {settings.patients} cannot be read", "one Patient id a line") from None
    return [line.strip() for line in lines if line.strip()]


class _Landing:
    """Lands the pages of many streams in one run of the store."""

    def __init__(self, store: Store, run: int, say: Progress, swept: frozenset[str]) -> None:
        self._store, self._run, self._say, self._swept = store, run, say, swept
        self._seen: dict[str, set[str]] = {type: set() for type in READ_TYPES}

    @property
    def patients(self) -> set[str]:
        return self._seen["Patient"]

    def land(self, stream: str, pages: Iterable[Page], unreadable_lines: int | None = None) -> None:
        """Land one stream to its end; what is missing is written into the ledger, not raised.

        More things than `unreadable_lines` that cannot even be told apart make the stream incomplete: nobody knows
        what they were.
        """
        announced: int | None = None
        passed_over: Counter[str] = Counter()
        unreadable = received = 0
        try:
            for page in pages:
                announced = page.announced
                passed_over += self._land_page(stream, page)
                received += page.received
                self._say.stream(stream, received, announced)
                unreadable += sum(not one.type for one in page.quarantined)
            if unreadable_lines is not None and unreadable > unreadable_lines:
                raise StreamIncomplete(f"{unreadable} entries cannot be read at all")
        except IncompleteError as problem:
            self._store.finish_stream(self._run, stream, announced=announced, complete=False, reason=problem.message)
            self._say.stream(stream, received, announced, "incomplete")
            return
        self._say.stream(stream, received, announced, "complete")
        reason = f"not read by studies: {', '.join(f'{n} {type}' for type, n in sorted(passed_over.items()))}"
        self._store.finish_stream(
            self._run,
            stream,
            announced=announced,
            complete=True,
            unverified=announced is None,
            reason=reason if passed_over else "",
        )

    def _land_page(self, stream: str, page: Page) -> Counter[str]:
        """Land one page; returns how many resources of which types no study reads were passed over."""
        passed_over: Counter[str] = Counter()
        records: list[Record] = []
        quarantined: list[Quarantined] = [*page.quarantined]
        for record in page.records:
            if record.type not in READ_TYPES:
                passed_over[record.type] += 1
                continue
            self._seen[record.type].add(record.id)
            verdict = check(record)
            if verdict.accepted:
                records.append(record)
            else:
                quarantined.append(set_aside(stream, record.body, verdict.reason, type=record.type, id=record.id))
        self._store.land(self._run, stream, records, quarantined)
        return passed_over

    def finish(self) -> Fetched:
        """Mark what a complete fetch did not show any more as deleted, and close the run."""
        complete = all(one.complete and one.balances for one in self._store.ledger(self._run))
        if complete:
            for type in sorted(self._swept):
                self._store.sweep(self._run, type, self._seen[type])
        self._store.finish_run(self._run, complete=complete)
        return Fetched(self._run, tuple(self._store.ledger(self._run)))
