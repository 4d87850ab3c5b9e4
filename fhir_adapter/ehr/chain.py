"""One search and its pages, followed by `next` links alone until there is none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from fhir_adapter.ehr.bundle import (
    Bundle,
    Malformed,
    NotABundle,
    file_resource,
    is_outcome,
    read_bundle,
    read_entry,
)
from fhir_adapter.ehr.outcome import Issue, codes_of, read_issues
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.plan import StreamPlan
from fhir_adapter.ehr.transport import Answer, Transport
from fhir_adapter.errors import ServerRefused, StreamIncomplete
from fhir_adapter.fhir.quarantine import Quarantined, set_aside
from fhir_adapter.fhir.record import Record, Unreadable

_EXPIRED = frozenset({404, 410})
_HEADERS = {"Prefer": "handling=strict"}


class Restart(Exception):
    """The pages read so far and those to come do not belong together: begin again. `reason` is a phrase of
    ours.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class PageBudget:
    """How many pages one stream may have, over all its chains and repetitions."""

    type: str
    max_pages: int
    used: int = 0

    def take(self) -> int:
        """The number of the next page, from 1."""
        if self.used >= self.max_pages:
            raise StreamIncomplete(
                f"{self.type} is incomplete: the server still had pages after {self.max_pages}.",
                "If the hospital really holds that many, raise the page limit in the settings.",
            )
        self.used += 1
        return self.used


class Chain:
    """One search. `announced` is the server's total when it gives one."""

    def __init__(
        self,
        transport: Transport,
        plan: StreamPlan,
        params: tuple[tuple[str, str], ...],
        person: str,
        budget: PageBudget,
    ) -> None:
        self._transport, self._plan, self._params = transport, plan, params
        self._person, self._budget = person, budget
        self._visited: set[bytes] = set()
        self._matches: set[str] = set()
        self.announced: int | None = None

    def pages(self) -> Iterator[Page]:
        """The pages, in the server's order. `Restart` when the server no longer knows its own next link."""
        answer, bundle = self._fetch(self._plan.type, first=True)
        while True:
            page = self._page(answer, bundle)
            yield page
            if any(issue.pages_shifted for issue in page.issues):
                raise Restart("the server's pages shifted while they were read")
            if bundle.next is None:
                return
            url = self._transport.policy.resolve(bundle.next, answer.url)
            self._remember("link", url.encode())
            answer, bundle = self._fetch(url, first=False)

    def shortfall(self) -> str:
        """A phrase if the server announced more than it gave, else an empty string."""
        missing = (self.announced or 0) - len(self._matches)
        return f"the server announced {missing} more than it gave" if missing > 0 else ""

    def _fetch(self, url: str, *, first: bool) -> tuple[Answer, Bundle]:
        parsed: list[Bundle] = []

        def judge(answer: Answer) -> str:
            try:
                parsed[:] = [read_bundle(answer.body)]
            except Malformed as malformed:
                return malformed.reason
            return ""

        try:
            params = self._params if first else None
            return self._transport.get(url, params=params, headers=_HEADERS, judge=judge), parsed[0]
        except NotABundle as other:
            codes = f" ({', '.join(codes_of(other.issues))})" if other.issues else ""
            raise self._incomplete(f"{other.reason}{codes} came instead of search results") from None
        except ServerRefused as refused:
            if first or refused.status not in _EXPIRED:
                raise
            raise Restart("the server forgot its search results before they were read to the end") from None

    def _incomplete(self, reason: str) -> StreamIncomplete:
        return StreamIncomplete(f"{self._plan.type} is incomplete: {reason}.")

    def _remember(self, kind: str, content: bytes) -> None:
        digest = hashlib.blake2b(content, digest_size=16, person=kind.encode()).digest()
        if digest in self._visited:
            raise self._incomplete("the server's pages go round in a circle")
        self._visited.add(digest)

    def _page(self, answer: Answer, bundle: Bundle) -> Page:
        number = self._budget.take()
        if bundle.type != "searchset":
            raise self._incomplete("a Bundle that is not a set of search results came")
        if bundle.entries and bundle.next is not None:
            self._remember("page", b"\0".join(bundle.entries))
        contents = _Contents(self._plan.type, number, bundle)
        self._check_person(contents.records)
        self._matches |= contents.matches
        self.announced = bundle.total if bundle.total is not None else self.announced
        return Page(
            self._plan.type,
            number,
            tuple(contents.records),
            tuple(contents.quarantined),
            self.announced,
            tuple(contents.issues),
            answer.retries,
        )

    def _check_person(self, records: list[Record]) -> None:
        if self._person and any(
            record.type == self._plan.type and record.person not in ("", self._person) for record in records
        ):
            raise self._incomplete("the server ignored the patient asked for and returned other patients")


class _Contents:
    """The entries of one page, each in exactly one place."""

    def __init__(self, type: str, number: int, bundle: Bundle) -> None:
        self.records: list[Record] = []
        self.quarantined: list[Quarantined] = []
        self.issues: list[Issue] = []
        self.matches: set[str] = set()
        self._type = type
        for position, raw in enumerate(bundle.entries, start=1):
            self._place(raw, f"page-{number}-entry-{position}")

    def _place(self, raw: bytes, place: str) -> None:
        try:
            entry = read_entry(raw)
        except Unreadable as unreadable:
            self._quarantine(set_aside(self._type, raw, unreadable.reason, id=place))
            return
        if entry.mode == "outcome" or is_outcome(entry.resource):
            self.issues.extend(read_issues(entry.resource) or (Issue("error", "other"),))
            return
        filed = file_resource(self._type, entry.resource, place)
        if isinstance(filed, Quarantined):
            self._quarantine(filed)
            return
        self.records.append(filed)
        if entry.mode == "match" or (not entry.mode and filed.type == self._type):
            self.matches.add(filed.reference)

    def _quarantine(self, quarantined: Quarantined) -> None:
        self.quarantined.append(quarantined)
        self.matches.add(quarantined.sha256)
