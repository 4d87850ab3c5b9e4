"""A whole fetch from a server: patients first, then everything about them, and at last what is gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.plan import StreamPlan
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import FhirAdapterError
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline.fetching.course import Course, Steps, ends_the_run
from fhir_adapter.pipeline.fetching.crew import Crew
from fhir_adapter.pipeline.fetching.doubts import Doubts
from fhir_adapter.pipeline.fetching.exporting import Exporting
from fhir_adapter.pipeline.fetching.landing import Fetched, Landing, Retried
from fhir_adapter.pipeline.fetching.manner import Manner
from fhir_adapter.pipeline.fetching.memory import StreamMemory
from fhir_adapter.pipeline.fetching.people import People
from fhir_adapter.pipeline.fetching.quarantine import retry_quarantine
from fhir_adapter.pipeline.homes import remember_aliases
from fhir_adapter.pipeline.planning import FetchPlan
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

_MERGERS = 10  # rounds of Patients who were merged with Patients who were merged ...


@dataclass(frozen=True)
class Source:
    """A server, and what is asked of it for whom."""

    transport: Transport
    plan: FetchPlan


def land_server(
    source: Source, settings: Settings, manner: Manner, store: Store, started_at: str, say: Progress
) -> Fetched:
    """Bring the store up to date. What is missing is in the ledger; what ends the run is raised after it was written
    there.
    """
    remember_aliases(store, settings.base_url_aliases)
    types = [stream.type for stream in source.plan.streams]
    landing = Landing(store, store.begin_run(started_at), say, types)
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
        self._source, self._settings, self._store = source, settings, store
        self._landing, self._manner, self._say = landing, manner, say
        population = source.plan.population
        whom = " ".join(filter(None, (population.kind, population.name)))
        self._memory = StreamMemory(store, landing.run, settings, whom, full=manner.full, say=say)
        self._people = People(population, store)
        self._doubts = Doubts(store, landing, settings.max_deleted_share, accepted=manner.accept_deletions)
        # What is there of a type: None for all that came in this run, or ids. Of other types nothing is known.
        self._there: dict[str, set[str] | None] = {}

    def everything(self) -> Fetched:
        streams = self._source.plan.streams
        for plan in streams:
            if plan.how == "unsupported":
                self._pass_by(plan)
        retried = self._retry() if self._manner.retry_quarantine else ()
        exported = [plan for plan in streams if plan.how == "export"]
        searched = [plan for plan in streams if plan.how not in ("export", "unsupported")]
        with Crew(self._settings.concurrency) as crew:
            searched += self._export(exported) if exported else ()
            self._search(crew, [plan for plan in searched if plan.type == "Patient"])
            for plan in (plan for plan in streams if plan.type == "Patient"):
                self._follow_mergers(crew, plan)
            self._search(crew, [plan for plan in searched if plan.type != "Patient"])
            self._catch_up(crew, [plan for plan in exported if plan.type not in {one.type for one in searched}])
        self._take_out()
        return self._landing.finish(retried)

    def _pass_by(self, plan: StreamPlan) -> None:
        """What was never fetched is unknown; what was, and cannot be fetched any more, is out of date."""
        if not self._store.count(plan.type):
            self._landing.pass_by(plan.type, plan.reason)
        else:
            self._landing.fail(plan.type, f"{plan.reason} What earlier runs fetched of it is out of date.")
            self._landing.close(plan.type)

    def _retry(self) -> tuple[Retried, ...]:
        return retry_quarantine(self._store, self._landing, self._source.transport)

    def _export(self, plans: Sequence[StreamPlan]) -> Sequence[StreamPlan]:
        """Take these types in bulk; those that have to be searched for all the same."""
        exporting = Exporting(self._source.transport, self._source.plan, self._settings, self._store, self._memory)
        folder = OutputFolder(self._settings.out).export
        exporting.land(plans, folder, self._landing, self._say)
        lacked = {plan.type for plan in exporting.lacked} | set(exporting.unknown)
        if exporting.in_full:
            self._there |= dict.fromkeys(plan.type for plan in plans if plan.type not in lacked)
        if self._source.plan.population.hidden:
            self._people.reveal()
        return exporting.lacked

    def _catch_up(self, crew: Crew, plans: Sequence[StreamPlan]) -> None:
        """An export of what changed shows nothing older of those who joined since, nor of those merged with others."""
        people = self._people.newcomers() if not self._people.everybody else ()
        courses = [self._course(replace(plan, how="person", people=people)) for plan in plans if plan.person_param]
        self._follow(crew, courses if people else ())

    def _search(self, crew: Crew, plans: Sequence[StreamPlan]) -> None:
        people = self._people.ids if plans else ()
        courses = [self._course(plan.for_people(people)) for plan in plans]
        self._follow(crew, courses)
        self._there |= {course.plan.type: course.seen for course in courses if course.is_swept}

    def _course(self, plan: StreamPlan) -> Course:
        return Course(self._source.transport, plan, self._settings, self._store, self._memory, self._landing)

    def _follow_mergers(self, crew: Crew, plan: StreamPlan) -> None:
        """Patients whom somebody on the list was merged with belong to them."""
        for _ in range(_MERGERS):
            if not (merged := self._people.merged()):
                return
            self._follow(crew, [self._course(replace(plan, how="person", people=merged))])
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

    def _take_out(self) -> None:
        """Take out who left and what is gone, unless that is too much to be believed, or something is missing."""
        if not self._landing.is_whole:
            return
        strangers = self._people.strangers()
        if self._doubts.refuses_leaving(strangers):
            return
        self._store.withdraw(self._landing.run, strangers)
        if [type for type, there in self._there.items() if self._doubts.refuses(type, there)]:
            return
        for type, there in self._there.items():
            self._store.sweep(self._landing.run, type, there)
            self._memory.swept(type)
