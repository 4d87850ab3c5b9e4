"""The course of one resource type: what is asked of the server, one step after the other."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Sequence
from functools import partial

import msgspec

from fhir_adapter.ehr.failures import Forbidden, Unserved
from fhir_adapter.ehr.history import WHOSE, fetch_deletions
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.plan import StreamPlan
from fhir_adapter.ehr.search import OnlyByPerson, Search
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.ehr.window import Window
from fhir_adapter.errors import FhirAdapterError, IncompleteError
from fhir_adapter.pipeline.fetching.crew import Step, Take
from fhir_adapter.pipeline.fetching.landing import Landing
from fhir_adapter.pipeline.fetching.memory import StreamMemory
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

Steps = Generator[Step, None, None]
_FULL = "fetched in full: this server cannot be asked what changed"


class Course:
    """One stream of one run. Each of its `steps` has to be done before the next one is asked for.

    Afterwards `seen` tells what is there: None for everything that came in this run, a set of ids when only those were
    asked for. `is_swept` says whether anything is known about what is not there.
    """

    def __init__(
        self,
        transport: Transport,
        plan: StreamPlan,
        settings: Settings,
        store: Store,
        memory: StreamMemory,
        landing: Landing,
    ) -> None:
        self.plan = plan
        self.seen: set[str] | None = None
        self.is_swept = False
        self._by_person = plan.how == "person"
        self._transport, self._settings = transport, settings
        self._store, self._memory, self._landing = store, memory, landing

    def steps(self) -> Steps:
        """Deletions first: a resource that was deleted and made anew is then found again by the search."""
        window = self._memory.window(self.plan)
        if window.cursor(WHOSE):
            yield from self._deletions(window)
        search = yield from self._search(window)
        self.is_swept = search.in_full
        if not search.in_full and self._landing.is_sound(self.plan.type) and self._memory.is_sweep_due(self.plan):
            yield from self._reconcile()

    def _deletions(self, window: Window) -> Steps:
        limits = self._settings.page_size, self._settings.max_pages
        part = partial(fetch_deletions, self._transport, self.plan, *limits, window)
        step = Step(self.plan.type, iter([part]), self._land)
        yield step
        self._blame(step.problems)

    def _search(self, window: Window) -> Generator[Step, None, Search]:
        """Everything, or what changed."""
        search = self._searching(self.plan, window)
        problems = yield from self._all_parts(search, self._land)
        self._blame([problem for problem in problems if not self._is_unknown(problem)])
        self._landing.remark(self.plan.type, "" if self.plan.since_param else _FULL, self.plan.unseen)
        if not window.cursor(WHOSE):
            self._begin_deletions()
        return search

    def _is_unknown(self, problem: Exception) -> bool:
        """Is this a type that the server does not have after all? What it gave before cannot be missing in silence."""
        if not isinstance(problem, Unserved) or self._store.count(self.plan.type):
            return False
        self._landing.remark(self.plan.type, problem.message)
        return True

    def _begin_deletions(self) -> None:
        """From everything on, deletions are asked for since the same moment as changes."""
        cursor = self._store.cursor(self.plan.type)
        if cursor and self.plan.tells_deletions and self._landing.is_sound(self.plan.type):
            self._landing.take(self.plan.type, WHOSE, Page(self.plan.type, 1, (), announced=0, cursor=(WHOSE, cursor)))

    def _reconcile(self) -> Steps:
        """Ask which resources are there at all. One that the store does not know makes everything worth asking for."""
        ids: set[str] = set()
        params = tuple(pair for pair in self.plan.params if pair[0] != "_include")
        plan = msgspec.structs.replace(self.plan, params=(*params, ("_elements", "id")))
        plan = msgspec.structs.replace(plan, how="person") if self._by_person else plan.for_people(())
        search = self._searching(plan, Window())
        problems = yield from self._all_parts(search, partial(_collect, ids))
        if not problems and self._unknown(ids):
            yield from self._search(self._memory.window(self.plan))  # they may have come since the first search
        if not problems and not self._unknown(ids):
            self.seen, self.is_swept = ids, True
            return
        again = yield from self._search(self._memory.forget(self.plan))
        self.is_swept = again.in_full

    def _unknown(self, ids: set[str]) -> set[str]:
        aside = {one.id for one in self._store.quarantine() if one.type == self.plan.type}
        return ids - self._store.ids(self.plan.type) - aside

    def _all_parts(self, search: Search, take: Take) -> Generator[Step, None, list[Exception]]:
        """Do what a search consists of, for each person where the server wants to be asked so. What went wrong."""
        step = Step(self.plan.type, search.parts(), take)
        yield step
        if any(isinstance(problem, OnlyByPerson) for problem in step.problems):
            self._by_person = True
            step = Step(self.plan.type, search.for_each_person(), take)
            yield step
        try:
            search.conclude()
        except IncompleteError as problem:
            step.problems.append(problem)
        return step.problems

    def _searching(self, plan: StreamPlan, window: Window) -> Search:
        return Search(self._transport, plan, self._settings.page_size, self._settings.max_pages, window)

    def _land(self, part: Hashable, page: Page) -> None:
        self._landing.take(self.plan.type, part, page)

    def _blame(self, problems: Sequence[Exception]) -> None:
        """Whatever kept a part from its end keeps the stream from being whole."""
        told = [problem for problem in problems if isinstance(problem, FhirAdapterError)]
        self._landing.fail(self.plan.type, *(problem.message for problem in told))


def ends_the_run(problem: Exception) -> bool:
    """Would every other request fail in the same way? A type that is forbidden is missing, the others are not."""
    return not isinstance(problem, OnlyByPerson | IncompleteError | Forbidden)


def _collect(ids: set[str], _: Hashable, page: Page) -> None:
    ids.update(record.id for record in page.records if record.type == page.stream)
