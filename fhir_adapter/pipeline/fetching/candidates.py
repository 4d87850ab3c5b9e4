"""Whom a folder is read about: everybody with a record of the study's antibodies or of CAR-T, given or not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from fhir_adapter.ehr.discover import Found, discover, holds_only, records_of
from fhir_adapter.ehr.folder import FolderFile
from fhir_adapter.ehr.parts import Part, batches, parts_of
from fhir_adapter.engine import Engine
from fhir_adapter.fhir.r4 import WEAKER_EVIDENCE
from fhir_adapter.mapping.study import StudyFolder
from fhir_adapter.mapping.treatments import Treatments

SHARED = frozenset({"Medication"})
"""Resources that are about nobody; others point to them."""

_TREATMENTS = frozenset({"MedicationAdministration", "Procedure", *WEAKER_EVIDENCE.values()})


@dataclass(frozen=True)
class Candidates:
    """`people` are the ids of the Patients to read about; of so many `others` the folder holds a Patient only."""

    people: frozenset[str]
    others: int

    @property
    def share(self) -> float:
        """What part of the people of the folder they are."""
        return len(self.people) / max(len(self.people) + self.others, 1)


def candidates(
    files: Sequence[FolderFile],
    folder: StudyFolder,
    types: Collection[str],
    engine: Engine,
    *,
    every_line: bool = False,
) -> Candidates:
    """Look through the treatments in the folder. Records that are merged into one another count as one person.

    People of whom the site says something beside the folder are read about whatever their treatments. With `every_line`
    no file is left out for its name.
    """
    if len(list(batches(map(Part, files)))) > 1:
        engine.expect(discover, Treatments.concern)
    named = {file.name: "" if every_line else holds_only(file) for file in files}

    def parts(types: Collection[str]) -> list[tuple[Part, ...]]:
        chosen = (file for file in files if named[file.name] in {"", *types})
        return list(batches(part for file in chosen for part in parts_of(file)))

    shared = [one for records in engine.map(partial(records_of, SHARED), parts(SHARED)) for one in records]
    drugs = folder.study.roles.bsab | folder.study.roles.car_t
    treatments = _TREATMENTS.intersection(types)
    matters = Treatments(drugs, folder.reader(shared)).concern
    found = _together(engine.map(partial(discover, treatments, matters), parts({*treatments, "Patient"})))
    said = {*folder.side_car.events, *(one.person for one in folder.rulings.rulings)}
    people = frozenset(_with_linked((found.people | said) - {""}, found.links))
    return Candidates(people, len(found.patients - people))


def _together(parts: Iterable[Found]) -> Found:
    found = Found()
    for one in parts:
        found.people |= one.people
        found.patients |= one.patients
        found.links += one.links
    return found


def _with_linked(people: set[str], links: Sequence[tuple[str, str]]) -> set[str]:
    """These people, with every Patient that says to be one of them, or is said to be."""
    found, before = set(people), -1
    while len(found) != before:
        before = len(found)
        for one, other in links:
            if other and (one in found or other in found):
                found |= {one, other}
    return found
