"""From the landing store to the judged cohort: one person at a time, in order of their id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from fhir_adapter.analysis.adjudication import Decided, decisions, reviews
from fhir_adapter.analysis.agreement import agreement
from fhir_adapter.analysis.endpoint_findings import endpoint_findings
from fhir_adapter.analysis.endpoints import event_times
from fhir_adapter.cohort.estimate import Estimate, EventTime, NotInEndpoint
from fhir_adapter.cohort.events import AdverseEvent
from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.cohort.flow import FlowRow, flow
from fhir_adapter.cohort.judgement import Excluded, Judgement
from fhir_adapter.cohort.review import Rulings
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject, in_order
from fhir_adapter.errors import UsageError
from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.fhir.r4 import Patient, decode
from fhir_adapter.fhir.record import Record, Unreadable
from fhir_adapter.mapping.assemble import Assembled, assemble
from fhir_adapter.mapping.patient import groups, survivors
from fhir_adapter.mapping.reading import SetAside, Unmapped, set_aside
from fhir_adapter.mapping.study import StudyFolder
from fhir_adapter.pipeline.aliases import recall_urns, under_other_names
from fhir_adapter.pipeline.fetching.passed_over import recall_passed_over
from fhir_adapter.pipeline.homes import Homes
from fhir_adapter.publish.adjudication_table import adjudication_table
from fhir_adapter.publish.cohort_tables import cohort_tables, count_by
from fhir_adapter.rules.judge import judge
from fhir_adapter.store import View


@dataclass(frozen=True)
class Cohort:
    """Everybody, judged: who is in, who left where, what was set aside, and the times to the study's endpoints."""

    study: Study
    judgements: tuple[Judgement, ...]
    excluded: tuple[Excluded, ...]
    flow: tuple[FlowRow, ...]
    times: tuple[EventTime, ...]
    contradictions: tuple[NotInEndpoint, ...]
    set_aside: tuple[SetAside, ...]
    unmapped: tuple[Unmapped, ...]
    rulings: Rulings

    @cached_property
    def _everyone(self) -> dict[str, Judgement | Excluded]:
        """Everybody by subject id, in order of the ids."""
        everyone: list[Judgement | Excluded] = [*self.judgements, *self.excluded]
        return {one.subject.subject_id: one for one in sorted(everyone, key=lambda one: one.subject.subject_id)}

    @cached_property
    def _endpoints(self) -> dict[str, tuple[list[EventTime], list[NotInEndpoint]]]:
        """The times to the endpoints, and the endpoints left, by subject id."""
        found: dict[str, tuple[list[EventTime], list[NotInEndpoint]]] = {}
        for time in self.times:
            found.setdefault(time.subject_id, ([], []))[0].append(time)
        for left in self.contradictions:
            found.setdefault(left.subject_id, ([], []))[1].append(left)
        return found

    def findings(self) -> Iterator[tuple[str, tuple[AnyFinding, ...]]]:
        """The findings about everybody, by subject id."""
        return ((subject_id, self._findings_about(subject_id)) for subject_id in self._everyone)

    def findings_of(self, patient: str) -> tuple[str, tuple[AnyFinding, ...]] | None:
        """The surviving id and the findings of the person with this Patient id, or None."""
        for subject_id, one in self._everyone.items():
            if patient in one.subject.patient_ids:
                return subject_id, self._findings_about(subject_id)
        return None

    def _findings_about(self, subject_id: str) -> tuple[AnyFinding, ...]:
        """First whether the person belongs to the cohort, then rule by rule, then the endpoints."""
        one = self._everyone[subject_id]
        told = tuple(one.findings()) if isinstance(one, Judgement) else one.findings
        times, left = self._endpoints.get(subject_id, ([], []))
        return (one.eligibility, *told, *endpoint_findings(times, left, self.study))

    @cached_property
    def decided(self) -> tuple[Decided, ...]:
        """What became of every line of the adjudication file."""
        named = {one.person for one in self.rulings.rulings}
        about = {key: named.intersection(one.subject.patient_ids) for key, one in self._everyone.items()}
        subject_of = {id: key for key, ids in about.items() for id in ids}
        return decisions(self.rulings, subject_of, {key: self._findings_about(key) for key in subject_of.values()})

    @cached_property
    def agreement(self) -> tuple[Estimate, ...]:
        """How often the rules and the reviewers agree."""
        return agreement(reviews(self.decided), self.study)

    def files(self) -> dict[str, bytes]:
        """The files of `cohort/` by name."""
        rejects = count_by(((one.reason, one.type) for one in self.set_aside), (one.source for one in self.set_aside))
        unmapped = count_by(
            ((one.table, one.system, one.code, one.text) for one in self.unmapped),
            (one.source for one in self.unmapped),
        )
        tables = cohort_tables(
            self.judgements, self.flow, self.contradictions, rejects, unmapped, self.findings(), self.study
        )
        return {**tables, "adjudication.csv": adjudication_table(self.decided)}


def build(view: View, folder: StudyFolder) -> Cohort:
    """Map and judge everybody in the store, as it is or as it was."""
    return build_from(
        view.current(), view.quarantine(), folder, Homes.of(view), recall_urns(view), recall_passed_over(view)
    )


