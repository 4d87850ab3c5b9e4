"""True of every record, however odd: nothing breaks the mapper, spelling changes no meaning, units are exact."""

from __future__ import annotations

import json
import unicodedata
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping.hospital import AE_GRADE, LOINC, MEDDRA, NCIT, PERSON, Json, about, concept, record, study

from fhir_adapter.cohort.events import Event
from fhir_adapter.fhir import r4
from fhir_adapter.fhir.r4 import CodeableConcept, Coding, Quantity
from fhir_adapter.fhir.record import Record, Unreadable, read_record
from fhir_adapter.fhir.validate import check
from fhir_adapter.mapping.assemble import Assembled, assemble, map_resource
from fhir_adapter.mapping.reading import SetAside, Unmapped
from fhir_adapter.mapping.terminology import Translation, normalise

FOLDER = study(unverified_codes="true")
READER = FOLDER.reader([])
CAR_T = FOLDER.study.roles.car_t
TABLES = sorted(FOLDER.terms.maps)

EXAMPLES: list[Json] = [
    PERSON
    | {
        "birthDate": "1961",
        "deceasedDateTime": "2024-08",
        "link": [{"other": {"reference": "Patient/x"}, "type": "seealso"}],
    },
    about(
        "Observation",
        status="final",
        code=concept((LOINC, "58410-2"), text="CBC"),
        effectivePeriod={"start": "2024-05-01T10:00:00Z", "end": "2024-05-01T10:05:00Z"},
        component=[
            {
                "code": concept((LOINC, "751-8")),
                "valueQuantity": {"value": 480, "comparator": "<", "unit": "/uL", "code": "/uL"},
            },
            {"code": concept((LOINC, "718-7")), "valueQuantity": {"value": 7.9, "unit": "g/dL"}},
        ],
    ),
    about(
        "Observation",
        status="corrected",
        code=concept((LOINC, "777-3")),
        effectiveDateTime="2024-05-01",
        valueQuantity={"value": 21.5, "unit": "K/uL"},
        referenceRange=[
            {
                "low": {"value": 125, "unit": "K/uL"},
                "high": {"value": 350},
                "type": concept(("x", "normal")),
                "text": "125-350",
            }
        ],
    ),
    about(
        "Observation",
        status="final",
        code=concept(text="结外受累部位"),
        effectiveInstant="2024-05-01T00:00:00Z",
        valueString="肝、骨髓",
    ),
    about(
        "Observation", status="final", code=concept((LOINC, "89247-1")), effectiveDateTime="2024-05-01", valueInteger=1
    ),
    about(
        "Observation",
        status="final",
        code=concept(text="CRS grade"),
        effectiveDateTime="2024-05-01",
        valueCodeableConcept=concept((NCIT, "C41339"), text="ASTCT grade 2"),
    ),
    about(
        "Observation",
        status="final",
        code=concept((LOINC, "33728-7")),
        effectiveDateTime="2024-05-01",
        valueQuantity={"value": 7.5, "unit": "cm"},
    ),
    about(
        "MedicationAdministration",
        status="stopped",
        medicationCodeableConcept=concept(("http://www.whocc.no/atc", "L01FX28"), text="glofitamab"),
        effectivePeriod={"start": "2024-05-01T10:00:00Z", "end": "2024-05-01"},
        dosage={"dose": {"value": 2.5, "unit": "mg"}},
        statusReason=[{"text": "toxicity"}],
        contained=[{"resourceType": "Medication", "id": "m", "code": {"text": "x"}}],
    ),
    about(
        "MedicationAdministration",
        status="completed",
        medicationReference={"reference": "#m", "display": "glofitamab"},
        effectiveDateTime="2024-05",
        contained=[
            {"resourceType": "Medication", "id": "m", "ingredient": [{"itemCodeableConcept": {"text": "奕凯达"}}]}
        ],
    ),
    about(
        "Procedure",
        status="completed",
        code=concept(("http://www.ama-assn.org/go/cpt", "38228")),
        performedPeriod={"start": "2024-06-01"},
        usedReference=[{"reference": "#m"}],
        usedCode=[{"text": "Yescarta"}],
        outcome={"text": "成功"},
        contained=[{"resourceType": "Medication", "id": "m", "code": {"text": "Kymriah"}}],
    ),
    about(
        "AdverseEvent",
        actuality="actual",
        event=concept((MEDDRA, "10052015"), text="CRS 2级"),
        date="2024-06-03",
        recordedDate="2024-06-04T00:00:00Z",
        extension=[{"url": AE_GRADE, "valueCodeableConcept": concept((NCIT, "C41340"))}],
        modifierExtension=[{"url": "x/StructureDefinition/status", "valueCode": "completed"}],
    ),
    about(
        "Condition",
        code=concept(("http://hl7.org/fhir/sid/icd-10-cm", "C83.33"), text="DLBCL"),
        verificationStatus=concept(("v", "confirmed")),
        onsetPeriod={"start": "2022"},
        recordedDate="2023-01-01",
        stage=[{"summary": {"text": "IVB"}}],
        bodySite=[{"text": "liver"}],
    ),
    about("Encounter", status="finished", period={"start": "2024-01-01", "end": "2024-01-03"}),
]

