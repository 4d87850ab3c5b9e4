"""Whom a folder is read about: everybody with a record of the study's antibodies or of CAR-T, given or not.

A drug whose code is of a system that the study's tables do not cover may be one of them, so it counts as such a record.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from fhir_adapter.ehr.discover import Seen, discover
from fhir_adapter.ehr.folder import FolderFile
from fhir_adapter.errors import StreamIncomplete
from fhir_adapter.fhir.r4 import (
    WEAKER_EVIDENCE,
    CodeableConcept,
    MedicationAdministration,
    MedicationDispense,
    MedicationRequest,
    MedicationStatement,
    Patient,
    Procedure,
    Resource,
)
from fhir_adapter.fhir.record import Record, patient_id, read_record
from fhir_adapter.mapping.medication import names_of
from fhir_adapter.mapping.reading import Reader
from fhir_adapter.mapping.study import StudyFolder

SHARED = frozenset({"Medication"})
"""Resources that are about nobody; others point to them."""

_TREATMENTS = frozenset({"MedicationAdministration", "Procedure", *WEAKER_EVIDENCE.values()})
_NAMES_DRUG = (MedicationAdministration, MedicationStatement, MedicationDispense, MedicationRequest)
_CELLS_GIVEN = frozenset({"car-t-infusion"})


@dataclass(frozen=True)
class Candidates:
    """`people` are the ids of the Patients to read about; of so many `others` the folder holds a Patient only."""

    people: frozenset[str]
    others: int


def candidates(files: Sequence[FolderFile], folder: StudyFolder, types: Collection[str]) -> Candidates:
    """Look through the treatments in the folder. Records that are merged into one another count as one person.

    People of whom the site says something beside the folder are read about whatever their treatments.
    """
    reader = folder.reader(list(_shared(files)))
    drugs = folder.study.roles.bsab | folder.study.roles.car_t
    found = {*folder.side_car.events, *(one.person for one in folder.rulings.rulings)}
    linked: list[tuple[str, str]] = []
    patients: set[str] = set()
    for file in files:
        for seen in _come_across(file, {*_TREATMENTS.intersection(types), "Patient"}):
            if isinstance(seen.resource, Patient):
                patients.add(seen.resource.id)
                linked += [(seen.resource.id, patient_id(link.other.reference)) for link in seen.resource.link]
            elif _concerns(seen.resource, drugs, reader):
                found.add(seen.person)
    people = frozenset(_with_linked(found - {""}, linked))
    return Candidates(people, len(patients - people))


def _shared(files: Iterable[FolderFile]) -> Iterable[Record]:
    return (seen.record or read_record(seen.body) for file in files for seen in _come_across(file, SHARED))


def _come_across(file: FolderFile, types: Collection[str]) -> Iterator[Seen]:
    """What is found before the end of the file. That it comes too early is told by whoever reads it next."""
    with contextlib.suppress(StreamIncomplete):
        yield from discover(file, types)


def _concerns(resource: Resource, drugs: frozenset[str], reader: Reader) -> bool:
    """Does a treatment name one of these drugs, by any reading of its codes and words?"""
    if isinstance(resource, _NAMES_DRUG):
        names = names_of(resource.medicationCodeableConcept, resource.medicationReference, resource.contained, reader)
        return _may_mean(names, drugs, "medication", reader) or _is_foreign(names, reader)
    if isinstance(resource, Procedure):
        named = [*resource.usedCode, *([resource.code] if resource.code else [])]
        used = [name for one in resource.usedReference for name in names_of(None, one, resource.contained, reader)]
        return _may_mean(named, _CELLS_GIVEN, "procedure", reader) or _may_mean(
            [*named, *used], drugs, "medication", reader
        )
    return False


def _may_mean(names: Iterable[CodeableConcept], wanted: frozenset[str], table: str, reader: Reader) -> bool:
    return any(not wanted.isdisjoint(reader.terms[table].may_mean(name)) for name in names)


def _is_foreign(names: Sequence[CodeableConcept], reader: Reader) -> bool:
    """Is the drug told by nothing but codes of which nobody here can say what they mean?"""
    medication = reader.terms["medication"]
    return any(map(medication.is_foreign, names)) and not any(map(medication.may_mean, names))


def _with_linked(people: set[str], links: Sequence[tuple[str, str]]) -> set[str]:
    """These people, with every Patient that says to be one of them, or is said to be."""
    found, before = set(people), -1
    while len(found) != before:
        before = len(found)
        for one, other in links:
            if other and (one in found or other in found):
                found |= {one, other}
    return found
