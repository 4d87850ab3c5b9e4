"""Whom a folder is read about: everybody with a record of the study's antibodies or of CAR-T, given or not.

A drug whose code is of a system that the study's tables do not cover may be one of them, so it counts as such a record.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

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
_REMEMBERED = 1 << 14
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
    drugs = folder.study.roles.bsab | folder.study.roles.car_t
    treatments = _Treatments(drugs, folder.reader(list(_shared(files))))
    found = {*folder.side_car.events, *(one.person for one in folder.rulings.rulings)}
    linked: list[tuple[str, str]] = []
    patients: set[str] = set()
    for file in files:
        for seen in _come_across(file, {*_TREATMENTS.intersection(types), "Patient"}):
            if isinstance(seen.resource, Patient):
                patients.add(seen.resource.id)
                linked += [(seen.resource.id, patient_id(link.other.reference)) for link in seen.resource.link]
            elif treatments.concern(seen.resource):
                found.add(seen.person)
    people = frozenset(_with_linked(found - {""}, linked))
    return Candidates(people, len(patients - people))


def _shared(files: Iterable[FolderFile]) -> Iterable[Record]:
    return (seen.record or read_record(seen.body) for file in files for seen in _come_across(file, SHARED))


def _come_across(file: FolderFile, types: Collection[str]) -> Iterator[Seen]:
    """What is found before the end of the file. That it comes too early is told by whoever reads it next."""
    with contextlib.suppress(StreamIncomplete):
        yield from discover(file, types)


class _Treatments:
    """Which treatments name one of these drugs, or cells that are given, by any reading of their codes and words."""

    def __init__(self, drugs: frozenset[str], reader: Reader) -> None:
        self._drugs, self._reader = drugs, reader
        # A hospital gives the same few drugs a million times.
        self._may_be_drug = lru_cache(maxsize=_REMEMBERED)(self._named_drug)
        self._may_be_given = lru_cache(maxsize=_REMEMBERED)(self._named_procedure)

    def concern(self, resource: Resource) -> bool:
        if isinstance(resource, _NAMES_DRUG):
            concept, reference = resource.medicationCodeableConcept, resource.medicationReference
            return self._may_be_drug(tuple(names_of(concept, reference, resource.contained, self._reader)))
        if isinstance(resource, Procedure):
            named = (*resource.usedCode, *([resource.code] if resource.code else []))
            return self._may_be_given(named, tuple(self._used(resource)))
        return False

    def _used(self, resource: Procedure) -> Iterator[CodeableConcept]:
        for one in resource.usedReference:
            yield from names_of(None, one, resource.contained, self._reader)

    def _named_procedure(self, named: tuple[CodeableConcept, ...], used: tuple[CodeableConcept, ...]) -> bool:
        given = self._may_mean(named, _CELLS_GIVEN, "procedure")
        return given or self._may_mean((*named, *used), self._drugs, "medication")

    def _named_drug(self, names: tuple[CodeableConcept, ...]) -> bool:
        return self._may_mean(names, self._drugs, "medication") or self._is_foreign(names)

    def _may_mean(self, names: Iterable[CodeableConcept], wanted: frozenset[str], table: str) -> bool:
        return any(not wanted.isdisjoint(self._reader.terms[table].may_mean(name)) for name in names)

    def _is_foreign(self, names: Sequence[CodeableConcept]) -> bool:
        """Is the drug told by nothing but codes of which nobody here can say what they mean?"""
        medication = self._reader.terms["medication"]
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
