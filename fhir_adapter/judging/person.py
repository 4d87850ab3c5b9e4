"""One person: map → judge → times to the endpoints, all of it told as findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct

from fhir_adapter.analysis.endpoint_findings import endpoint_findings
from fhir_adapter.analysis.endpoints import event_times
from fhir_adapter.cohort.estimate import EventTime, NotInEndpoint
from fhir_adapter.cohort.events import AdverseEvent
from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.cohort.judgement import Excluded, Judgement
from fhir_adapter.cohort.subject import Subject, in_order
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.assemble import Assembled, assemble
from fhir_adapter.mapping.reading import Reader
from fhir_adapter.mapping.study import StudyFolder
from fhir_adapter.rules.judge import judge


class Chart(Struct, frozen=True):
    """The records about one person: the surviving Patient id, all ids of the person (that one first), the records."""

    subject_id: str
    patient_ids: tuple[str, ...]
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Told:
    """Everything about one person: how they were judged, their times, and all findings in the order of a reader.

    First whether the person belongs to the cohort, then rule by rule, then the endpoints. `left` are the endpoints that
    the person leaves.
    """

    judged: Judgement | Excluded
    times: tuple[EventTime, ...]
    left: tuple[NotInEndpoint, ...]
    findings: tuple[AnyFinding, ...]

    @property
    def subject(self) -> Subject:
        return self.judged.subject


def tell_of(chart: Chart, folder: StudyFolder, reader: Reader) -> tuple[Told | None, Assembled]:
    """The person, and what was set aside or not known on the way; None if the Patient cannot be read."""
    study, ids = folder.study, chart.patient_ids
    mapped = assemble(chart.subject_id, ids, chart.records, reader, study.roles.car_t)
    if mapped.subject is None:
        return None, mapped
    judged = judge(_with(folder.side_car.about(ids), mapped.subject), study, folder.rulings.about(ids))
    if isinstance(judged, Excluded):
        return Told(judged, (), (), (judged.eligibility, *judged.findings)), mapped
    times, left = event_times(judged, study)
    findings = (judged.eligibility, *judged.findings(), *endpoint_findings(times, left, study))
    return Told(judged, times, left, findings), mapped


def _with(events: Sequence[AdverseEvent], person: Subject) -> Subject:
    """The person with the adverse events that the site keeps beside the server."""
    return (
        person.model_copy(update={"adverse_events": in_order([*person.adverse_events, *events])}) if events else person
    )
