"""Every page through the gate into the store, every stream in the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from fhir_adapter.ehr.outcome import codes_of
from fhir_adapter.ehr.page import Page
from fhir_adapter.errors import FhirAdapterError, IncompleteError
from fhir_adapter.fhir.quarantine import Quarantined, set_aside
from fhir_adapter.fhir.r4 import READ_TYPES
from fhir_adapter.fhir.record import Record
from fhir_adapter.fhir.resource_types import R4_TYPES
from fhir_adapter.fhir.validate import check
from fhir_adapter.pipeline.aliases import remember_urns
from fhir_adapter.progress import Progress
from fhir_adapter.store import Store, StreamLedger


@dataclass(frozen=True)
class Retried:
    """What became of the things that were set aside in one stream for one reason.

    `accepted` are usable as they are, `corrected` as the server has them now; `gone` are not there any more.
    """

    stream: str
    reason: str
    accepted: int
    corrected: int
    gone: int
    refused: int


@dataclass(frozen=True)
class Fetched:
    """One fetch: the ledger of its streams. A type that the server does not offer is a stream that says so.

    `retried` tells what became of the quarantine, if it was looked at again.
    """

    run: int
    ledger: tuple[StreamLedger, ...]
    retried: tuple[Retried, ...] = ()

    @property
    def complete(self) -> bool:
        return all(stream.complete and stream.balances for stream in self.ledger)

    def require_complete(self) -> None:
        """`IncompleteError` naming the streams that did not reconcile."""
        broken = [stream for stream in self.ledger if not (stream.complete and stream.balances)]
        if broken:
            named = "; ".join(f"{stream.stream}: {stream.reason or 'the ledger does not balance'}" for stream in broken)
            raise IncompleteError(
                f"{len(broken)} of {len(self.ledger)} streams are incomplete ({named})",
                "nothing was published and the last good results stay; run the same command again",
            )


@dataclass
class _Account:
    """What one stream adds up to. `announced` is by search or file."""

    announced: dict[Hashable, int | None] = field(default_factory=dict)
    received: int = 0
    unreadable: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)
    remarks: dict[str, None] = field(default_factory=dict)
    problems: dict[str, None] = field(default_factory=dict)
    closed: bool = False

    @property
    def total(self) -> int | None:
        """What was announced in all; None as soon as somebody did not say."""
        known = [count for count in self.announced.values() if count is not None]
        return sum(known) if known and len(known) == len(self.announced) else None

    @property
    def reason(self) -> str:
        """The problems, or else what is worth knowing about a whole stream."""
        if self.problems:
            return " ".join(self.problems)
        told = [*self.remarks]
        if self.passed_over:
            counts = ", ".join(f"{count} {type}" for type, count in sorted(self.passed_over.items()))
            told.append(f"not read by studies: {counts}")
        return "; ".join(told)


class Landing:
    """Lands the pages of many streams in one run of the store. Everything is called from one thread.

    What is of no type among `types` is counted and passed over.
    """

    def __init__(self, store: Store, run: int, say: Progress, types: Sequence[str] = READ_TYPES) -> None:
        self.run = run
        self._store, self._say, self._types = store, say, frozenset(types)
        self._accounts: dict[str, _Account] = {}

    def land(self, stream: str, pages: Iterable[Page], unreadable_lines: int | None = None) -> None:
        """One stream from its first to its last page; what is missing is written into the ledger, not raised.

        More things than `unreadable_lines` that cannot even be told apart make the stream incomplete: nobody knows
        what they were.
        """
        try:
            for page in pages:
                self.take(stream, stream, page)
        except IncompleteError as problem:
            self.fail(stream, problem.message)
        unreadable = self._account(stream).unreadable
        if unreadable_lines is not None and unreadable > unreadable_lines:
            self.fail(stream, f"{unreadable} entries cannot be read at all")
        self.close(stream)

    def take(self, stream: str, part: Hashable, page: Page) -> None:
        """Land one page of a part of a stream."""
        account = self._account(stream)
        records = [record for record in page.records if record.type in self._types]
        accepted, refused = self._through_the_gate(stream, records)
        # A file may be named after a patient; the stream is not.
        quarantined = [*(msgspec.structs.replace(one, stream=stream) for one in page.quarantined), *refused]
        self._store.land(
            self.run, stream, accepted, quarantined, deleted=page.deleted, cursor=page.cursor, retries=page.retries
        )
        remember_urns(self._store, page.aliases)
        account.passed_over.update(_name_of(record.type) for record in page.records if record.type not in self._types)
        account.announced[part] = page.announced
        account.received += page.received
        account.unreadable += sum(not one.type for one in page.quarantined)
        self.remark(stream, page.remark, _warned(page))
        self._say.stream(stream, account.received, account.total)

    def _through_the_gate(self, stream: str, records: list[Record]) -> tuple[list[Record], list[Quarantined]]:
        """What the very same bytes were found to be before need not be found again."""
        known = self._store.known(records)
        accepted: list[Record] = []
        refused: list[Quarantined] = []
        for record in records:
            reason = "" if record.sha256 in known else check(record).reason
            if reason:
                refused.append(set_aside(stream, record.body, reason, type=record.type, id=record.id))
            else:
                accepted.append(record)
        return accepted, refused

    def remark(self, stream: str, *remarks: str) -> None:
        """Something worth knowing about a stream that may well be whole; phrases."""
        self._account(stream).remarks.update(dict.fromkeys(filter(None, remarks)))

    def fail(self, stream: str, *problems: str) -> None:
        """This stream is incomplete; sentences."""
        self._account(stream).problems.update(dict.fromkeys(filter(None, problems)))

    def is_sound(self, stream: str) -> bool:
        """Is nothing known to be missing from this stream?"""
        return not self._account(stream).problems

    @property
    def is_whole(self) -> bool:
        """Is nothing known to be missing from any stream?"""
        return all(map(self.is_sound, self._accounts))

    def close(self, stream: str) -> None:
        """Write the end of a stream into the ledger."""
        account = self._account(stream)
        self._store.finish_stream(
            self.run,
            stream,
            announced=account.total,
            complete=not account.problems,
            unverified=account.total is None,
            reason=account.reason,
        )
        account.closed = True
        self._say.stream(stream, account.received, account.total, "incomplete" if account.problems else "complete")

    def pass_by(self, stream: str, reason: str) -> None:
        """A stream that cannot be asked for: not empty, but unknown."""
        self._store.finish_stream(self.run, stream, announced=None, complete=True, unverified=True, reason=reason)

    def abandon(self, problem: FhirAdapterError) -> None:
        """The run ends before its streams do."""
        for stream in [stream for stream, account in self._accounts.items() if not account.closed]:
            self.fail(stream, problem.message)
            self.close(stream)
        self._store.finish_run(self.run, complete=False)

    def finish(self, retried: tuple[Retried, ...] = ()) -> Fetched:
        """Close the run."""
        fetched = Fetched(self.run, tuple(self._store.ledger(self.run)), retried)
        self._store.finish_run(self.run, complete=fetched.complete)
        return fetched

    def _account(self, stream: str) -> _Account:
        return self._accounts.setdefault(stream, _Account())


def _name_of(type: str) -> str:
    """What is no resource type of R4 may be anything, also a name."""
    return type if type in R4_TYPES else "of unknown types"


def _warned(page: Page) -> str:
    """What the server warns of in its results, in words of the standard."""
    codes = codes_of(tuple(issue for issue in page.issues if issue.severity == "warning"))
    return f"the server warned in its results: {', '.join(codes)}" if codes else ""
