"""Everything about one person → Subject; what gives no event is said with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from fhir_adapter.cohort.events import (
    AdverseEvent,
    Assessment,
    Collection,
    Contact,
    Death,
    Decision,
    Diagnosis,
    DiseaseSite,
    Dose,
    Event,
    Infusion,
    Karnofsky,
    Lab,
    Lesion,
    Performance,
    RecordedScore,
    SiteCount,
    Source,
    Staging,
    Therapy,
    Transfusion,
)
from fhir_adapter.cohort.subject import Subject, in_order
from fhir_adapter.fhir import r4
from fhir_adapter.fhir.record import Record, Unreadable
from fhir_adapter.mapping.adverse_event import map_adverse_event
from fhir_adapter.mapping.condition import map_condition
from fhir_adapter.mapping.diagnostic_report import map_report
from fhir_adapter.mapping.encounter import map_encounter
from fhir_adapter.mapping.medication_administration import map_administration
from fhir_adapter.mapping.medication_dispense import map_dispense
from fhir_adapter.mapping.medication_request import map_request
from fhir_adapter.mapping.medication_statement import map_statement
from fhir_adapter.mapping.observation import map_observation
from fhir_adapter.mapping.patient import map_patient, sex_of
from fhir_adapter.mapping.procedure import map_procedure
from fhir_adapter.mapping.reading import Reader, Said, SetAside, Unmapped, set_aside
from fhir_adapter.mapping.specimen import map_specimen

E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Assembled:
    """One person as the study sees them, and what was set aside or not known on the way.

    `subject` is None when the person's Patient resource is missing or cannot be read.
    """

    subject: Subject | None
    set_aside: tuple[SetAside, ...]
    unmapped: tuple[Unmapped, ...]


def assemble(
    subject_id: str,
    patient_ids: tuple[str, ...],
    records: Iterable[Record],
    reader: Reader,
    car_t: frozenset[str],
) -> Assembled:
    """Map all records of one person. The order of the records does not matter."""
    said: list[Said] = []
    patients: dict[str, tuple[r4.Patient, Record]] = {}
    # The Patient first: what a laboratory calls normal depends on sex and age.
    for record in sorted(records, key=lambda record: (record.type != "Patient", record.type, record.id)):
        try:
            resource = r4.decode(record.body)
        except Unreadable as problem:
            said.append(set_aside(record, problem.reason))
            continue
        if isinstance(resource, r4.Patient):
            patients[record.id] = (resource, record)
            if record.id == subject_id:
                reader = replace(reader, sex=sex_of(resource), birth=reader.date(resource.birthDate))
        said += map_resource(resource, record, reader, car_t)
    aside = tuple(sorted(item for item in said if isinstance(item, SetAside)))
    unmapped = tuple(
        sorted(msgspec.structs.replace(item, person=subject_id) for item in said if isinstance(item, Unmapped))
    )
    events = [item for item in said if isinstance(item, Event)]
    if subject_id not in patients:
        return Assembled(None, aside, unmapped)
    survivor, record = patients[subject_id]
    return Assembled(_subject(survivor, record, patient_ids, events, reader), aside, unmapped)


def map_resource(resource: r4.Resource, record: Record, reader: Reader, car_t: frozenset[str]) -> Iterator[Said]:
    """One mapper per resource type."""
    match resource:
        case r4.Patient():
            yield from map_patient(resource, record, reader)
        case r4.MedicationAdministration():
            yield from map_administration(resource, record, reader, car_t)
        case r4.MedicationStatement():
            yield from map_statement(resource, record, reader, car_t)
        case r4.MedicationDispense():
            yield from map_dispense(resource, record, reader, car_t)
        case r4.MedicationRequest():
            yield from map_request(resource, record, reader, car_t)
        case r4.Observation():
            yield from map_observation(resource, record, reader)
        case r4.AdverseEvent():
            yield from map_adverse_event(resource, record, reader)
        case r4.Procedure():
            yield from map_procedure(resource, record, reader, car_t)
        case r4.Condition():
            yield from map_condition(resource, record, reader)
        case r4.Encounter():
            yield from map_encounter(resource, record, reader)
        case r4.DiagnosticReport():
            yield from map_report(resource, record, reader)
        case r4.Specimen():
            yield from map_specimen(resource, record, reader)
        case r4.Medication():
            # Read when something points to it.
            return


def _subject(
    patient: r4.Patient, record: Record, patient_ids: tuple[str, ...], events: list[Event], reader: Reader
) -> Subject:
    return Subject(
        subject_id=record.id,
        patient_ids=patient_ids,
        sex=sex_of(patient),
        birth=reader.date(patient.birthDate),
        source=Source(reference=record.reference, version=record.version, element="birthDate"),
        diagnoses=_of(Diagnosis, events),
        doses=_of(Dose, events),
        collections=_of(Collection, events),
        infusions=_of(Infusion, events),
        therapies=_of(Therapy, events),
        transfusions=_of(Transfusion, events),
        stagings=_of(Staging, events),
        performances=_of(Performance, events),
        karnofsky=_of(Karnofsky, events),
        lesions=_of(Lesion, events),
        disease_sites=_of(DiseaseSite, events),
        site_counts=_of(SiteCount, events),
        recorded_scores=_of(RecordedScore, events),
        assessments=_of(Assessment, events),
        labs=_of(Lab, events),
        adverse_events=_of(AdverseEvent, events),
        decisions=_of(Decision, events),
        deaths=_deaths(events),
        contacts=_of(Contact, events),
    )


def _of(kind: type[E], events: list[Event]) -> tuple[E, ...]:
    return in_order([event for event in events if type(event) is kind])


def _deaths(events: list[Event]) -> tuple[Death, ...]:
    """The deaths; a record about the death gives its day only where no other record does."""
    found = _of(Death, events)
    dated = any(one.on and not one.reported for one in found)
    return tuple(one for one in found if not (dated and one.reported))
