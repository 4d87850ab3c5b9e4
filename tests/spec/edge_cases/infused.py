"""One person with CAR-T on 2 June 2024 (lymphodepletion from 28 May), as raw resources, and what the study finds."""

from __future__ import annotations

from itertools import count
from typing import Any

from mapping.hospital import ATC, LOINC, MEDDRA, PERSON, Json, about, concept, read, study

from fhir_adapter.cohort.finding import Toxicity
from fhir_adapter.rules.index import index
from fhir_adapter.rules.toxicity import toxicities

CODES = {
    "neutrophils": "751-8",
    "neutrophil-percent": "770-8",
    "segments": "769-0",
    "bands": "764-1",
    "leukocytes": "6690-2",
    "hemoglobin": "718-7",
    "platelets": "777-3",
    "alt": "1742-6",
    "bilirubin": "1975-2",
    "fibrinogen": "3255-7",
    "d-dimer": "48065-7",
    "d-dimer-ddu": "48066-5",
    "ferritin": "2276-4",
}
CRS = concept((MEDDRA, "10052015", "Cytokine release syndrome"))
WOMAN = PERSON | {"birthDate": "1972-03-01"}
_NUMBERS = count(1)


def _id() -> str:
    return f"n{next(_NUMBERS)}"


def given(code: str, name: str, on: str) -> Json:
    drug = concept((ATC, code, name))
    return about(
        "MedicationAdministration", id=_id(), status="completed", medicationCodeableConcept=drug, effectiveDateTime=on
    )


def infusion(on: str = "2024-06-02") -> Json:
    return about(
        "Procedure",
        id=_id(),
        status="completed",
        code=concept(("http://www.ama-assn.org/go/cpt", "38228")),
        performedDateTime=on,
    )


def lymphodepletion(on: str = "2024-05-28") -> Json:
    return given("L01BB05", "fludarabine", on)


def lab(
    name: str,
    value: Any,
    unit: str = "",
    on: str = "2024-06-09",
    limits: tuple[Any, Any] | None = None,
    **elements: Any,
) -> Json:
    """A result with a comparator written before its value (`<0.1`); limits have the unit of the value."""
    sign = str(value)[: len(str(value)) - len(str(value).lstrip("<>="))]
    quantity = {"value": float(str(value)[len(sign) :]), "comparator": sign, "unit": unit}
    low, high = limits or (None, None)
    ends = {"low": low, "high": high}
    normal = {end: {"value": limit, "unit": unit} for end, limit in ends.items() if limit is not None}
    return about(
        "Observation",
        **{
            "id": _id(),
            "status": "final",
            "code": concept((LOINC, CODES[name])),
            "effectiveDateTime": on,
            "valueQuantity": {key: said for key, said in quantity.items() if said != ""},
            "referenceRange": [normal] if normal else [],
        }
        | elements,
    )


def adverse_event(event: Json, on: str = "2024-06-05", **elements: Any) -> Json:
    return about("AdverseEvent", **{"id": _id(), "actuality": "actual", "event": event, "date": on} | elements)


def condition(text: str, on: str = "2024-06-05", **elements: Any) -> Json:
    return about("Condition", **{"id": _id(), "code": {"text": text}, "onsetDateTime": on} | elements)


def graded(text: str, value: Any, on: str = "2024-06-05") -> Json:
    """A grade as an Observation, named by text only."""
    kind = "valueInteger" if isinstance(value, int) else "valueString"
    return about("Observation", id=_id(), status="final", code={"text": text}, effectiveDateTime=on, **{kind: value})


def found(code: str, *resources: Json, **parameters: str) -> Toxicity | None:
    """What the study finds about one term; None when nobody assessed it."""
    parameters = {"data_cut": "none", **parameters}
    # Every use of a resource is its own record.
    records = [one if one["id"] != "r1" else one | {"id": _id()} for one in (infusion(), lymphodepletion(), *resources)]
    subject = read(*records, person=WOMAN, **parameters).subject
    assert subject is not None
    asked = study(**parameters).study
    anchors = index(subject, asked).value
    assert anchors is not None
    every = [one.value for one in toxicities(subject, asked, anchors)]
    return next((one for one in every if one and one.code == code), None)


def grades(code: str, *resources: Json, **parameters: str) -> tuple[int | None, int | None] | None:
    one = found(code, *resources, **parameters)
    return (one.grade_min, one.grade_max) if one else None
