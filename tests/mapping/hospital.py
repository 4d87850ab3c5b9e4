"""What an EHR would send about one person, as plain JSON, and what the real study sees of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from fhir_adapter.cohort.events import Event
from fhir_adapter.cohort.subject import EVENT_FIELDS, Subject
from fhir_adapter.fhir.record import Record, read_record
from fhir_adapter.mapping.assemble import Assembled, assemble
from fhir_adapter.mapping.study import StudyFolder, read_study

Json = dict[str, Any]

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
NCIT = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
MEDDRA = "http://terminology.hl7.org/CodeSystem/mdr"
CPT = "http://www.ama-assn.org/go/cpt"
ICD10PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
GERMAN_ATC = "http://fhir.de/CodeSystem/bfarm/atc"
AE_GRADE = "http://hl7.org/fhir/uv/ae-research-ig/StructureDefinition/ae-grade"

PERSON: Json = {"resourceType": "Patient", "id": "p1", "meta": {"versionId": "1"}, "gender": "female"}


@cache
def study(**overrides: str) -> StudyFolder:
    """The reference study, with parameters that win over its file."""
    return read_study("bsab-cart-dlbcl", overrides)


def record(resource: Json) -> Record:
    return read_record(json.dumps(resource, ensure_ascii=False).encode())


def about(kind: str, **elements: Any) -> Json:
    """A resource of the person p1: `r1` in version 3, unless said otherwise."""
    return {
        "resourceType": kind,
        "id": "r1",
        "meta": {"versionId": "3"},
        "subject": {"reference": "Patient/p1"},
        **elements,
    }


def concept(*coded: tuple[str, str] | tuple[str, str, str], text: str = "") -> Json:
    """A CodeableConcept from (system, code[, display]) and a text."""
    codings = [dict(zip(("system", "code", "display"), one, strict=False)) for one in coded]
    return ({"coding": codings} if codings else {}) | ({"text": text} if text else {})


def observation(code: Json, on: str = "2024-05-01", **elements: Any) -> Json:
    return about("Observation", status="final", code=code, effectiveDateTime=on, **elements)


def read(*resources: Json, shared: Sequence[Json] = (), person: Json = PERSON, **overrides: str) -> Assembled:
    """Everything the study reads from the resources of one person; `shared` are Medications."""
    folder = study(**overrides)
    records = [record(one) for one in (person, *resources)]
    reader = folder.reader([record(one) for one in shared])
    return assemble(str(person["id"]), (str(person["id"]),), records, reader, folder.study.roles.car_t)


def seen(*resources: Json, **named: Any) -> Subject:
    """The person, when something can be made of the Patient."""
    subject = read(*resources, **named).subject
    assert subject is not None
    return subject


def facts(subject: Subject) -> list[Event]:
    """Every event but the proofs of being alive."""
    return [event for name in EVENT_FIELDS if name != "contacts" for event in getattr(subject, name)]


def reasons(assembled: Assembled) -> list[str]:
    return [one.reason for one in assembled.set_aside]


def nothing_but(reason: str, assembled: Assembled) -> None:
    """Exactly one resource was set aside for this reason, and it left no fact."""
    assert assembled.subject is not None
    assert facts(assembled.subject) == []
    assert reasons(assembled) == [reason]
