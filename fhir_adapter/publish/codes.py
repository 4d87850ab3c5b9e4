"""The codes a document may use. fhir.resources checks the shape of a resource, not the codes in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir.resources.R4B.expression import Expression
from pydantic import BaseModel

MEASURE_POPULATION = "http://terminology.hl7.org/CodeSystem/measure-population"
MEASURE_SCORING = "http://terminology.hl7.org/CodeSystem/measure-scoring"
IMPROVEMENT = "http://terminology.hl7.org/CodeSystem/measure-improvement-notation"
DATA_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
VARIABLE_ROLE = "http://terminology.hl7.org/CodeSystem/variable-role"
ESTIMATE_TYPE = "http://terminology.hl7.org/CodeSystem/attribute-estimate-type"
UCUM = "http://unitsofmeasure.org"
DATA_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

# The code lists of FHIR R4 4.0.1, complete. UCUM and resource types are open: only what our documents use is
# listed, so that a misspelt unit cannot leave the house.
KNOWN: dict[str, frozenset[str]] = {
    MEASURE_POPULATION: frozenset(
        {"initial-population", "numerator", "numerator-exclusion"}
        | {"denominator", "denominator-exclusion", "denominator-exception"}
        | {"measure-population", "measure-population-exclusion", "measure-observation"}
    ),
    MEASURE_SCORING: frozenset({"proportion", "ratio", "continuous-variable", "cohort"}),
    IMPROVEMENT: frozenset({"increase", "decrease"}),
    DATA_OPERATION: frozenset(
        {"OPERATE", "CREATE", "DELETE", "EXECUTE", "READ", "UPDATE", "APPEND", "MODIFYSTATUS", "ABORT"}
        | {"ACTIVATE", "CANCEL", "COMPLETE", "HOLD", "JUMP", "NULLIFY", "OBSOLETE", "REACTIVATE", "RELEASE"}
        | {"RESUME", "SUSPEND"}
    ),
    PARTICIPANT: frozenset(
        {"enterer", "performer", "author", "verifier", "legal", "attester", "informant", "custodian"}
        | {"assembler", "composer"}
    ),
    VARIABLE_ROLE: frozenset(
        {"population", "subpopulation", "exposure", "referenceExposure"} | {"measuredVariable", "confounder"}
    ),
    RESOURCE_TYPES: frozenset({"Patient"}),
    UCUM: frozenset({"1", "d", "mo", "a"}),
}
# FHIR R4 has no code for prose: a criterion in plain words has no language, and says so as `not-applicable`.
LANGUAGES = frozenset({"text/cql", "text/fhirpath", "application/x-fhir-query"})
ABSENT = frozenset(
    {"unknown", "asked-unknown", "temp-unknown", "not-asked", "asked-declined", "masked", "not-applicable"}
    | {"unsupported", "as-text", "error", "not-a-number", "negative-infinity", "positive-infinity"}
    | {"not-performed", "not-permitted"}
)


def unknown_codes(model: BaseModel) -> tuple[str, ...]:
    """Every code of `model` that is in none of the lists, as a sentence with the element it stands in."""
    return tuple(_problems(model, type(model).__name__))


def _problems(model: BaseModel, path: str) -> Iterator[str]:
    system, code = getattr(model, "system", None), getattr(model, "code", None)
    if isinstance(system, str) and isinstance(code, str) and code not in KNOWN.get(system, {code}):
        yield f"{path}: code {code!r} is not in {system}"
    if getattr(model, "url", None) == DATA_ABSENT_REASON and getattr(model, "valueCode", None) not in ABSENT:
        yield f"{path}: {getattr(model, 'valueCode', None)!r} is not a data-absent-reason"
    if isinstance(model, Expression) and model.language not in LANGUAGES | {None}:
        yield f"{path}.language: {model.language!r} is none of {', '.join(sorted(LANGUAGES))}"
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        allowed = _allowed(field.json_schema_extra)
        if allowed and isinstance(value, str) and value not in allowed:
            yield f"{path}.{name}: {value!r} is none of {', '.join(sorted(allowed))}"
        for index, part in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(part, BaseModel):
                yield from _problems(part, f"{path}.{name}[{index}]" if isinstance(value, list) else f"{path}.{name}")


def _allowed(extra: Any) -> frozenset[str]:
    listed = extra.get("enum_values", ()) if isinstance(extra, dict) else ()
    # The library marks a list that it cuts or that may be extended by "+" or "etc.": it proves nothing.
    open_ended = any(str(value).endswith(("+", "etc.")) for value in listed)
    return frozenset() if open_ended else frozenset(map(str, listed))
