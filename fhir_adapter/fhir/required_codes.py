"""Codes that say whether and how a resource counts, with the value sets that FHIR R4 requires for them.

fhir.resources knows these value sets but does not enforce them, and its longer lists are cut short; those are
completed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fhir_adapter.fhir.canonical import Json

# With an unknown code in one of these nobody can say what the resource means.
DECISIVE = frozenset({"status", "actuality", "intent"})
COMPARATORS = frozenset({"<", "<=", ">=", ">"})


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CUT_SHORT: Mapping[tuple[str, str], frozenset[str]] = {
    ("Observation", "status"): _codes(
        "registered preliminary final amended corrected cancelled entered-in-error unknown"
    ),
    ("DiagnosticReport", "status"): _codes(
        "registered partial preliminary final amended corrected appended cancelled entered-in-error unknown"
    ),
    ("Encounter", "status"): _codes(
        "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown"
    ),
}

# Concepts that must hold a code of their own system: type and element, system, codes.
_CONCEPTS: Mapping[tuple[str, str], tuple[str, frozenset[str]]] = {
    ("Condition", "clinicalStatus"): (
        "http://terminology.hl7.org/CodeSystem/condition-clinical",
        _codes("active recurrence relapse inactive remission resolved"),
    ),
    ("Condition", "verificationStatus"): (
        "http://terminology.hl7.org/CodeSystem/condition-ver-status",
        _codes("unconfirmed provisional differential confirmed refuted entered-in-error"),
    ),
}


def codes_of(type: str, element: str, listed: Sequence[str]) -> frozenset[str]:
    """The whole value set of a code element; empty when the list at hand is cut short and not completed here."""
    if (type, element) in _CUT_SHORT:
        return _CUT_SHORT[type, element]
    return frozenset() if "+" in listed else frozenset(listed)


def concepts_of(type: str, element: str) -> tuple[str, frozenset[str]] | None:
    """System and codes of an element whose concept must hold a code of its own system, if it is one."""
    return _CONCEPTS.get((type, element))


def unknown_concepts(type: str, resource: Mapping[str, Json]) -> Iterator[str]:
    """Elements whose concept holds a code that its own system does not have."""
    for (owner, element), (system, codes) in _CONCEPTS.items():
        concept = resource.get(element)
        if owner != type or not isinstance(concept, dict) or not isinstance(concept.get("coding"), list):
            continue
        of_system = [
            coding for coding in concept["coding"] if isinstance(coding, dict) and coding.get("system") == system
        ]
        given = [coding.get("code") for coding in of_system]
        if any(not isinstance(code, str) or code not in codes for code in given):
            yield element
