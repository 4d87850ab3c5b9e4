"""Patient → who the person is, whether they died, and which other Patients are the same person."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from fhir_adapter.cohort.events import Death
from fhir_adapter.cohort.subject import Sex
from fhir_adapter.fhir.r4 import Patient
from fhir_adapter.fhir.record import Record, patient_home, patient_id
from fhir_adapter.mapping.reading import Reader, Said, source_of

_SEXES: Mapping[str, Sex] = {"male": "male", "female": "female", "other": "other"}


def map_patient(resource: Patient, record: Record, reader: Reader) -> Iterator[Said]:
    """The death a Patient states. `deceasedBoolean` true without a date is a death whose day is not known."""
    if resource.deceasedDateTime:
        yield Death(on=reader.date(resource.deceasedDateTime), source=source_of(record, "deceasedDateTime"))
    elif resource.deceasedBoolean:
        yield Death(on=None, source=source_of(record, "deceasedBoolean"))


def sex_of(resource: Patient) -> Sex:
    return _SEXES.get(resource.gender, "unknown")


def survivors(patients: Mapping[str, Patient], is_own: Callable[[str], bool] = lambda _: True) -> dict[str, str]:
    """The surviving Patient id of every Patient id, following `replaced-by` and `replaces` links.

    Ids whose links form a circle, or lead to a Patient that is not among the data, map to an empty string: nobody can
    say who survives. `is_own` tells whether an address is that of the server with the records.
    """
    successor: dict[str, str] = {}
    links = sorted(
        (key, link.type, patient_id(link.other.reference) if is_own(patient_home(link.other.reference)) else "")
        for key, one in patients.items()
        for link in one.link
    )
    for patient, kind, other in links:
        if kind == "replaces" and other in patients and other != patient:
            successor[other] = patient
    # What a replaced Patient says of itself wins.
    for patient, kind, other in links:
        if kind == "replaced-by" and other != patient:
            successor[patient] = other
    return {patient: _last(patient, successor, patients) for patient in patients}


def _last(patient: str, successor: Mapping[str, str], patients: Mapping[str, Patient]) -> str:
    seen = {patient}
    while patient in successor:
        patient = successor[patient]
        if patient in seen:
            return ""
        seen.add(patient)
    return patient if patient in patients else ""


def groups(survivor_of: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The Patient ids of each person, by surviving id; the survivor first."""
    found: dict[str, list[str]] = {}
    for patient, survivor in survivor_of.items():
        if survivor:
            found.setdefault(survivor, []).append(patient)
    return {survivor: _survivor_first(survivor, ids) for survivor, ids in sorted(found.items())}


def _survivor_first(survivor: str, ids: Iterable[str]) -> tuple[str, ...]:
    return (survivor, *sorted(other for other in ids if other != survivor))
