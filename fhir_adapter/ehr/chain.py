"""One question and the pages of its answer, followed by `next` links alone until there is none."""

from __future__ import annotations

import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import msgspec

from fhir_adapter.ehr.bundle import Bundle, Malformed, NotABundle, read_bundle, read_page
from fhir_adapter.ehr.failures import Exhausted, Forbidden
from fhir_adapter.ehr.outcome import Issue, codes_of
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.retry import parse_http_date
from fhir_adapter.ehr.transport import Answer, Transport
from fhir_adapter.errors import ServerRefused, StreamIncomplete
from fhir_adapter.fhir.deletion import Deletion
from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.fhir.record import Record

_EXPIRED = frozenset({404, 410})
_NOT_COUNTED = frozenset({"_count", "_sort", "_include", "_elements"})
_HEADERS = {"Prefer": "handling=strict"}


class Restart(Exception):
    """The pages read so far and those to come do not belong together: begin again. `reason` is a phrase of
    ours.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PageBudget:
    """How many pages one stream may have, over all its chains and repetitions; they may run at the same time."""

    def __init__(self, type: str, max_pages: int) -> None:
        self._type, self._max_pages = type, max_pages
        self._numbers, self._lock = itertools.count(1), threading.Lock()

    def take(self) -> int:
        """The number of the next page, from 1."""
        with self._lock:
            number = next(self._numbers)
        if number > self._max_pages:
            raise StreamIncomplete(
                f"{self._type} is incomplete: the server still had pages after {self._max_pages}.",
                "If the hospital really holds that many, raise the page limit in the settings.",
            )
        return number


class Question(msgspec.Struct, frozen=True):
    """What is asked first: `path` below the base, its parameters, and which kind of Bundle has to come.

    `type` is the type of the stream, `person` whom alone the answer may be about (empty: anybody). `trust_total` off:
    the server's totals are known to be wrong.
    """

    type: str
    path: str
    params: tuple[tuple[str, str], ...]
    person: str = ""
    post: bool = False
    trust_total: bool = True
    bundle: str = "searchset"


class Contents(Protocol):
    """The entries of one page, each in exactly one place. `matches` name what counts against the server's total."""

    records: list[Record]
    quarantined: list[Quarantined]
    deleted: list[Deletion]
    issues: list[Issue]
    matches: set[str]


Sort = Callable[[int, Bundle], Contents]