def build_from(
    records: Iterable[Record],
    quarantined: Sequence[Quarantined],
    folder: StudyFolder,
    homes: Homes,
    urns: Mapping[str, str],
    passed_over: int = 0,
) -> Cohort:
    """Map and judge everybody among the records. The order of the records does not matter. `urns` are other names of
    resources: `Type/id` by `urn:uuid:...`; `passed_over` counts the Patients of whom nothing was read.
    """
    by_person: dict[str, list[Record]] = {}
    elsewhere: list[Record] = []
    for record in records:
        (by_person.setdefault(record.person, []) if homes.holds_patient_of(record) else elsewhere).append(record)
    patients, unreadable = _patients(by_person)
    survivor_of = survivors(patients, homes.is_own)
    shared = by_person.pop("", [])
    reader = folder.reader([*shared, *under_other_names(shared, urns)], homes.base_url)
    judged: list[Judgement | Excluded] = []
    aside: list[SetAside] = [
        *unreadable,
        *(set_aside(one, "patient-on-another-server") for one in elsewhere),
        *(set_aside(one, "about-no-patient") for one in shared if one.type != "Medication"),
        *_strangers(by_person, survivor_of),
        *_in_quarantine(quarantined),
        *(
            SetAside("patient-not-among-the-data", "AdverseEvent", str(one.source))
            for one in folder.side_car.strangers(frozenset(survivor_of))
        ),
    ]
    unmapped: list[Unmapped] = []
    for survivor, ids in groups(survivor_of).items():
        own = (record for one in ids for record in by_person[one])
        person: Assembled = assemble(survivor, ids, own, reader, folder.study.roles.car_t)
        aside += person.set_aside
        unmapped += person.unmapped
        if person.subject:
            seen = _with(folder.side_car.about(ids), person.subject)
            judged.append(judge(seen, folder.study, folder.rulings.about(ids)))
    _check_rulings(folder.rulings, judged)
    included = tuple(one for one in judged if isinstance(one, Judgement))
    excluded = tuple(one for one in judged if isinstance(one, Excluded))
    timed = [event_times(one, folder.study) for one in included]
    return Cohort(
        study=folder.study,
        judgements=included,
        excluded=excluded,
        flow=_flow(survivor_of, unreadable, quarantined, excluded, passed_over),
        times=tuple(time for times, _ in timed for time in times),
        contradictions=tuple(one for _, left in timed for one in left),
        set_aside=tuple(sorted(aside)),
        unmapped=tuple(sorted(unmapped)),
        rulings=folder.rulings,
    )


def _check_rulings(rulings: Rulings, judged: Sequence[Judgement | Excluded]) -> None:
    """A decision about somebody who is not among the data is a slip that would otherwise never be noticed."""
    people = frozenset(id for one in judged for id in one.subject.patient_ids)
    if lines := [str(one.line) for one in rulings.strangers(people)]:
        raise UsageError(
            f"the adjudication file is about people who are not among the data: line {', '.join(lines)}",
            "write the logical id of the Patient as in subjects.csv, or take these lines away",
        )


def _with(events: Sequence[AdverseEvent], person: Subject) -> Subject:
    """The person with the adverse events that the site keeps beside the server."""
    return (
        person.model_copy(update={"adverse_events": in_order([*person.adverse_events, *events])}) if events else person
    )


def _patients(by_person: dict[str, list[Record]]) -> tuple[dict[str, Patient], list[SetAside]]:
    """Every Patient by id, and those that cannot be read."""
    found: dict[str, Patient] = {}
    unreadable: list[SetAside] = []
    for record in (record for records in by_person.values() for record in records if record.type == "Patient"):
        try:
            resource = decode(record.body)
        except Unreadable as problem:
            unreadable.append(set_aside(record, problem.reason))
            continue
        if isinstance(resource, Patient):
            found[record.id] = resource
    return found, unreadable


def _strangers(by_person: dict[str, list[Record]], survivor_of: dict[str, str]) -> Iterator[SetAside]:
    """Resources about somebody whose Patient is not among the data, or whose links form a circle."""
    for person, records in by_person.items():
        if person and person not in survivor_of:
            yield from (set_aside(one, "patient-not-among-the-data") for one in records)
        elif person and not survivor_of[person]:
            yield from (set_aside(one, "patient-links-unusable") for one in records)


def _in_quarantine(quarantined: Sequence[Quarantined]) -> Iterator[SetAside]:
    for one in quarantined:
        yield SetAside(f"quarantined: {one.reason}", one.type or "unknown", f"{one.type}/{one.id}" if one.id else "")


def _flow(
    survivor_of: dict[str, str],
    unreadable: list[SetAside],
    quarantined: Sequence[Quarantined],
    excluded: Sequence[Excluded],
    passed_over: int,
) -> tuple[FlowRow, ...]:
    """The attrition, from every Patient resource that the source holds."""
    set_aside = len({one.id for one in quarantined if one.type == "Patient"} - set(survivor_of)) + len(unreadable)
    exits = Counter((one.exit.step, one.exit.reason) for one in excluded)
    exits["person", "patient_unusable"] = set_aside + sum(1 for survivor in survivor_of.values() if not survivor)
    exits["person", "merged_into_another"] = sum(
        1 for one, survivor in survivor_of.items() if survivor and one != survivor
    )
    exits["person", "no_treatment_of_the_study"] = passed_over
    return flow(len(survivor_of) + set_aside + passed_over, {key: count for key, count in exits.items() if count})
