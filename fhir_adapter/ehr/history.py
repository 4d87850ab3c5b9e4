"""What a server tells about deletions: the history of a whole resource type since a moment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import msgspec

from fhir_adapter.ehr.bundle import Bundle
from fhir_adapter.ehr.chain import Chain, PageBudget, Question, Restart
from fhir_adapter.ehr.failures import Exhausted
from fhir_adapter.ehr.json_text import UNREADABLE
from fhir_adapter.ehr.outcome import Issue
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.plan import StreamPlan
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.ehr.window import Window
from fhir_adapter.errors import ServerRefused, StreamIncomplete
from fhir_adapter.fhir.deletion import Deletion
from fhir_adapter.fhir.quarantine import Quarantined, set_aside
from fhir_adapter.fhir.record import Record

WHOSE = "_history"  # what a cursor of the deletions is about; no person can have this id
_MAX_RESTARTS = 2
_PLACE = re.compile(r"(?:^|/)([A-Z][A-Za-z]{1,63})/([A-Za-z0-9\-.]{1,64})(?:/_history/([A-Za-z0-9\-.]{1,64}))?$")
_ETAG = re.compile(r'(?:W/)?"([A-Za-z0-9\-.]{1,64})"')


class _Request(msgspec.Struct, frozen=True):
    method: str = ""
    url: str = ""


class _Response(msgspec.Struct, frozen=True):
    etag: str = ""
    lastModified: str = ""


class _Entry(msgspec.Struct):
    fullUrl: str = ""
    request: _Request = _Request()
    response: _Response = _Response()


_entries = msgspec.json.Decoder(_Entry)


def fetch_deletions(
    transport: Transport, plan: StreamPlan, page_size: int, max_pages: int, window: Window
) -> Iterator[Page]:
    """What was deleted since the cursor of `WHOSE`, as pages that hold nothing else; the last one has its next cursor.

    Raises `StreamIncomplete` when the server cannot tell all of it; else as `fetch_stream`.
    """
    size = str(min(page_size, plan.page_size or page_size))
    question = Question(
        plan.type,
        f"{plan.type}/_history",
        (("_since", window.since(WHOSE)), ("_count", size)),
        trust_total=False,  # other changes count as well, and one resource may have many
        bundle="history",
    )
    try:
        yield from _repeated(transport, question, PageBudget(plan.type, max_pages), window)
    except (ServerRefused, Exhausted):
        raise StreamIncomplete(f"{plan.type} is incomplete: the server does not tell what was deleted.") from None


def _repeated(transport: Transport, question: Question, budget: PageBudget, window: Window) -> Iterator[Page]:
    for attempt in range(_MAX_RESTARTS + 1):
        chain, told = Chain(transport, question, budget, partial(_Deleted, question.type)), 0
        try:
            for page in chain.pages():
                told += page.received
                cursor = window.next_cursor(chain.asked_at) if chain.is_whole else ""
                yield msgspec.structs.replace(page, announced=told, cursor=(WHOSE, cursor) if cursor else None)
            return
        except Restart as restart:
            if attempt == _MAX_RESTARTS:
                raise StreamIncomplete(f"{question.type} is incomplete: {restart.reason}.") from None


class _Deleted:
    """The deletions among the changes of one page. Whatever else changed is found by searching."""

    def __init__(self, type: str, number: int, bundle: Bundle) -> None:
        self.records: list[Record] = []
        self.quarantined: list[Quarantined] = []
        self.deleted: list[Deletion] = []
        self.issues: list[Issue] = []
        self.matches: set[str] = set()
        for position, raw in enumerate(bundle.entries, start=1):
            self._place(type, raw, f"page-{number}-change-{position}")

    def _place(self, type: str, raw: bytes, place: str) -> None:
        try:
            entry = _entries.decode(raw)
        except UNREADABLE:
            self.quarantined.append(set_aside(type, raw, "not-a-change", id=place))
            return
        if entry.request.method.upper() != "DELETE":
            return
        found = _PLACE.search(entry.request.url) or _PLACE.search(entry.fullUrl)
        if found is None or found.group(1) != type:
            self.quarantined.append(set_aside(type, raw, "deletion-of-nothing", id=place))
            return
        etag = _ETAG.fullmatch(entry.response.etag)
        version = (etag.group(1) if etag else found.group(3)) or ""
        self.deleted.append(Deletion(type, found.group(2), version, entry.response.lastModified))
