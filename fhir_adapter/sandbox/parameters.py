"""The search parameters this server offers, named and defined as in FHIR R4.

One line: the resource types, the name, the kind, and where in the resource the value is found. A type that is
not named here is found by `_id`, `_lastUpdated` and `_tag` only, and the CapabilityStatement says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

Kind = Literal["token", "reference", "date", "string", "uri"]


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    kind: Kind
    paths: tuple[str, ...]

    @property
    def target(self) -> str:
        """The only type a reference may point to, or an empty string."""
        return "Patient" if self.name == "patient" else ""


_TABLE = """
Patient,Observation,Condition,Procedure,Encounter,DiagnosticReport,Specimen identifier token identifier
Immunization identifier token identifier
MedicationAdministration,MedicationRequest,MedicationStatement identifier token identifier
MedicationDispense identifier token identifier
Medication,Group,ResearchStudy,ResearchSubject,EpisodeOfCare identifier token identifier
DocumentReference,List identifier token identifier
Organization,Practitioner,PractitionerRole,Location,Device,ServiceRequest identifier token identifier
CarePlan,Basic identifier token identifier
Measure,MeasureReport,Library,ValueSet,CodeSystem,ConceptMap identifier token identifier
StructureDefinition identifier token identifier
Measure,Library,ValueSet,CodeSystem,ConceptMap,StructureDefinition,NamingSystem status token status
SearchParameter status token status
Measure,Library,ValueSet,CodeSystem,ConceptMap,StructureDefinition,OperationDefinition url uri url
SearchParameter url uri url
Measure,Library,ValueSet,CodeSystem,ConceptMap,StructureDefinition version token version
OperationDefinition version token version
Measure,Library,ValueSet,CodeSystem,ConceptMap,StructureDefinition,NamingSystem name string name
Measure,Library,ValueSet,CodeSystem,ConceptMap,StructureDefinition,ResearchStudy title string title
Measure,Library,ValueSet,CodeSystem,ConceptMap,StructureDefinition,NamingSystem date date date

Observation,Condition,Procedure,Encounter,DiagnosticReport patient reference subject,patient
EpisodeOfCare,List patient reference subject,patient
MedicationAdministration,MedicationRequest,MedicationStatement patient reference subject
MedicationDispense patient reference subject
ServiceRequest,CarePlan,DocumentReference,Specimen,MeasureReport patient reference subject
Immunization,Device patient reference patient
Observation,Condition,Procedure,Encounter,DiagnosticReport,AdverseEvent,List subject reference subject
MedicationAdministration,MedicationRequest,MedicationStatement subject reference subject
MedicationDispense subject reference subject
ServiceRequest,CarePlan,DocumentReference,Specimen,MeasureReport subject reference subject

MedicationAdministration,MedicationRequest,MedicationStatement,MedicationDispense status token status
Observation,Procedure,Encounter,DiagnosticReport,Immunization,Medication status token status
ResearchStudy,ResearchSubject,MeasureReport,EpisodeOfCare,ServiceRequest,CarePlan status token status
DocumentReference,List,Specimen,Device status token status
MedicationAdministration,MedicationRequest,MedicationStatement code token medicationCodeableConcept
MedicationDispense code token medicationCodeableConcept
MedicationAdministration,MedicationRequest,MedicationStatement medication reference medicationReference
MedicationDispense medication reference medicationReference
Observation,Condition,Procedure,DiagnosticReport,Medication,Group,ServiceRequest,List code token code
Observation,Condition,Procedure,DiagnosticReport,AdverseEvent,ServiceRequest category token category
CarePlan category token category
Observation,Condition,Procedure,DiagnosticReport,MedicationRequest encounter reference encounter
ServiceRequest encounter reference encounter
MedicationAdministration,MedicationStatement context reference context

Patient active token active
Patient name string name
Patient family string name.family
Patient given string name.given
Patient gender token gender
Patient birthdate date birthDate
Patient death-date date deceasedDateTime
Patient link reference link.other
Patient organization reference managingOrganization
MedicationAdministration effective-time date effectiveDateTime,effectivePeriod
MedicationAdministration request reference request
MedicationRequest authoredon date authoredOn
MedicationRequest intent token intent
MedicationStatement effective date effectiveDateTime,effectivePeriod
MedicationDispense whenhandedover date whenHandedOver
MedicationDispense whenprepared date whenPrepared
Observation date date effectiveDateTime,effectivePeriod,effectiveInstant
Observation value-concept token valueCodeableConcept
Observation specimen reference specimen
Observation has-member reference hasMember
Procedure date date performedDateTime,performedPeriod
Procedure part-of reference partOf
Condition clinical-status token clinicalStatus
Condition verification-status token verificationStatus
Condition onset-date date onsetDateTime,onsetPeriod
Condition recorded-date date recordedDate
Condition stage token stage.summary
AdverseEvent date date date
AdverseEvent event token event
AdverseEvent actuality token actuality
AdverseEvent seriousness token seriousness
AdverseEvent severity token severity
AdverseEvent study reference study
Encounter date date period
Encounter class token class
Encounter type token type
DiagnosticReport date date effectiveDateTime,effectivePeriod
DiagnosticReport issued date issued
DiagnosticReport result reference result
Immunization date date occurrenceDateTime
Specimen type token type
Group member reference member.entity
Group type token type
Group actual token actual
ResearchSubject individual reference individual
ResearchSubject patient reference individual
ResearchSubject study reference study
ResearchSubject date date period
EpisodeOfCare date date period
ServiceRequest authored date authoredOn
CarePlan date date period
DocumentReference date date date
DocumentReference type token type
List date date date
MeasureReport measure reference measure
MeasureReport period date period
MeasureReport date date date
MeasureReport reporter reference reporter
MeasureReport evaluated-resource reference evaluatedResource
Provenance target reference target
Provenance recorded date recorded
Provenance agent reference agent.who
Provenance entity reference entity.what
Organization,Location name string name
Practitioner name string name
StructureDefinition type uri type
"""

_EVERYWHERE = (
    Parameter("_id", "token", ("id",)),
    Parameter("_lastUpdated", "date", ("meta.lastUpdated",)),
    Parameter("_tag", "token", ("meta.tag",)),
)


def _read_table() -> dict[str, dict[str, Parameter]]:
    offered: defaultdict[str, dict[str, Parameter]] = defaultdict(dict)
    for line in filter(None, _TABLE.splitlines()):
        types, name, kind, paths = line.split()
        for type in types.split(","):
            offered[type][name] = Parameter(name, cast(Kind, kind), tuple(paths.split(",")))
    return dict(offered)


_OFFERED = _read_table()
_ALWAYS = {parameter.name: parameter for parameter in _EVERYWHERE}


def parameters_of(type: str) -> Mapping[str, Parameter]:
    """Every parameter by which resources of this type can be found, by name."""
    return _ALWAYS | _OFFERED.get(type, {})
