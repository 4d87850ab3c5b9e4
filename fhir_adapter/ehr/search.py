"""Fetching one stream by REST search, page after page, until it is certain that nothing is missing.

A page is handed on as soon as it is whole; landing pages twice does no harm. What cannot be settled by asking
again ends in `StreamIncomplete`, after everything that could be had was handed on.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fhir_adapter.ehr.chain import Chain, PageBudget, Restart
from fhir_adapter.ehr.failures import Exhausted, Forbidden
from fhir_adapter.ehr.outcome import codes_of
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.plan import StreamPlan
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import ServerRefused, StreamIncomplete

_MAX_RESTARTS = 2
_HOPELESS = 5  # people refused in a row, with nobody answered before
_NARROWER_MAY_WORK = frozenset({400, 403, 422})
_NOTHING_PUBLISHED = "Nothing is published from incomplete data; the last good outputs stay."


def fetch_stream(transport: Transport, plan: StreamPlan, page_size: int, max_pages: int) -> Iterator[Page]:
    """All pages of one resource type.

    Raises `StreamIncomplete` when data are missing or do not add up, `NotReadyError` and `Unreachable` when
    the server cannot serve now, `AccessError` when it does not let us, `ForeignUrl` when it points elsewhere.
    """
    if plan.how == "unsupported":
        raise StreamIncomplete(plan.reason)
    stream = _Stream(transport, plan, page_size, PageBudget(plan.type, max_pages))
    try:
        yield from stream.for_each_person() if plan.how == "person" else stream.as_a_whole()
    except ServerRefused as refused:
        raise stream.incomplete(_said(refused)) from None
    except Exhausted as exhausted:
        raise stream.incomplete(exhausted.message) from None
    stream.conclude()


def _said(refused: ServerRefused) -> str:
    return f"the server refused the search (HTTP {', '.join([str(refused.status), *refused.issues])})"


class _Stream:
    """One stream on its way: what its chains of pages add up to."""

    def __init__(self, transport: Transport, plan: StreamPlan, page_size: int, budget: PageBudget) -> None:
        self._transport, self._plan, self._budget = transport, plan, budget
        self._params = (("_count", str(page_size)), *plan.params)
        self._announced: int | None = 0
        self._fatal: dict[str, None] = {}

    def incomplete(self, reason: str) -> StreamIncomplete:
        """The exception for this stream, with `reason` as the end of its sentence."""
        return StreamIncomplete(
            f"{self._plan.type} is incomplete: {reason[:1].lower()}{reason[1:].rstrip('.')}.",
            _NOTHING_PUBLISHED,
        )

    def conclude(self) -> None:
        """Raise what the server itself said is missing."""
        if self._fatal:
            raise self.incomplete(f"the server reported an error in its results ({', '.join(self._fatal)})")

    def as_a_whole(self) -> Iterator[Page]:
        """One search over the type; if exactly that is refused, one for each person known."""
        try:
            yield from self._chain(())
        except (ServerRefused, Forbidden) as refused:
            if self._budget.used or not _may_work_narrower(refused):
                raise
            if not (self._plan.people and self._plan.person_param):
                raise self._unknown_people(refused) from None
            yield from self.for_each_person()

    def _unknown_people(self, refused: ServerRefused | Forbidden) -> Forbidden | StreamIncomplete:
        if isinstance(refused, Forbidden):
            return Forbidden(f"{self._plan.type}: {refused.message}", refused.hint)
        return self.incomplete(
            "the server does not allow a search over all patients, and the patients are not known; "
            "list them in the settings"
        )

    def for_each_person(self) -> Iterator[Page]:
        """One search for each person. Refusals are counted and the others still fetched."""
        refused, served = 0, False
        for person in self._plan.people:
            try:
                yield from self._chain(((self._plan.person_param, self._value(person)),), person)
                served = True
            except (ServerRefused, Forbidden) as refusal:
                refused += 1
                if refused >= _HOPELESS and not served:
                    raise self._for_type(refusal) from None
        if refused:
            raise self.incomplete(f"the search was refused for {refused} of {len(self._plan.people)} patients")

    def _for_type(self, refusal: ServerRefused | Forbidden) -> ServerRefused | Forbidden:
        if isinstance(refusal, Forbidden):
            return Forbidden(f"{self._plan.type}: {refusal.message}", refusal.hint)
        return refusal

    def _value(self, person: str) -> str:
        return f"Patient/{person}" if self._plan.person_param == "subject" else person

    def _chain(self, filters: tuple[tuple[str, str], ...], person: str = "") -> Iterator[Page]:
        """One search from its first to its last page, started anew when the server lost its thread."""
        reason = ""
        for attempt in range(_MAX_RESTARTS + 1):
            sort = (("_sort", self._plan.sort),) if attempt and self._plan.sort else ()
            chain = Chain(self._transport, self._plan, (*self._params, *filters, *sort), person, self._budget)
            try:
                for page in chain.pages():
                    self._fatal |= dict.fromkeys(codes_of(tuple(i for i in page.issues if i.is_fatal)))
                    yield self._with_sum(page)
                reason = chain.shortfall() if self._plan.trust_total else ""
            except Restart as restart:
                reason = restart.reason
            if not reason:
                self._announced = self._sum(chain.announced)
                return
        raise self.incomplete(reason)

    def _sum(self, announced: int | None) -> int | None:
        return None if announced is None or self._announced is None else self._announced + announced

    def _with_sum(self, page: Page) -> Page:
        return msgspec.structs.replace(page, announced=self._sum(page.announced))


def _may_work_narrower(refused: ServerRefused | Forbidden) -> bool:
    return isinstance(refused, Forbidden) or refused.status in _NARROWER_MAY_WORK
