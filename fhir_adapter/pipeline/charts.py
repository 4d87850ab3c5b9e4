"""The records of the landing store, sorted by the people they are about, in batches that are small enough to hold."""

from __future__ import annotations

from collections.abc import Iterator, Set
from functools import cached_property

from fhir_adapter.cohort.tallies import Tallies
from fhir_adapter.fhir.r4 import Patient, decode
from fhir_adapter.fhir.record import Record, Unreadable
from fhir_adapter.judging.person import Chart
from fhir_adapter.mapping.patient import groups, survivors
from fhir_adapter.mapping.reading import Reader, SetAside, set_aside
from fhir_adapter.mapping.study import StudyFolder
from fhir_adapter.pipeline.aliases import recall_urns, under_other_names
from fhir_adapter.pipeline.fetching.passed_over import recall_passed_over
from fhir_adapter.pipeline.homes import Homes
from fhir_adapter.store import View

# A batch is worth more than the way to another process, and a few of them are held at once.
_PEOPLE = 25
_BYTES = 2 * 1024 * 1024

Batch = tuple[Chart, ...]


class Charts:
    """Who is among the data, and everybody's records, read when they are asked for.

    Of the Patients only ids and links are kept. `passed_over` counts those of whom nothing was read.
    """

    def __init__(self, view: View, folder: StudyFolder) -> None:
        self._view, self._folder, self._homes = view, folder, Homes.of(view)
        self._quarantined = view.quarantine()
        self._unreadable: list[SetAside] = []
        self.passed_over = recall_passed_over(view)
        self.survivor_of = survivors(dict(self._links()), self._homes.is_own)
        self._merged = {survivor: ids for survivor, ids in groups(self.survivor_of).items() if len(ids) > 1}

    @cached_property
    def known_ids(self) -> Set[str]:
        """The ids of all Patients of whom it is known who they are."""
        return {one for one, survivor in self.survivor_of.items() if survivor}

    @property
    def patients(self) -> int:
        """How many Patient resources the source holds."""
        return len(self.survivor_of) + self._without_a_patient + self.passed_over

    @property
    def people(self) -> int:
        """How many people there are to judge."""
        return len(self.known_ids) - self.merged

    @property
    def merged(self) -> int:
        """How many Patients are another Patient's."""
        return sum(len(ids) - 1 for ids in self._merged.values())

    @property
    def unusable(self) -> int:
        """How many Patients nobody can be judged by."""
        return self._without_a_patient + len(self.survivor_of) - len(self.known_ids)

    @property
    def _without_a_patient(self) -> int:
        quarantined = {one.id for one in self._quarantined if one.type == "Patient"}
        return len(quarantined - set(self.survivor_of)) + len(self._unreadable)

    def _links(self) -> Iterator[tuple[str, Patient]]:
        """Every Patient by id, of whom nothing is left but the links."""
        without = Patient()
        for record in filter(self._homes.holds_patient_of, self._view.of_type("Patient")):
            try:
                resource = decode(record.body)
            except Unreadable as problem:
                self._unreadable.append(set_aside(record, problem.reason))
                continue
            if isinstance(resource, Patient):
                yield record.id, Patient(link=resource.link) if resource.link else without

    def reader(self) -> Reader:
        """The tables of the study, with what is shared by everybody."""
        shared = [one for one in self._view.shared() if self._homes.holds_patient_of(one)]
        return self._folder.reader([*shared, *under_other_names(shared, recall_urns(self._view))], self._homes.base_url)

    def tallies(self) -> Tallies:
        """What gave nothing before anybody's records were read."""
        found = Tallies()
        for one in (*self._unreadable, *self._in_quarantine(), *self._strangers_beside()):
            found.add_not_used((one.reason, one.type), one.source)
        return found

    def _in_quarantine(self) -> Iterator[SetAside]:
        for one in self._quarantined:
            source = f"{one.type}/{one.id}" if one.id else ""
            yield SetAside(f"quarantined: {one.reason}", one.type or "unknown", source)

    def _strangers_beside(self) -> Iterator[SetAside]:
        for one in self._folder.side_car.strangers(frozenset(self.survivor_of)):
            yield SetAside("patient-not-among-the-data", "AdverseEvent", str(one.source))

    def of(self, patient: str) -> Chart | None:
        """The chart of the person with this Patient id, or one merged into them."""
        survivor = self.survivor_of.get(patient)
        if not survivor:
            return None
        return self._chart(survivor, self._own(self._view.of_person(survivor), Tallies()))

    def batches(self, tallies: Tallies) -> Iterator[Batch]:
        """Everybody, in order of their id, some at a time. Records that are of nobody's chart are counted."""
        batch: list[Chart] = []
        size = 0
        for chart in self._charts(tallies):
            batch.append(chart)
            size += sum(len(record.body) for record in chart.records)
            if len(batch) == _PEOPLE or size >= _BYTES:
                yield tuple(batch)
                batch, size = [], 0
        if batch:
            yield tuple(batch)

    def _charts(self, tallies: Tallies) -> Iterator[Chart]:
        for person, records in self._view.by_person():
            own = self._own(records, tallies)
            survivor = self.survivor_of.get(person)
            if reason := _of_nobody(person, survivor):
                for one in own:
                    if person or one.type != "Medication":
                        tallies.add_not_used((reason, one.type), one.source)
            elif survivor == person:  # records of another id of a person are read with those of this one
                yield self._chart(person, own)

    def _own(self, records: list[Record], tallies: Tallies) -> list[Record]:
        """Those about a Patient of this source: on another server the same id is somebody else."""
        own = []
        for one in records:
            if self._homes.holds_patient_of(one):
                own.append(one)
            else:
                tallies.add_not_used(("patient-on-another-server", one.type), one.source)
        return own

    def _chart(self, survivor: str, own: list[Record]) -> Chart:
        ids = self._merged.get(survivor, (survivor,))
        for other in ids[1:]:
            own = own + self._own(self._view.of_person(other), Tallies())
        return Chart(survivor, ids, tuple(own))


def _of_nobody(person: str, survivor: str | None) -> str:
    """Why records are of nobody's chart; empty if they are of one."""
    if not person:
        return "about-no-patient"
    if survivor is None:
        return "patient-not-among-the-data"
    return "" if survivor else "patient-links-unusable"
