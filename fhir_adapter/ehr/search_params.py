"""R4's names of the search parameters by which a type is narrowed, as far as a server lists them."""

from __future__ import annotations

from fhir_adapter.ehr.capability import TypeCapability

WITHOUT_PERSON = frozenset(
    """
    HealthcareService Library Location Measure Medication MedicationKnowledge Organization Practitioner
    PractitionerRole ResearchStudy Substance
    """.split()  # noqa: SIM905
)
NAMES_MEDICINES = frozenset(
    ("MedicationAdministration", "MedicationRequest", "MedicationStatement", "MedicationDispense")
)
_CODE = {  # the best first
    "Condition": ("code",),
    "MedicationAdministration": ("code",),
    "MedicationStatement": ("code",),
    "MedicationDispense": ("code",),
    "MedicationRequest": ("code",),
    "Medication": ("code",),
    "Procedure": ("code",),
    "Observation": ("combo-code", "code"),
    "AdverseEvent": ("event",),
}
_DATE = {
    "Condition": "recorded-date",
    "MedicationAdministration": "effective-time",
    "MedicationStatement": "effective",
    "MedicationDispense": "whenhandedover",
    "MedicationRequest": "authoredon",
    "Procedure": "date",
    "Observation": "date",
    "AdverseEvent": "date",
    "Encounter": "date",
    "DiagnosticReport": "date",
}


def person_parameter(type: str, offered: TypeCapability) -> str:
    """The search parameter that narrows this type to one patient; empty if there is none."""
    if type == "Patient":
        return "_id"
    if type in WITHOUT_PERSON:
        return ""
    candidates = ("patient", "subject", "individual")
    if declared := [name for name in candidates if name in offered.search_params]:
        return declared[0]
    if any(not name.startswith("_") for name in offered.search_params):
        return ""
    return "subject" if type == "AdverseEvent" else "patient"


def code_parameter(type: str, offered: TypeCapability) -> str:
    """The one that finds this type by the code of what it is about; empty if the server has none."""
    return next((name for name in _CODE.get(type, ()) if name in offered.search_params), "")


def date_parameter(type: str, offered: TypeCapability) -> str:
    """The one that finds this type by when it happened; empty if the server has none."""
    name = _DATE.get(type, "")
    return name if name in offered.search_params else ""


def medication_include(type: str, offered: TypeCapability) -> tuple[tuple[str, str], ...]:
    """What brings medicines along with what points to them, where the server can do that."""
    name = f"{type}:medication"
    return (("_include", name),) if type in NAMES_MEDICINES and offered.search_includes & {name, "*"} else ()
