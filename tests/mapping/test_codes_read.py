"""The codes by which a server can be asked are those by which the mappers recognise a resource."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fhir_adapter.fhir.r4 import CodeableConcept, Coding
from fhir_adapter.mapping import codes_read as module
from fhir_adapter.mapping.codes_read import codes_read
from fhir_adapter.mapping.study import read_study

TERMS = read_study("bsab-cart-dlbcl").terms
READ = codes_read(TERMS)
MAPPERS = Path(module.__file__).parent
# The modules that recognise a resource by its code, and what they call that code.
MODULES = {
    "Condition": "condition",
    "Procedure": "procedure",
    "Observation": "observation",
    "AdverseEvent": "adverse_event",
}


def test_codes_of_the_study_and_of_the_common_tables_are_read() -> None:
    assert ("http://loinc.org", "751-8") in READ["Observation"]
    assert any(system == "https://hospital.example.org/fhir/CodeSystem/lab" for system, _ in READ["Observation"])
    assert ("http://www.whocc.no/atc", "L01FX28") in READ["MedicationAdministration"]
    assert READ["Medication"] == READ["MedicationAdministration"]


def test_other_names_of_a_system_are_asked_for_too() -> None:
    codes = {code for system, code in READ["Observation"] if system == "http://loinc.org"}
    assert codes == {code for system, code in READ["Observation"] if system == "urn:oid:2.16.840.1.113883.6.1"}


def test_phrases_are_no_codes() -> None:
    assert not any(system.endswith("/CodeSystem/text") for pairs in READ.values() for system, _ in pairs)


@pytest.mark.parametrize("type", READ)
def test_whatever_is_recognised_by_code_is_among_them(type: str) -> None:
    known = set(READ[type])
    for table in module._TABLES[type]:
        assert TERMS[table].codes
        for system, code in TERMS[table].codes:
            found = TERMS[table].translate(CodeableConcept(coding=(Coding(system=system, code=code),)))
            assert found.by == "code"
            assert (system, code) in known


@pytest.mark.parametrize("type", MODULES)
def test_the_tables_are_those_that_the_mapper_looks_the_code_up_in(type: str) -> None:
    code = (MAPPERS / f"{MODULES[type]}.py").read_text(encoding="utf-8")
    named = re.findall(r'translate\("([\w-]+)", resource\.(?:code|event)', code)
    named += re.findall(r'terms\["([\w-]+)"\]\.translate\((?:resource|part)\.code\)', code)
    assert set(named) - {"grade"} == set(module._TABLES[type])
