"""One export from its order to its last page."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fhir_adapter.ehr.bulk.collecting import Collected, Collector
from fhir_adapter.ehr.bulk.files import Arrived
from fhir_adapter.ehr.bulk.job import Job, Memory, forget_job, recall_job, remember_job
from fhir_adapter.ehr.bulk.kickoff import start_job
from fhir_adapter.ehr.bulk.notices import DeletionReader, read_remarks
from fhir_adapter.ehr.bulk.order import ExportOrder
from fhir_adapter.ehr.bulk.polling import ExportFailed, Gone
from fhir_adapter.ehr.bulk.reading import TypeReader
from fhir_adapter.ehr.bulk.waiting import Waiting
from fhir_adapter.ehr.failures import Exhausted
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import FhirAdapterError, IncompleteError, StreamIncomplete
from fhir_adapter.progress import Progress

Clock = Callable[[], float]
Sleep = Callable[[float], None]
MAX_WAIT_S = 86_400.0


class Export:
    """A finished export whose files are all here, looked over, and of one `transaction_time`.

    `announced` has the types that came: how many resources the server says there are (None: it does not say).
    `missing` are the types asked for of which nothing came, `refused` those of them that the server said it does not
    export. `problems` are errors that the server reported.
    """

    def __init__(
        self, order: ExportOrder, job: Job, collected: Collected, finish: Callable[[], None], base_url: str
    ) -> None:
        self._order, self._collected, self._base_url = order, collected, base_url
        self._issues = read_remarks(collected.of_kind("error"))
        self.finish = finish
        self.transaction_time = collected.transaction_time
        self.announced: Mapping[str, int | None] = {
            type: _announced(files) for type in order.types if (files := collected.of_type(type))
        }
        self.missing = tuple(type for type in order.types if not _says_anything(collected.of_type(type)))
        self.refused = job.refused_types
        self.problems = tuple(issue for issue in self._issues if issue.is_fatal)

    def pages(self, type: str, confirm_empty: Callable[[str], bool] | None = None) -> Iterator[Page]:
        """The resources of one type that was asked for; the last page carries the cursor.

        A missing type is one empty page if `confirm_empty` says that the server has none, else incomplete. Raises
        `StreamIncomplete` after everything that could be had was handed on.
        """
        if type in self.missing and not (confirm_empty and confirm_empty(type)):
            raise StreamIncomplete(
                f"{type} is incomplete: it was asked for, and the export does not have it.",
                f"If the server really has none, add {type} to `export_may_lack` in the settings.",
            )
        announced = self.announced.get(type, 0)
        yield from TypeReader(type, self._collected.of_type(type), announced, ("", self.transaction_time)).pages()

    def deletions(self) -> Iterator[Page]:
        """What was deleted since, and what the server remarked, as the stream `export`.

        Raises `StreamIncomplete` at the end if the server reported errors, or a deletion cannot be read.
        """
        reader = DeletionReader(self._collected.of_kind("deleted"), self._base_url, self.transaction_time)
        yield from reader.pages(self._issues)


def run_export(
    transport: Transport,
    order: ExportOrder,
    memory: Memory,
    folder: Path,
    progress: Progress,
    *,
    now: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
    max_wait_s: float = MAX_WAIT_S,
) -> Export:
    """Order an export, or go on with the one that was under way, and fetch its files into `folder`.

    Raises `NotReadyError` when it is still running after `max_wait_s` seconds (the next call goes on with it),
    `ServerRefused` when the server does not take the order or fails to carry it out, `AccessError`,
    `IncompleteError` when what it made cannot be trusted.
    """
    return _Run(transport, order, memory, folder, progress, Waiting(max_wait_s, now, sleep)).export()


class _Run:
    """One order at one server: at most two exports, the second if the first is lost."""

    def __init__(
        self,
        transport: Transport,
        order: ExportOrder,
        memory: Memory,
        folder: Path,
        progress: Progress,
        waiting: Waiting,
    ) -> None:
        self._transport, self._order, self._memory, self._folder = transport, order, memory, folder
        self._progress, self._waiting = progress, waiting
        self._fingerprint = order.fingerprint(transport.base_url)

    def export(self) -> Export:
        under_way = self._under_way()
        for last_try in (False, True):
            job = under_way or self._start()
            try:
                return self._collected(job, last_try=last_try)
            except Gone:
                self._discard(job)
            except Exhausted:
                if not under_way:
                    raise
                # It may have died in a way that looks like a passing trouble; then it would be asked for ever.
            under_way = None
        raise IncompleteError(
            "The export is incomplete: the server lost it, or parts of it, twice.",
            "Run the same command again later, or set `bulk` to `off`, and the data are searched for.",
        )

    def _under_way(self) -> Job | None:
        """The export that the last run left, if it was ordered just as this one is."""
        job = recall_job(self._memory)
        if job is None or job.fingerprint == self._fingerprint:
            return job
        self._discard(job)
        return None

    def _start(self) -> Job:
        started = start_job(self._transport, self._order, self._waiting, self._progress)
        job = Job(started.url, self._fingerprint, started.refused_types)
        remember_job(self._memory, job)
        return job

    def _collected(self, job: Job, *, last_try: bool) -> Export:
        collector = Collector(
            self._transport,
            job.url,
            self._order.types,
            self._folder,
            self._waiting,
            self._progress,
            last_try=last_try,
        )
        try:
            collected = collector.collect()
        except (ExportFailed, IncompleteError):
            self._discard(job)
            raise
        return Export(self._order, job, collected, lambda: self._finish(job), self._transport.base_url)

    def _finish(self, job: Job) -> None:
        self._discard(job)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _discard(self, job: Job) -> None:
        """It will not be gone on with: the server may forget it as well."""
        with suppress(FhirAdapterError):
            self._transport.delete(job.url)
        forget_job(self._memory)


def _announced(files: Sequence[Arrived]) -> int | None:
    counts = [file.announced for file in files]
    return None if None in counts else sum(count or 0 for count in counts)


def _says_anything(files: Sequence[Arrived]) -> bool:
    """Files without a line count as a statement only if the manifest says that there is nothing."""
    return any(file.lines or file.problem or file.listed.count is not None for file in files)