Path = tuple[str | int, ...]
KEPT: list[Path] = [("resourceType",), ("id",)]  # without these a resource cannot be filed at all


def places(value: Any, path: Path = ()) -> list[Path]:
    """The path of every element in a resource."""
    found = [path] if path else []
    if isinstance(value, dict):
        return found + [place for name, inner in value.items() for place in places(inner, (*path, name))]
    if isinstance(value, list):
        return found + [place for number, inner in enumerate(value) for place in places(inner, (*path, number))]
    return found


def altered(value: Any, path: Path, new: Any, drop: bool) -> Any:
    """The resource with one element replaced, or without it."""
    if not path:
        return new
    first, rest = path[0], path[1:]
    copy = dict(value) if isinstance(value, dict) else list(value)
    if not rest and drop:
        del copy[first]
    else:
        copy[first] = altered(value[first], rest, new, drop)
    return copy


NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -1, 1e300, 5e-324, 12345678901234567890]),
)
WORDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(
        [
            "NaN",
            "Infinity",
            "-1",
            "1e9",
            "24:00",
            "2024-02-30",
            "9999-12-31",
            "#",
            "#m",
            "Patient/",
            "无CRS",
            "G2-3",
            "<",
            "normal",
        ]
    ),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS)
NAMES = st.sampled_from(
    ["coding", "code", "system", "text", "value", "unit", "start", "reference", "url", "resourceType"]
)
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))


@st.composite
def mutants(draw: st.DrawFn) -> Json:
    """A valid resource with up to three elements dropped or replaced, but still a resource with type and id."""
    resource = draw(st.sampled_from(EXAMPLES))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([place for place in places(resource) if place not in KEPT]))
        resource = altered(resource, path, draw(TREES), draw(st.booleans()))
    return resource


def taken(resource: Json) -> Assembled | None:
    """The mutant beside its person; None when it cannot even be filed."""
    try:
        filed = record(resource)
    except Unreadable:
        return None
    person = [] if filed.type == "Patient" else [record(PERSON)]
    return assemble("p1", ("p1",), [*person, filed], READER, CAR_T)


ODDITIES: list[Any] = [
    None,
    True,
    -1,
    0,
    10**30,
    1e300,
    5e-324,
    "",
    " ",
    "NaN",
    "-Infinity",
    "1e999999",
    "-1e-999999",
    "9999",
]
ODDITIES += [
    "0001-01-01",
    "2024-05-01T24:00:00Z",
    "2024-05-01T23:59:60+14:00",
    "#",
    "Medication/",
    "无",
    [],
    [None],
    {},
    [{}],
]


@pytest.mark.parametrize("resource", EXAMPLES, ids=lambda resource: str(resource["resourceType"]))
def test_no_oddity_in_any_place_breaks_the_mapper(resource: Json) -> None:
    """Every element of every example, replaced by each of the oddities and left out."""
    for path in places(resource):
        for oddity in ODDITIES:
            taken(altered(resource, path, oddity, drop=False))
        taken(altered(resource, path, None, drop=True))


@given(mutants())
@settings(max_examples=250)
def test_no_resource_breaks_the_mapper(resource: Json) -> None:
    found = taken(resource)
    if found is None:
        return
    assert found.subject is None or found.subject.subject_id == "p1"
    assert all(isinstance(one, SetAside) and one.reason and " " not in one.reason for one in found.set_aside)
    assert found == taken(resource)


@given(mutants())
@settings(max_examples=150)
def test_what_passes_the_gate_is_read(resource: Json) -> None:
    try:
        filed = record(resource)
    except Unreadable:
        return
    if check(filed).accepted:
        said = list(map_resource(r4.decode(filed.body), filed, READER, CAR_T))
        assert all(isinstance(one, Event | SetAside | Unmapped) for one in said)


