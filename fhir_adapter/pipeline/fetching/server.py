"""A whole fetch from a server: patients first, then everything about them, and at last what is gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.plan import StreamPlan
from fhir_adapter.ehr.population import Population
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import FhirAdapterError
from fhir_adapter.pipeline.fetching.course import Course, Steps, ends_the_run
from fhir_adapter.pipeline.fetching.crew import Crew
from fhir_adapter.pipeline.fetching.doubts import Doubts
from fhir_adapter.pipeline.fetching.landing import Fetched, Landing
from fhir_adapter.pipeline.fetching.memory import StreamMemory
from fhir_adapter.pipeline.fetching.people import People
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

_MERGERS = 10  # rounds of Patients who were merged with Patients who were merged ...


@dataclass(frozen=True)
class Manner:
    """How a fetch differs from every other night's: everything anew, and deletions believed however many."""

    full: bool = False
    accept_deletions: bool = False


@dataclass(frozen=True)
class Source:
    """A server, what is asked of it, and for whom."""

    transport: Transport
    streams: tuple[StreamPlan, ...]
    population: Population


def land_server(
    source: Source, settings: Settings, manner: Manner, store: Store, started_at: str, say: Progress
) -> Fetched:
    """Bring the store up to date. What is missing is in the ledger; what ends the run is raised after it was written
    there.
    """
    landing = Landing(store, store.begin_run(started_at), say)
    try:
        return _ServerFetch(source, settings, manner, store, landing, say).everything()
    except FhirAdapterError as problem:
        landing.abandon(problem)
        raise


class _ServerFetch:
    """One run. Only the thread that calls `everything` touches the store."""

    def __init__(
        self, source: Source, settings: Settings, manner: Manner, store: Store, landing: Landing, say: Progress
    ) -> None:
        self._source, self._settings, self._store, self._landing = source, settings, store, landing
        whom = " ".join(filter(None, (source.population.kind, source.population.name)))
        self._memory = StreamMemory(store, landing.run, settings, whom, full=manner.full, say=say)
        self._people = People(source.population, store)
        self._doubts = Doubts(store, landing, settings.max_deleted_share, accepted=manner.accept_deletions)
        self._courses: list[Course] = []

    def everything(self) -> Fetched:
        for plan in self._source.streams:
            if plan.how == "unsupported":
                self._landing.pass_by(plan.type, plan.reason)
        offered = [plan for plan in self._source.streams if plan.how != "unsupported"]
        patients = [plan for plan in offered if plan.type == "Patient"]
        with Crew(self._settings.concurrency) as crew:
            self._fetch(crew, patients)
            for plan in patients:
                self._follow_mergers(crew, plan)
            self._fetch(crew, [plan for plan in offered if plan.type != "Patient"])
        self._close()
        return self._landing.finish()

    def _fetch(self, crew: Crew, plans: Iterable[StreamPlan]) -> None:
        people = self._people.ids
        courses = [self._course(plan.for_people(people)) for plan in plans]
        self._courses += courses
        self._follow(crew, courses)

    def _course(self, plan: StreamPlan) -> Course:
        return Course(self._source.transport, plan, self._settings, self._store, self._memory, self._landing)

    def _follow_mergers(self, crew: Crew, plan: StreamPlan) -> None:
        """Patients whom somebody on the list was merged with belong to them."""
        for _ in range(_MERGERS):
            if not (merged := self._people.merged()):
                return
            self._follow(crew, [self._course(plan.for_people(merged))])
        self._landing.fail("Patient", f"Patient is incomplete: after {_MERGERS} rounds of mergers there were more.")
        self._landing.close("Patient")

    def _follow(self, crew: Crew, courses: Iterable[Course]) -> None:
        """Do the steps of these courses, and land what they bring."""
        under_way = {course.plan.type: course.steps() for course in courses}
        for stream in under_way:
            self._go_on(crew, stream, under_way[stream])
        for step, part, event in crew.events():
            if isinstance(event, Page):
                step.take(part, event)
            elif event is None:
                self._go_on(crew, step.stream, under_way[step.stream])
            elif ends_the_run(event):
                raise event
            else:
                step.problems.append(event)

    def _go_on(self, crew: Crew, stream: str, steps: Steps) -> None:
        if step := next(steps, None):
            crew.add(step)
        else:
            self._landing.close(stream)

    def _close(self) -> None:
        """Take out who left and what is gone, unless that is too much to be believed, or something is missing."""
        if not self._landing.is_whole:
            return
        strangers = self._people.strangers()
        if self._doubts.refuses_leaving(strangers):
            return
        self._store.withdraw(self._landing.run, strangers)
        swept = [course for course in self._courses if course.is_swept]
        if [course for course in swept if self._doubts.refuses(course.plan.type, course.seen)]:
            return
        for course in swept:
            self._store.sweep(self._landing.run, course.plan.type, course.seen)
            self._memory.swept(course.plan.type)
