"""A result that is mapped as an earlier one was is mapped as if it had been the first."""

import json
import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping.hospital import Json, concept, observation, study

from fhir_adapter.cohort.events import Contact, Lab
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.fhir.r4 import Observation, decode
from fhir_adapter.fhir.record import read_record
from fhir_adapter.mapping.observation import map_observation
from fhir_adapter.mapping.precedents import Precedents
from fhir_adapter.mapping.reading import Reader, Said

LOINC = "http://loinc.org"
READER = study().reader([])

CODES = [
    concept((LOINC, "718-7", "Hemoglobin"), text="HGB"),
    concept((LOINC, "777-3")),
    concept((LOINC, "777-3"), text="Platelets, clumped"),
    concept(text="hemoglobin, capillary"),
    concept((LOINC, "2823-3", "Potassium")),
    concept((LOINC, "89247-1", "ECOG")),
    concept((LOINC, "0"), text="hemoglobin"),
]
PLAIN = {
    "valueQuantity": {"value": 13.2, "unit": "g/dL"},
    "specimen": {"reference": "Specimen/1", "display": "Blood, venous"},
    "referenceRange": [{"low": {"value": 12, "unit": "g/dL"}, "high": {"value": 16, "unit": "g/dL"}}],
}
WORDS = st.sampled_from(["", "Blood, venous", "capillary blood", "clumped", "arterial blood gas"])
VALUES = st.sampled_from([0, 1, 13.2, "13.20", 130, 9000, "NaN", "sNaN", "1e40", "5." + "0" * 40, None])
UNITS = st.sampled_from([{}, {"unit": "g/dL"}, {"unit": "g/L", "code": "g/L"}, {"code": "10*9/L"}, {"unit": "furlong"}])
NUMBERS = st.builds(
    lambda value, unit, sign: {"value": value, **unit, **sign},
    VALUES | st.just(13.2),
    UNITS | st.just({"unit": "g/dL"}),
    st.sampled_from([{}, {}, {"comparator": "<"}, {"comparator": "ad"}]),
)
LIMITS = st.sampled_from(
    [
        {"low": {"value": 12, "unit": "g/dL"}, "high": {"value": 16, "unit": "g/dL"}},
        {"low": {"value": 120}, "high": {"value": 160}},
        {"text": "F: 12-15; M: 13-17"},
        {"low": {"value": "sNaN"}},
        {"high": {"value": "NaN"}},
        {"low": {"value": 11}, "age": {"low": {"value": 60, "unit": "a"}}},
        {"low": {"value": 12}, "age": {"high": {"value": 59, "unit": "a"}}},
    ]
)
CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.just("another"),
    "status": st.sampled_from(["preliminary", "cancelled"]),
    "code": st.sampled_from(CODES),
    "effectiveDateTime": st.sampled_from(["1999-05-01", "2024-05-01T10:00:00Z", "2021", "", "soon"]),
    "valueQuantity": NUMBERS,
    "valueString": st.sampled_from(["13 g/dL", "clumped"]),
    "referenceRange": st.lists(LIMITS, max_size=2),
    "interpretation": st.builds(lambda text: [{"text": text}], WORDS),
    "method": st.builds(lambda text: {"text": text}, WORDS),
    "specimen": st.builds(lambda text: {"reference": "Specimen/2", "display": text}, WORDS),
    "note": st.builds(lambda text: [{"text": text}], WORDS),
    "dataAbsentReason": st.just({"text": "unknown"}),
    "component": st.builds(lambda number: [{"code": CODES[0], "valueQuantity": number}], NUMBERS),
    "category": st.builds(lambda text: [{"text": text}], WORDS),
    "bodySite": st.builds(lambda text: {"text": text}, WORDS),
    "performer": st.builds(lambda text: [{"display": text}], WORDS),
    "subject": st.just({"reference": "Patient/other"}),
    "issued": st.just("1999-01-01T00:00:00Z"),
    "effectiveInstant": st.just("1999-01-01T00:00:00Z"),
    "effectivePeriod": st.just({"start": "1999-01-01"}),
    "valueCodeableConcept": st.builds(lambda text: {"text": text}, WORDS),
    "valueInteger": st.just(7),
    "valueBoolean": st.booleans(),
}
ONE_OR_TWO_CHANGES = st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=2, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: CHANGES[name] for name in names})
)
PERSONS = st.sampled_from(
    [(sex, born) for sex in ("male", "female", "unknown") for born in ("1961-05-06", "1995", None)]
)