@pytest.mark.parametrize("resource", EXAMPLES, ids=lambda resource: str(resource["resourceType"]))
def test_the_examples_themselves_are_read(resource: Json) -> None:
    found = taken(resource)
    assert found is not None
    assert found.set_aside == ()
    assert found.unmapped == ()


@given(st.permutations(EXAMPLES[1:]))
@settings(max_examples=30)
def test_the_order_of_the_records_does_not_matter(order: list[Json]) -> None:
    def everything(resources: list[Json]) -> Assembled:
        records: list[Record] = [
            read_record(json.dumps(one | {"id": f"r{EXAMPLES.index(one)}"}).encode()) for one in resources
        ]
        return assemble("p1", ("p1",), [record(EXAMPLES[0]), *records], READER, CAR_T)

    assert everything(order) == everything(EXAMPLES[1:])


# --- words


PHRASES = [(name, phrase) for name in TABLES for phrase in sorted(FOLDER.terms[name].phrases)]
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}


@given(st.sampled_from(TABLES), st.text(max_size=60))
def test_any_text_has_one_meaning_or_none(name: str, text: str) -> None:
    found = FOLDER.terms[name].translate_text(text)
    assert isinstance(found, Translation)
    assert (found.code is None) or not found.ambiguous
    assert found == FOLDER.terms[name].translate_text(unicodedata.normalize("NFKC", text))


@given(st.sampled_from(TABLES), st.text(max_size=8), st.text(max_size=8), st.text(max_size=30), st.text(max_size=30))
def test_any_concept_has_one_meaning_or_none(name: str, system: str, code: str, display: str, text: str) -> None:
    found = FOLDER.terms[name].translate(CodeableConcept((Coding(system, code, display),), text))
    assert found.code is None or not found.ambiguous


@given(st.sampled_from(PHRASES), st.sampled_from(["", "x ", "说明："]), st.sampled_from(["", " x", "（见附注）"]))
def test_a_phrase_means_the_same_in_every_spelling(known: tuple[str, str], before: str, after: str) -> None:
    name, phrase = known
    table = FOLDER.terms[name]
    text = before + phrase + after
    meaning = table.translate_text(text)
    for spelling in (
        text.upper(),
        text.casefold(),
        text.translate(FULL_WIDTH),
        f"\u3000{text}\t",
        text.replace(" ", "  "),
    ):
        assert table.translate_text(spelling) == meaning


@pytest.mark.parametrize("name", TABLES)
def test_every_phrase_alone_is_found_as_itself(name: str) -> None:
    table = FOLDER.terms[name]
    for phrase, target in table.phrases.items():
        assert normalise(phrase) == phrase
        assert table.translate_text(phrase).code == target.code, phrase


@given(st.text(max_size=60))
def test_the_form_for_comparison_is_stable(text: str) -> None:
    assert normalise(text.translate(FULL_WIDTH)) == normalise(text)
    assert normalise(f"  {text}  ") == normalise(text)


# --- units


SPELLINGS = [
    (name, unit) for name, analyte in sorted(FOLDER.units.analytes.items()) for unit in sorted(analyte.factors)
]
VALUES = st.decimals(min_value=0, max_value=10**6, places=4)


@given(st.sampled_from(SPELLINGS), VALUES)
def test_a_conversion_is_exact(known: tuple[str, str], value: Decimal) -> None:
    observable, unit = known
    factor = FOLDER.units.analytes[observable].factors[unit]
    found = FOLDER.units.convert(observable, value, Quantity(unit=unit))
    assert found is not None
    assert Fraction(found) == Fraction(value) * Fraction(factor)


@given(st.data(), VALUES)
def test_a_value_written_in_another_unit_is_the_same_value(data: st.DataObject, value: Decimal) -> None:
    """From the canonical unit to any spelling and back, without losing a digit."""
    observable, unit = data.draw(st.sampled_from(SPELLINGS))
    factor = Fraction(FOLDER.units.analytes[observable].factors[unit])
    written = Fraction(value) / factor
    if not _has_an_end(written):
        return
    exact = Decimal(written.numerator) / Decimal(written.denominator)
    assert Fraction(exact) == written
    back = FOLDER.units.convert(observable, exact, Quantity(code=unit))
    assert back is not None
    assert Fraction(back) == Fraction(value)


def _has_an_end(number: Fraction) -> bool:
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1 and number.denominator < 10**20
