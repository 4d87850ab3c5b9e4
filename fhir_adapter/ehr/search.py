"""Fetching one resource type by REST search, page after page, until it is certain that nothing is missing.

A page is handed on as soon as it is whole; landing pages twice does no harm. What cannot be settled by asking
again ends in `StreamIncomplete`, after everything that could be had was handed on.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import msgspec

from fhir_adapter.ehr.chain import Chain, PageBudget, Question, Restart
from fhir_adapter.ehr.failures import Exhausted, Forbidden, Unserved
from fhir_adapter.ehr.found import Found
from fhir_adapter.ehr.outcome import codes_of
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.plan import StreamPlan
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.ehr.window import Window, read_instant
from fhir_adapter.errors import ServerRefused, StreamIncomplete
from fhir_adapter.fhir.record import Record

_MAX_RESTARTS = 2
_HOPELESS = 5  # people refused, with nobody answered before
_NARROWER_MAY_WORK = frozenset({400, 403, 422})
_NOT_FOUND = 404
_GRAIN_S = 2.0  # a Date header tells whole seconds, and the answer was some time on its way
_NOTHING_PUBLISHED = "Nothing is published from incomplete data; the last good outputs stay."
_IGNORED = "the server does not heed {}, so it gives everything every time"
_REFUSED = "the server refused {}, so everything was asked for"
_CLOCK = "the server's clock went back, so everything was asked for"

Part = Callable[[], Iterator[Page]]
Pairs = tuple[tuple[str, str], ...]


class OnlyByPerson(Exception):
    """A search over the whole type was refused; one for each person may work."""


def fetch_stream(
    transport: Transport, plan: StreamPlan, page_size: int, max_pages: int, window: Window | None = None
) -> Iterator[Page]:
    """All pages of one resource type, one after the other; with a `window`, of what changed.

    Raises `StreamIncomplete` when data are missing or do not add up, `NotReadyError` and `Unreachable` when
    the server cannot serve now, `AccessError` when it does not let us, `ForeignUrl` when it points elsewhere.
    """
    search = Search(transport, plan, page_size, max_pages, window)
    parts = deque(search.parts())
    while parts:
        try:
            yield from parts.popleft()()
        except OnlyByPerson:
            parts.extend(search.for_each_person())
    search.conclude()


class Search:
    """One resource type on its way. Its parts may be fetched in any order and at the same time; `conclude` when all
    of them are.
    """

    def __init__(
        self, transport: Transport, plan: StreamPlan, page_size: int, max_pages: int, window: Window | None = None
    ) -> None:
        self.plan = plan
        self._transport, self._window = transport, window or Window()
        self._budget = PageBudget(plan.type, max_pages)
        self._params = (("_count", str(min(page_size, plan.page_size or page_size))), *plan.params)
        self._lock = threading.Lock()
        self._refused, self._served = 0, False
        self._forbidden: Forbidden | None = None
        self._narrowed = False
        self._fatal: dict[str, None] = {}

    @property
    def in_full(self) -> bool:
        """Was everything asked for, everywhere? Known when all parts are fetched."""
        return not self._narrowed

    def parts(self) -> Iterator[Part]:
        """What has to be fetched; `StreamIncomplete` for a type that cannot be searched."""
        if self.plan.how == "unsupported":
            raise StreamIncomplete(self.plan.reason)
        return self.for_each_person() if self.plan.how == "person" else iter([self._as_a_whole])

    def for_each_person(self) -> Iterator[Part]:
        """One part for each person known."""
        return map(self._of, self.plan.people)

    def conclude(self) -> None:
        """Raise what is missing although every part was fetched."""
        if self._forbidden and not self._served:
            raise self._incomplete(self._forbidden.message)
        if self._refused:
            raise self._incomplete(f"the search was refused for {self._refused} of {len(self.plan.people)} patients")
        if self._fatal:
            raise self._incomplete(f"the server reported an error in its results ({', '.join(self._fatal)})")

    def _incomplete(self, reason: str) -> StreamIncomplete:
        """The exception for this stream, with `reason` as the end of its sentence."""
        return StreamIncomplete(
            f"{self.plan.type} is incomplete: {reason[:1].lower()}{reason[1:].rstrip('.')}.", _NOTHING_PUBLISHED
        )

    def _as_a_whole(self) -> Iterator[Page]:
        """One search over the type. When exactly that is refused: `OnlyByPerson`, if there are people to ask for."""
        try:
            yield from self._told(self._codes(()))
        except (ServerRefused, Forbidden) as refused:
            if self._is_unserved(refused):
                raise Unserved(self.plan.unserved().reason) from None
            if self._served or not _may_work_narrower(refused):
                raise self._for_type(refused) from None
            if not (self.plan.people and self.plan.person_param):
                raise self._unknown_people(refused) from None
            raise OnlyByPerson from None

    def _is_unserved(self, refused: ServerRefused | Forbidden) -> bool:
        not_found = isinstance(refused, ServerRefused) and refused.status == _NOT_FOUND
        return not_found and not self._served and self.plan.type != "Patient"

    def _unknown_people(self, refused: ServerRefused | Forbidden) -> Forbidden | StreamIncomplete:
        if isinstance(refused, Forbidden):
            return self._for_type(refused)
        return self._incomplete(
            "the server does not allow a search over all patients, and the patients are not known; "
            "list them in the settings"
        )

    def _for_type(self, refused: ServerRefused | Forbidden) -> Forbidden | StreamIncomplete:
        if isinstance(refused, Forbidden):
            return Forbidden(f"{self.plan.type}: {refused.message}", refused.hint)
        codes = ", ".join([str(refused.status), *refused.issues])
        return self._incomplete(f"the server refused the search (HTTP {codes})")

    def _of(self, person: str) -> Part:
        """A refusal for one person is counted and the others still fetched, unless nobody is served at all."""

        def pages() -> Iterator[Page]:
            try:
                if not self._is_hopeless():
                    # A whole reference is understood everywhere; some servers find nothing by the bare id.
                    value = person if self.plan.person_param == "_id" else f"Patient/{person}"
                    yield from self._told(self._codes(((self.plan.person_param, value),), person))
            except (ServerRefused, Forbidden) as refused:
                with self._lock:
                    self._refused += 1
                    self._forbidden = refused if isinstance(refused, Forbidden) else self._forbidden
                if self._is_hopeless():
                    raise self._for_type(refused) from None

        return pages

    def _is_hopeless(self) -> bool:
        with self._lock:
            return self._refused >= _HOPELESS and not self._served

    def _told(self, pages: Iterator[Page]) -> Iterator[Page]:
        """The pages; notes that there were some, and what the server says is missing from them."""
        try:
            for page in pages:
                missing = tuple(issue for issue in page.issues if issue.is_missing)
                with self._lock:
                    self._served = True
                    self._fatal |= dict.fromkeys(codes_of(missing))
                yield page
        except Exhausted as exhausted:
            raise self._incomplete(exhausted.message) from None

    def _codes(self, filters: Pairs, person: str = "") -> Iterator[Page]:
        """The searches that make up one answer: one, or one for each of the plan's codes. If all of them are whole, the
        last page tells the earliest moment from which the next run has to ask again.
        """
        codes: list[Pairs] = [((self.plan.code_param, code),) for code in self.plan.codes] or [()]
        before: list[Chain] = []
        for code in codes:
            for page, chain in self._windowed((*filters, *code), person):
                chains = [*before, chain]
                last = len(chains) == len(codes) and all(one.is_whole for one in chains)
                cursor = self._window.next_cursor(_earliest(one.asked_at for one in chains)) if last else ""
                announced = _sum(one.announced for one in chains)
                yield msgspec.structs.replace(page, announced=announced, cursor=(person, cursor) if cursor else None)
            before.append(chain)

    def _windowed(self, filters: Pairs, person: str) -> Iterator[tuple[Page, Chain]]:
        """What changed since the last run; everything where the server cannot tell that, or its clock went back."""
        remark = ""
        if since := self._window.since(person):
            window, remark, began = (self._window.param, f"ge{since}"), _REFUSED, False
            try:
                for page, chain in self._repeated((*filters, window), person):
                    if self._went_back(chain.asked_at, person):
                        remark = _CLOCK
                        break
                    began = True
                    yield self._remarked(page, _IGNORED if self._is_ignored(page, chain, since) else ""), chain
                else:
                    self._narrowed = True
                    return
            except ServerRefused as refused:
                if began or not _may_work_narrower(refused):
                    raise
        for page, chain in self._repeated(filters, person):
            yield self._remarked(page, remark), chain

    def _went_back(self, asked_at: float | None, person: str) -> bool:
        """Does the server's clock show an earlier time than it did when the cursor was set?"""
        return asked_at is not None and asked_at + _GRAIN_S < read_instant(self._window.cursor(person))

    def _is_ignored(self, page: Page, chain: Chain, since: str) -> bool:
        """Does the server give what did not change?"""
        if self._window.param in chain.dropped:
            return True
        return any(_is_older(one, since) for one in page.records if one.type == self.plan.type)

    def _remarked(self, page: Page, remark: str) -> Page:
        return msgspec.structs.replace(page, remark=remark.format(self._window.param)) if remark else page

    def _repeated(self, filters: Pairs, person: str) -> Iterator[tuple[Page, Chain]]:
        """One search from its first to its last page, started anew when the server lost its thread."""
        plan, reason = self.plan, ""
        for attempt in range(_MAX_RESTARTS + 1):
            sort = (("_sort", plan.sort),) if attempt and plan.sort else ()
            params = (*self._params, *filters, *sort)
            question = Question(plan.type, plan.type, params, person, plan.post, plan.trust_total)
            chain = Chain(self._transport, question, self._budget, partial(Found, plan.type))
            try:
                for page in chain.pages():
                    yield page, chain
                reason = chain.shortfall()
            except Restart as restart:
                reason = restart.reason
            if not reason:
                return
        raise self._incomplete(reason)


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(count for count in known if count is not None)


def _earliest(moments: Iterable[float | None]) -> float | None:
    known = list(moments)
    return None if None in known else min(moment for moment in known if moment is not None)


def _is_older(record: Record, since: str) -> bool:
    try:
        return read_instant(record.last_updated) < read_instant(since)
    except ValueError:
        return False


def _may_work_narrower(refused: ServerRefused | Forbidden) -> bool:
    return isinstance(refused, Forbidden) or refused.status in _NARROWER_MAY_WORK