def mapped(one: Json, reader: Reader) -> list[Said]:
    record = read_record(json.dumps(one).encode())
    resource = decode(record.body)
    assert isinstance(resource, Observation)
    return list(map_observation(resource, record, reader))


@settings(max_examples=400)
@given(st.sampled_from(CODES), ONE_OR_TWO_CHANGES, ONE_OR_TWO_CHANGES, PERSONS, PERSONS)
def test_no_answer_depends_on_what_was_mapped_before(
    code: Json, first: Json, second: Json, person: tuple[Any, str], other: tuple[Any, str]
) -> None:
    tables = Precedents()
    plain = observation(code) | PLAIN
    for sex, born in (person, other):
        reader = replace(READER, sex=sex, birth=PartialDate.parse(born) if born else None, precedents=tables)
        for one in (plain | first, plain, plain | first | second, plain | second):
            expected = mapped(one, replace(reader, precedents=Precedents()))
            # Texts, for they also tell 5.0 from 5.
            assert repr(mapped(one, reader)) == repr(expected)


def test_every_element_that_can_be_read_is_changed_here() -> None:
    assert set(CHANGES) == set(Observation.__struct_fields__)


PLATELETS = observation(CODES[1], valueQuantity={"value": 130, "unit": "10*9/L"})
TELLING: list[tuple[Json, Json]] = [
    (PLATELETS, {"note": [{"text": "clumped"}]}),
    (PLATELETS, {"interpretation": [{"text": "clumped"}]}),
    (PLATELETS, {"method": {"text": "clumped"}}),
    (PLATELETS, {"specimen": {"display": "clumped"}}),
    (PLATELETS, {"code": CODES[0]}),
    (PLATELETS, {"status": "preliminary"}),
    (PLATELETS, {"valueQuantity": {"value": 130, "unit": "furlong"}}),
    (PLATELETS, {"valueQuantity": {"value": 130, "unit": "10*9/L", "code": "/uL"}}),
    (PLATELETS, {"valueQuantity": {"value": 130, "unit": "10*9/L", "comparator": "<"}}),
    (PLATELETS, {"referenceRange": [{"low": {"value": 125}}]}),
    (PLATELETS, {"dataAbsentReason": {"text": "error"}}),
    (PLATELETS, {"component": [{"code": CODES[0], "valueQuantity": {"value": 13, "unit": "g/dL"}}]}),
]


@pytest.mark.parametrize(("plain", "change"), TELLING)
def test_what_tells_results_apart_makes_them_no_precedent_of_each_other(plain: Json, change: Json) -> None:
    reader = replace(READER, precedents=Precedents())
    assert any(isinstance(one, Lab) for one in mapped(plain, reader))
    expected = mapped(plain | change, replace(READER, precedents=Precedents()))
    assert mapped(plain | change, reader) == expected != mapped(plain, reader)


def hemoglobin(value: object, **elements: Any) -> Json:
    return observation(CODES[0], valueQuantity={"value": value, "unit": "g/dL"}, **elements)


def test_a_result_like_an_earlier_one_has_its_own_number_day_record_and_sample() -> None:
    first = hemoglobin("9.0", id="a", specimen={"reference": "Specimen/1"})
    second = hemoglobin(11.5, id="b", specimen={"reference": "Specimen/2"}) | {"effectiveDateTime": "2024-06-02"}
    reader = replace(READER, precedents=Precedents())
    mapped(first, reader)
    contact, lab = mapped(second, reader)
    assert isinstance(contact, Contact)
    assert isinstance(lab, Lab)
    assert (str(lab.value), lab.as_reported, lab.specimen) == ("115", "11.5 g/dL", "Specimen/2")
    assert (str(lab.source), lab.on and lab.on.iso) == ("Observation/b/_history/3", "2024-06-02")
    assert (contact.on, str(contact.source)) == (lab.on, str(lab.source))


@pytest.mark.parametrize("value", [9000, "NaN", "5." + "0" * 40])
def test_a_number_that_cannot_be_true_is_set_aside_after_a_plain_one(value: object) -> None:
    reader = replace(READER, precedents=Precedents())
    mapped(hemoglobin(9), reader)
    assert not any(isinstance(one, Lab) for one in mapped(hemoglobin(value), reader))


def test_precedents_stay_in_their_process() -> None:
    reader = replace(READER, precedents=Precedents())
    mapped(hemoglobin(9), reader)
    assert mapped(hemoglobin(9), pickle.loads(pickle.dumps(reader))) == mapped(hemoglobin(9), reader)