class Chain:
    """One question. `announced` is the server's total when it gives one; `asked_at` is when the first answer was
    asked for by the server's own clock, None when it does not tell the time; `dropped` are parameters that the server
    says it did not heed. All of it is known once the first page was read.
    """

    def __init__(self, transport: Transport, question: Question, budget: PageBudget, sort: Sort) -> None:
        self._transport, self._question, self._budget, self._sort = transport, question, budget, sort
        self._visited: set[bytes] = set()
        self._matches: set[int] = set()  # hashes alone: there may be millions
        self.announced: int | None = None
        self.asked_at: float | None = None
        self.dropped: frozenset[str] = frozenset()
        self._ended = self._flawed = False

    def pages(self) -> Iterator[Page]:
        """The pages, in the server's order. `Restart` when the server no longer knows its own next link."""
        started = time.monotonic()
        answer, bundle = self._fetch(self._question.path, first=True)
        now = parse_http_date(answer.headers.get("date"))
        self.asked_at = None if now is None else now - (time.monotonic() - started)
        self.dropped = self._dropped(bundle)
        while True:
            if bundle.next is None and self._visited and self.announced is None and bundle.total is None:
                self.announced = self._count()
            page = self._page(answer, bundle)
            shifted = any(issue.pages_shifted for issue in page.issues)
            self._ended = bundle.next is None and not shifted
            self._flawed = self._flawed or any(issue.is_missing for issue in page.issues)
            yield page
            if shifted:
                raise Restart("the server's pages shifted while they were read")
            if bundle.next is None:
                return
            url = self._transport.policy.resolve(bundle.next, answer.url)
            self._remember("link", url.encode())
            answer, bundle = self._fetch(url, first=False)

    @property
    def is_whole(self) -> bool:
        """Was the last page read, and nothing missing by what the server itself says?"""
        return self._ended and not self._flawed and not self.shortfall()

    def shortfall(self) -> str:
        """A phrase if the server announced more than it gave, else an empty string."""
        missing = (self.announced or 0) - len(self._matches) if self._question.trust_total else 0
        return f"the server announced {missing} more than it gave" if missing > 0 else ""

    def _count(self) -> int | None:
        """Rows may move between two pages, and without a total nobody would notice: ask how many there are."""
        if not self._question.trust_total:
            return None
        asked = tuple(pair for pair in self._question.params if pair[0] not in _NOT_COUNTED)
        try:
            answer = self._transport.search(
                self._question.path, (*asked, ("_summary", "count")), post=self._question.post, headers=_HEADERS
            )
            return read_bundle(answer.body).total
        except (ServerRefused, Forbidden, Exhausted, Malformed, NotABundle):
            return None

    def _dropped(self, bundle: Bundle) -> frozenset[str]:
        """The parameters that the server says it was not asked with. Some say nothing at all about it."""
        query = urlsplit(bundle.own or "").query
        named = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
        return frozenset(name for name, _ in self._question.params if name not in named) if named else frozenset()

    def _fetch(self, url: str, *, first: bool) -> tuple[Answer, Bundle]:
        parsed: list[Bundle] = []

        def judge(answer: Answer) -> str:
            try:
                parsed[:] = [read_page(answer.body)]
            except Malformed as malformed:
                return malformed.reason
            return ""

        try:
            return self._ask(url, judge, first=first), parsed[0]
        except NotABundle as other:
            codes = f" ({', '.join(codes_of(other.issues))})" if other.issues else ""
            raise self._incomplete(f"{other.reason}{codes} came instead of search results") from None
        except ServerRefused as refused:
            if first or refused.status not in _EXPIRED:
                raise
            raise Restart("the server forgot its search results before they were read to the end") from None

    def _ask(self, url: str, judge: Callable[[Answer], str], *, first: bool) -> Answer:
        if not first:
            return self._transport.get(url, headers=_HEADERS, judge=judge)
        question = self._question
        return self._transport.search(url, question.params, post=question.post, headers=_HEADERS, judge=judge)

    def _incomplete(self, reason: str) -> StreamIncomplete:
        return StreamIncomplete(f"{self._question.type} is incomplete: {reason}.")

    def _remember(self, kind: str, content: bytes) -> None:
        digest = hashlib.blake2b(content, digest_size=16, person=kind.encode()).digest()
        if digest in self._visited:
            raise self._incomplete("the server's pages go round in a circle")
        self._visited.add(digest)

    def _page(self, answer: Answer, bundle: Bundle) -> Page:
        number = self._budget.take()
        if bundle.type != self._question.bundle:
            kind = "search results" if self._question.bundle == "searchset" else "changes"
            raise self._incomplete(f"a Bundle that is not a set of {kind} came")
        contents = self._sort(number, bundle)
        if bundle.next is not None and (content := _content(contents, bundle)):
            self._remember("page", content)
        self._check_person(contents.records)
        self._matches.update(map(hash, contents.matches))
        self.announced = bundle.total if bundle.total is not None else self.announced
        return Page(
            self._question.type,
            number,
            tuple(contents.records),
            tuple(contents.quarantined),
            self.announced,
            tuple(contents.issues),
            answer.retries,
            deleted=tuple(contents.deleted),
        )

    def _check_person(self, records: list[Record]) -> None:
        type, person = self._question.type, self._question.person
        if person and any(record.type == type and record.person not in ("", person) for record in records):
            raise self._incomplete("the server ignored the patient asked for and returned other patients")


def _content(contents: Contents, bundle: Bundle) -> bytes:
    """What tells a page from another one: every record's version and size, which cost less than all bytes; these where
    there is anything but records.
    """
    if len(contents.records) < len(bundle.filed or bundle.read or bundle.entries):
        return b"\0".join(bundle.entries)
    return "\0".join(
        [f"{one.type} {one.id} {one.version} {one.last_updated} {len(one.body)}" for one in contents.records]
    ).encode()
