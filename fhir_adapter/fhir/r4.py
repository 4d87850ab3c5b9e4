"""Read lenses: the elements of FHIR R4 resources that we use, decoded straight from the bytes.

Decimals are exact and dates stay as written (`str`), because FHIR dates may be partial. Elements that we do not use
are skipped. `decode(type, body)` gives the lens of a type, or None for a type we do not read.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache, reduce
from operator import attrgetter, or_
from typing import TypeAlias, get_args

import msgspec

from fhir_adapter.fhir.record import Unreadable


class Coding(msgspec.Struct, frozen=True, gc=False):
    system: str = ""
    code: str = ""
    display: str = ""


class CodeableConcept(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    coding: tuple[Coding, ...] = ()
    text: str = ""


class Identifier(msgspec.Struct, frozen=True, gc=False):
    system: str = ""
    value: str = ""


class Reference(msgspec.Struct, frozen=True, gc=False):
    reference: str = ""
    type: str = ""
    display: str = ""
    identifier: Identifier | None = None


class Period(msgspec.Struct, frozen=True, gc=False):
    start: str = ""
    end: str = ""


class Quantity(msgspec.Struct, frozen=True, gc=False):
    value: Decimal | None = None
    comparator: str = ""
    unit: str = ""
    system: str = ""
    code: str = ""


class Extension(msgspec.Struct, frozen=True, gc=False):
    url: str = ""
    valueCodeableConcept: CodeableConcept | None = None
    valueCoding: Coding | None = None
    valueCode: str = ""
    valueInteger: int | None = None
    valueString: str = ""
    extension: tuple[Extension, ...] = ()


class Annotation(msgspec.Struct, frozen=True, gc=False):
    text: str = ""


class Meta(msgspec.Struct, frozen=True, gc=False):
    versionId: str = ""
    lastUpdated: str = ""


class PatientLink(msgspec.Struct, frozen=True, gc=False):
    other: Reference = Reference()
    type: str = ""


class Patient(msgspec.Struct, frozen=True, gc=False, tag_field="resourceType", tag="Patient"):
    id: str = ""
    active: bool | None = None
    gender: str = ""
    birthDate: str = ""
    deceasedBoolean: bool | None = None
    deceasedDateTime: str = ""
    link: tuple[PatientLink, ...] = ()


class Dosage(msgspec.Struct, frozen=True, gc=False):
    dose: Quantity | None = None
    route: CodeableConcept | None = None


class MedicationAdministration(
    msgspec.Struct, frozen=True, gc=False, tag_field="resourceType", tag="MedicationAdministration"
):
    id: str = ""
    identifier: tuple[Identifier, ...] = ()
    partOf: tuple[Reference, ...] = ()
    status: str = ""
    statusReason: tuple[CodeableConcept, ...] = ()
    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    subject: Reference = Reference()
    supportingInformation: tuple[Reference, ...] = ()
    effectiveDateTime: str = ""
    effectivePeriod: Period | None = None
    dosage: Dosage | None = None
    contained: tuple[msgspec.Raw, ...] = ()


class MedicationStatement(msgspec.Struct, frozen=True, gc=False, tag_field="resourceType", tag="MedicationStatement"):
    id: str = ""
    status: str = ""
    statusReason: tuple[CodeableConcept, ...] = ()
    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    subject: Reference = Reference()
    effectiveDateTime: str = ""
    effectivePeriod: Period | None = None
    dateAsserted: str = ""
    contained: tuple[msgspec.Raw, ...] = ()


class MedicationDispense(msgspec.Struct, frozen=True, gc=False, tag_field="resourceType", tag="MedicationDispense"):
    id: str = ""
    status: str = ""
    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    subject: Reference | None = None
    quantity: Quantity | None = None
    whenPrepared: str = ""
    whenHandedOver: str = ""
    contained: tuple[msgspec.Raw, ...] = ()


class Timing(msgspec.Struct, frozen=True, gc=False):
    event: tuple[str, ...] = ()


class DosageInstruction(msgspec.Struct, frozen=True, gc=False):
    timing: Timing | None = None


class MedicationRequest(msgspec.Struct, frozen=True, gc=False, tag_field="resourceType", tag="MedicationRequest"):
    id: str = ""
    status: str = ""
    statusReason: CodeableConcept | None = None
    intent: str = ""
    doNotPerform: bool | None = None
    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    subject: Reference = Reference()
    authoredOn: str = ""
    dosageInstruction: tuple[DosageInstruction, ...] = ()
    contained: tuple[msgspec.Raw, ...] = ()


class Ingredient(msgspec.Struct, frozen=True, gc=False):
    itemCodeableConcept: CodeableConcept | None = None
    itemReference: Reference | None = None


class Batch(msgspec.Struct, frozen=True, gc=False):
    lotNumber: str = ""


class Medication(msgspec.Struct, frozen=True, gc=False, tag_field="resourceType", tag="Medication"):
    id: str = ""
    identifier: tuple[Identifier, ...] = ()
    status: str = ""
    code: CodeableConcept | None = None
    ingredient: tuple[Ingredient, ...] = ()
    batch: Batch | None = None


class Range(msgspec.Struct, frozen=True, gc=False):
    low: Quantity | None = None
    high: Quantity | None = None


class ReferenceRange(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    low: Quantity | None = None
    high: Quantity | None = None
    type: CodeableConcept | None = None
    appliesTo: tuple[CodeableConcept, ...] = ()
    age: Range | None = None
    text: str = ""


class Component(msgspec.Struct, frozen=True, gc=False):
    code: CodeableConcept = CodeableConcept()
    valueQuantity: Quantity | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueInteger: int | None = None
    valueString: str = ""
    valueBoolean: bool | None = None
    dataAbsentReason: CodeableConcept | None = None
    interpretation: tuple[CodeableConcept, ...] = ()
    referenceRange: tuple[ReferenceRange, ...] = ()


class Observation(msgspec.Struct, frozen=True, gc=False, tag_field="resourceType", tag="Observation"):
    id: str = ""
    status: str = ""
    category: tuple[CodeableConcept, ...] = ()
    code: CodeableConcept = CodeableConcept()
    subject: Reference | None = None
    effectiveDateTime: str = ""
    effectivePeriod: Period | None = None
    effectiveInstant: str = ""
    issued: str = ""
    valueQuantity: Quantity | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueInteger: int | None = None
    valueString: str = ""
    valueBoolean: bool | None = None
    dataAbsentReason: CodeableConcept | None = None
    bodySite: CodeableConcept | None = None
    method: CodeableConcept | None = None
    performer: tuple[Reference, ...] = ()
    specimen: Reference | None = None
    interpretation: tuple[CodeableConcept, ...] = ()
    note: tuple[Annotation, ...] = ()
    referenceRange: tuple[ReferenceRange, ...] = ()
    component: tuple[Component, ...] = ()


class AdverseEvent(msgspec.Struct, frozen=True, gc=False, tag_field="resourceType", tag="AdverseEvent"):
    id: str = ""
    actuality: str = ""
    event: CodeableConcept | None = None
    subject: Reference = Reference()
    date: str = ""
    detected: str = ""
    recordedDate: str = ""
    severity: CodeableConcept | None = None
    outcome: CodeableConcept | None = None
    extension: tuple[Extension, ...] = ()
    modifierExtension: tuple[Extension, ...] = ()


class Procedure(msgspec.Struct, frozen=True, gc=False, tag_field="resourceType", tag="Procedure"):
    id: str = ""
    identifier: tuple[Identifier, ...] = ()
    partOf: tuple[Reference, ...] = ()
    status: str = ""
    statusReason: CodeableConcept | None = None
    category: CodeableConcept | None = None
    code: CodeableConcept | None = None
    subject: Reference = Reference()
    performedDateTime: str = ""
    performedPeriod: Period | None = None
    performedString: str = ""
    bodySite: tuple[CodeableConcept, ...] = ()
    outcome: CodeableConcept | None = None
    complication: tuple[CodeableConcept, ...] = ()
    usedCode: tuple[CodeableConcept, ...] = ()
    usedReference: tuple[Reference, ...] = ()
    contained: tuple[msgspec.Raw, ...] = ()


class ConditionStage(msgspec.Struct, frozen=True, gc=False):
    summary: CodeableConcept | None = None
    type: CodeableConcept | None = None


class Condition(msgspec.Struct, frozen=True, gc=False, tag_field="resourceType", tag="Condition"):
    id: str = ""
    clinicalStatus: CodeableConcept | None = None
    verificationStatus: CodeableConcept | None = None
    category: tuple[CodeableConcept, ...] = ()
    severity: CodeableConcept | None = None
    code: CodeableConcept | None = None
    bodySite: tuple[CodeableConcept, ...] = ()
    subject: Reference = Reference()
    onsetDateTime: str = ""
    onsetPeriod: Period | None = None
    abatementDateTime: str = ""
    recordedDate: str = ""
    stage: tuple[ConditionStage, ...] = ()


class DiagnosticReport(msgspec.Struct, frozen=True, gc=False, tag_field="resourceType", tag="DiagnosticReport"):
    id: str = ""
    status: str = ""
    category: tuple[CodeableConcept, ...] = ()
    code: CodeableConcept | None = None
    subject: Reference | None = None
    effectiveDateTime: str = ""
    effectivePeriod: Period | None = None
    performer: tuple[Reference, ...] = ()
    resultsInterpreter: tuple[Reference, ...] = ()
    conclusionCode: tuple[CodeableConcept, ...] = ()


class SpecimenCollection(msgspec.Struct, frozen=True, gc=False):
    collectedDateTime: str = ""
    collectedPeriod: Period | None = None


class Specimen(msgspec.Struct, frozen=True, gc=False, tag_field="resourceType", tag="Specimen"):
    id: str = ""
    identifier: tuple[Identifier, ...] = ()
    accessionIdentifier: Identifier | None = None
    status: str = ""
    type: CodeableConcept | None = None
    subject: Reference | None = None
    collection: SpecimenCollection | None = None


class Hospitalization(msgspec.Struct, frozen=True, gc=False):
    dischargeDisposition: CodeableConcept | None = None


class Encounter(msgspec.Struct, frozen=True, gc=False, tag_field="resourceType", tag="Encounter"):
    id: str = ""
    status: str = ""
    type: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = None
    period: Period | None = None
    hospitalization: Hospitalization | None = None


Resource: TypeAlias = (
    Patient
    | MedicationAdministration
    | MedicationStatement
    | MedicationDispense
    | MedicationRequest
    | Medication
    | Observation
    | AdverseEvent
    | Procedure
    | Condition
    | Encounter
    | DiagnosticReport
    | Specimen
)

READ_TYPES = (
    "Patient",
    "Condition",
    "MedicationAdministration",
    "Medication",
    "Procedure",
    "Observation",
    "AdverseEvent",
    "Encounter",
)
"""What every study reads."""

WEAKER_EVIDENCE = {
    "statement": "MedicationStatement",
    "dispense": "MedicationDispense",
    "request": "MedicationRequest",
}
"""Evidence that a drug was given which only some studies accept, the strongest first, and the type that holds it."""


FURTHER_RECORDS = {"diagnostic_report": "DiagnosticReport", "specimen": "Specimen"}
"""Records beyond the usual that only some studies read, and the type that holds them."""


def is_read(type: str) -> bool:
    """Is there a study that reads this type?"""
    return type in READ_TYPES or type in (*WEAKER_EVIDENCE.values(), *FURTHER_RECORDS.values())


_REPEATED = {"category": b"[]", "code": b"{}", "interpretation": b"[]", "referenceRange": b"[]"}
"""What a laboratory says about thousands of results in the very same words, and what stands for nothing."""

_REMEMBERED, _LONGEST = 2048, 4096
"""Of so many results, and of none that takes more bytes to say: what is remembered must stay small."""

_AsWritten = msgspec.defstruct(
    "Observation",
    [(name, msgspec.Raw, msgspec.Raw(absent)) for name, absent in _REPEATED.items()],
    bases=(Observation,),
    tag_field="resourceType",
    tag="Observation",
    frozen=True,
    gc=False,
)
"""An Observation whose repeated elements are still bytes."""

_decoder: msgspec.json.Decoder[Resource] = msgspec.json.Decoder(
    reduce(or_, (_AsWritten if one is Observation else one for one in get_args(Resource)))
)
_read_repeated = msgspec.json.Decoder(
    tuple[tuple[CodeableConcept, ...], CodeableConcept, tuple[CodeableConcept, ...], tuple[ReferenceRange, ...]]
).decode
_written = attrgetter(*_REPEATED)
_remembered = lru_cache(maxsize=_REMEMBERED)(_read_repeated)


def decode(body: bytes | memoryview | msgspec.Raw) -> Resource:
    """The lens over one resource; `Unreadable` when an element has not the shape that R4 gives it."""
    try:
        resource = _decoder.decode(body)
        if isinstance(resource, Observation):
            _share(resource)
        return resource
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        raise Unreadable("unexpected-shape") from None


def _share(resource: Observation) -> None:
    """Read the repeated elements: the same bytes are read once and give the same objects.

    What is remembered of a code or of a laboratory's limits is then found without comparing their words.
    """
    body = b"[%b,%b,%b,%b]" % _written(resource)
    found = _remembered(body) if len(body) <= _LONGEST else _read_repeated(body)
    for name, element in zip(_REPEATED, found, strict=True):
        msgspec.structs.force_setattr(resource, name, element)
