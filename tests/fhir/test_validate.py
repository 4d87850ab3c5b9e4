"""The gate: what is kept, what is kept with a flag, what is set aside and why."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.fhir.record import Record, Unreadable, read_record
from fhir_adapter.fhir.validate import MAX_FLAGS, Verdict, check

FhirJson = dict[str, Any]
PUBLIC = Path(__file__).parents[2] / "fixtures" / "public"
NAMES = [
    *("status", "code", "subject", "coding", "text", "value", "system", "reference", "meta", "lastUpdated"),
    *("effectiveDateTime", "_effectiveDateTime", "effectivePeriod", "start", "valueQuantity", "comparator"),
    *("extension", "modifierExtension", "url", "valueString", "_valueString", "contained", "resourceType"),
    *("birthDate", "name", "given", "gender", "clinicalStatus", "component", "vendor", "CANARY 1", ""),
]
DAR = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
ABSENT = {"extension": [{"url": DAR, "valueCode": "unknown"}]}

OBSERVATION: FhirJson = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {"text": "creatinine"},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2021-03-04T10:00:00+01:00",
    "valueQuantity": {"value": 1.5, "unit": "mg/dL"},
}
ADMINISTRATION: FhirJson = {
    "resourceType": "MedicationAdministration",
    "id": "m1",
    "status": "completed",
    "medicationCodeableConcept": {"text": "glofitamab"},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2021-03-04",
}
PATIENT: FhirJson = {"resourceType": "Patient", "id": "p1", "birthDate": "1960-05-04", "gender": "female"}
CONDITION: FhirJson = {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"}}
EVENT: FhirJson = {
    "resourceType": "AdverseEvent",
    "id": "e1",
    "actuality": "actual",
    "subject": {"reference": "Patient/p1"},
}


def verdict(resource: FhirJson, without: str = "", **elements: object) -> Verdict:
    changed = {name: value for name, value in resource.items() if name != without} | elements
    return check(filed(changed))


def filed(resource: FhirJson) -> Record:
    return Record(resource["resourceType"], resource["id"], "1", "", "p1", json.dumps(resource).encode())


def verdict_on(text: str) -> Verdict:
    """About bytes that no writer of JSON would write."""
    return check(Record("Observation", "o1", "1", "", "p1", text.encode("utf-8", "surrogatepass")))


def observation_text(elements: str) -> str:
    return json.dumps(OBSERVATION)[:-1] + "," + elements + "}"


@pytest.mark.parametrize("resource", [OBSERVATION, ADMINISTRATION, PATIENT, CONDITION, EVENT])
def test_what_is_as_it_should_be_passes_without_a_flag(resource: FhirJson) -> None:
    assert verdict(resource) == Verdict(True, "", ())


@pytest.mark.parametrize("when", ["2021", "2021-03", "2021-03-04", "2021-03-04T10:00:00Z", "2021-03-04T10:00:60Z"])
@pytest.mark.parametrize("more", ["", "T10:00:00.123456789+14:00"])
def test_dates_of_every_precision_pass(when: str, more: str) -> None:
    assert verdict(OBSERVATION, effectiveDateTime=when if not more else "2021-03-04" + more) == Verdict(True)


@pytest.mark.parametrize(
    ("when", "flags"),
    [
        ("2021-03-04T10:00:00", ("time-without-zone",)),
        ("2021-03-04T10:00:00.5", ("time-without-zone",)),
        ("2021-03-04T10:00Z", ("time-without-seconds",)),
        ("2021-03-04T10:00", ("time-without-seconds", "time-without-zone")),
        ("2021-03-04T24:00:00Z", ("time-24-hours",)),
        ("2021-03-04T24:00", ("time-24-hours", "time-without-seconds", "time-without-zone")),
        ("0001-01-01", ("placeholder-date",)),
        ("9999-12-31", ("placeholder-date",)),
        ("9999-12-31T00:00:00Z", ("placeholder-date",)),
        ("9999-12-31T00:00:00", ("placeholder-date", "time-without-zone")),
    ],
)
def test_a_time_that_can_be_understood_is_kept_with_flags(when: str, flags: tuple[str, ...]) -> None:
    expected = tuple(f"{flag} Observation.effectiveDateTime" for flag in flags)

    assert verdict(OBSERVATION, effectiveDateTime=when) == Verdict(True, "", expected)


@pytest.mark.parametrize(
    "when",
    [
        "2021-02-29",
        "2021-13-01",
        "2021-3-4",
        "04.03.2021",
        "2021-03-04 10:00:00",
        "2021-02-30T10:00:00",
        "2021-03-04T25:00:00Z",
        "2021-03-04T24:30:00Z",
        "2021-03-04T10:61:00Z",
        "2021-03-04T10:00:00+1",
        "yesterday",
    ],
)
def test_a_time_that_cannot_be_understood_sets_the_resource_aside(when: str) -> None:
    expected = "invalid-date Observation.effectiveDateTime"

    assert verdict(OBSERVATION, effectiveDateTime=when) == Verdict(False, expected)


def test_times_are_found_wherever_they_are() -> None:
    period = {"start": "2021-03-04T10:00", "end": "2021-03-04T10:00:00"}
    found = verdict(
        OBSERVATION,
        "effectiveDateTime",
        effectivePeriod=period,
        issued="2021-03-04T10:00:00",
        meta={"lastUpdated": "2021-03-04T10:00:00"},
    )

    assert found.accepted
    assert found.flags == (
        "time-without-seconds Observation.effectivePeriod.start",
        "time-without-zone Observation.effectivePeriod.end",
        "time-without-zone Observation.effectivePeriod.start",
        "time-without-zone Observation.issued",
        "time-without-zone Observation.meta.lastUpdated",
    )


@pytest.mark.parametrize("date", ["1960", "1960-05", "1960-05-04", "1850-01-01"])
def test_a_birth_date_may_be_partial_or_old(date: str) -> None:
    assert verdict(PATIENT, birthDate=date) == Verdict(True)


@pytest.mark.parametrize("date", ["2021-02-29", "1960-5-4", "1960-05-04T00:00:00Z", "unknown"])
def test_a_wrong_birth_date_is_flagged_and_the_patient_stays(date: str) -> None:
    assert verdict(PATIENT, birthDate=date) == Verdict(True, "", ("invalid-date Patient.birthDate",))


def test_a_wrong_date_of_death_is_not_passed_over() -> None:
    assert verdict(PATIENT, deceasedDateTime="2021-02-29").reason == "invalid-date Patient.deceasedDateTime"


def test_an_administration_whose_time_is_absent_with_a_reason_is_kept() -> None:
    found = verdict(ADMINISTRATION, "effectiveDateTime", _effectiveDateTime=ABSENT)

    assert found == Verdict(True, "", ("value-absent-with-reason MedicationAdministration.effectiveDateTime",))


@pytest.mark.parametrize(
    ("resource", "without", "reason"),
    [
        (ADMINISTRATION, "effectiveDateTime", "missing-element MedicationAdministration.effective"),
        (ADMINISTRATION, "medicationCodeableConcept", "missing-element MedicationAdministration.medication"),
        (ADMINISTRATION, "subject", "missing-element MedicationAdministration.subject"),
        (ADMINISTRATION, "status", "missing-element MedicationAdministration.status"),
        (OBSERVATION, "status", "missing-element Observation.status"),
        (OBSERVATION, "code", "missing-element Observation.code"),
        (EVENT, "actuality", "missing-element AdverseEvent.actuality"),
    ],
)
def test_what_r4_requires_must_be_there(resource: FhirJson, without: str, reason: str) -> None:
    assert verdict(resource, without) == Verdict(False, reason)


def test_two_values_are_one_too_many() -> None:
    assert verdict(OBSERVATION, valueString="high").reason == "more-than-one-value Observation"


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"vendorFlag": 1}, "unknown-element Observation.vendorFlag"),
        ({"root": 1}, "unknown-element Observation.root"),
        ({"code": {"text": "x", "vendor": {"a": [1]}}}, "unknown-element Observation.code.vendor"),
        ({"CANARY 7 Müller": 1}, "unknown-element Observation.*"),
        ({"extension": [{"url": "urn:vendor", "valueString": "x"}]}, "extension Observation.extension"),
        ({"category": []}, "empty-value Observation.category"),
        ({"specimen": None}, "null-value Observation.specimen"),
        ({"valueQuantity": {"value": 1, "unit": " "}}, ""),
        ({"method": {"coding": [{"code": " x "}]}}, "malformed-text Observation.method.coding.code"),
        ({"identifier": [{"value": ""}]}, "empty-value Observation.identifier.value"),
        ({"contained": [{"resourceType": "Nonsense"}]}, "unknown-contained-resource Observation.contained"),
        (
            {"contained": [{"resourceType": "Patient", "id": "c", "vendor": 1}]},
            "unknown-element Observation.contained.vendor",
        ),
        ({"fhir_comments": ["made by hand"]}, ""),
    ],
)
def test_what_is_odd_but_can_be_understood_is_kept_with_a_flag(change: FhirJson, flag: str) -> None:
    assert verdict(OBSERVATION, **change) == Verdict(True, "", (flag,) if flag else ())


def test_a_reason_for_absence_inside_an_extension_is_legal_and_kept() -> None:
    extension = {"url": "urn:vendor", "_valueDecimal": ABSENT}
    found = verdict(OBSERVATION, extension=[extension], subject={"reference": "Patient/p1", "extension": [extension]})

    assert found.accepted
    assert "extension-value-absent Observation.extension" in found.flags
    assert "extension-value-absent Observation.subject.extension" in found.flags


def test_primitive_siblings_are_kept() -> None:
    name = [{"given": [None, "B"], "_given": [ABSENT, None]}]

    assert verdict(PATIENT, "birthDate", _birthDate=ABSENT, name=name).accepted


@pytest.mark.parametrize(
    "change",
    [
        {"modifierExtension": [{"url": "urn:vendor:refuted", "valueBoolean": True}]},
        {"contained": [{"resourceType": "Patient", "id": "c", "modifierExtension": [{"url": "urn:x"}]}]},
        {"component": [{"code": {"text": "x"}, "modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}]},
    ],
)
def test_an_unknown_modifier_extension_sets_the_resource_aside_wherever_it_is(change: FhirJson) -> None:
    found = verdict(OBSERVATION, **change)

    assert not found.accepted
    assert found.reason.startswith("unknown-modifier-extension Observation")


def test_the_status_that_the_research_guide_gives_an_adverse_event_is_known() -> None:
    url = "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition/status"

    assert verdict(EVENT, modifierExtension=[{"url": url, "valueCode": "completed"}]).accepted


def test_rules_that_nobody_here_knows_set_the_resource_aside() -> None:
    assert verdict(OBSERVATION, implicitRules="urn:x").reason == "unknown-implicit-rules Observation.implicitRules"


@pytest.mark.parametrize(
    ("resource", "element", "codes"),
    [
        (OBSERVATION, "status", "registered preliminary final amended corrected cancelled entered-in-error unknown"),
        (
            ADMINISTRATION,
            "status",
            "in-progress not-done on-hold completed entered-in-error stopped unknown",
        ),
        (EVENT, "actuality", "actual potential"),
        (PATIENT, "gender", "male female other unknown"),
    ],
)
def test_every_code_of_a_required_value_set_passes(resource: FhirJson, element: str, codes: str) -> None:
    for code in codes.split():
        assert verdict(resource, **{element: code}) == Verdict(True)


@pytest.mark.parametrize(
    ("resource", "element"), [(OBSERVATION, "status"), (ADMINISTRATION, "status"), (EVENT, "actuality")]
)
@pytest.mark.parametrize("code", ["banana", "Final", "final ", "complete"])
def test_an_unknown_status_sets_the_resource_aside(resource: FhirJson, element: str, code: str) -> None:
    expected = f"code-not-in-value-set {resource['resourceType']}.{element}"

    assert verdict(resource, **{element: code}) == Verdict(False, expected)


def test_an_unknown_code_that_decides_nothing_is_flagged() -> None:
    assert verdict(PATIENT, gender="banana") == Verdict(True, "", ("code-not-in-value-set Patient.gender",))


@pytest.mark.parametrize("element", ["clinicalStatus", "verificationStatus"])
def test_the_status_of_a_condition_is_a_code_of_its_system_or_none_of_it(element: str) -> None:
    system = "http://terminology.hl7.org/CodeSystem/" + (
        "condition-clinical" if element == "clinicalStatus" else "condition-ver-status"
    )
    good = "active" if element == "clinicalStatus" else "confirmed"

    assert verdict(CONDITION, **{element: {"coding": [{"system": system, "code": good}]}}) == Verdict(True)
    assert verdict(CONDITION, **{element: {"coding": [{"system": "urn:local", "code": "A"}]}}) == Verdict(True)
    bad = verdict(CONDITION, **{element: {"coding": [{"system": system, "code": "banana"}]}})
    assert bad == Verdict(False, f"code-not-in-value-set Condition.{element}")


@pytest.mark.parametrize(("comparator", "accepted"), [("<", True), (">=", True), ("~", False), ("ad", False)])
def test_a_comparator_that_nobody_knows_may_turn_a_value_round(comparator: str, accepted: bool) -> None:
    quantity = {"value": 1, "comparator": comparator}

    assert verdict(OBSERVATION, valueQuantity=quantity).accepted is accepted


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"subject": [{"reference": "Patient/p1"}]}, "wrong-json-type Observation.subject"),
        ({"category": {"text": "x"}}, "wrong-json-type Observation.category"),
        ({"valueQuantity": {"value": True}}, "wrong-json-type Observation.valueQuantity.value"),
        ({"valueQuantity": {"value": "much"}}, "malformed-value Observation.valueQuantity.value"),
        ({"code": "2160-0"}, "wrong-json-type Observation.code"),
        ({"code": '{"text": "x"}'}, "unexpected-shape"),
    ],
)
def test_the_wrong_kind_of_json_sets_the_resource_aside(change: FhirJson, reason: str) -> None:
    assert verdict(OBSERVATION, **change) == Verdict(False, reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (observation_text('"status":"amended"'), "duplicate-key"),
        (observation_text('"valueInteger":NaN'), "not-a-number"),
        (observation_text('"valueInteger":-Infinity'), "not-a-number"),
        (observation_text('"valueInteger":1e400'), "number-out-of-range"),
        (observation_text('"valueInteger":1' + "0" * 5000), "number-out-of-range"),
        (observation_text('"valueInteger":1.' + "0" * 5000), "number-out-of-range"),
        (observation_text('"vendor":"\\ud800"'), "half-surrogate-pair Observation.vendor"),
        (observation_text('"vendor":"\ud800"'), "invalid-utf8"),
        (observation_text('"vendor":["a\\u0000b"]'), "control-character Observation.vendor"),
        (observation_text('"vendor":' + "[" * 200 + "]" * 200), "nested-too-deeply"),
        (observation_text('"vendor":' + '{"a":' * 150 + "1" + "}" * 150), "nested-too-deeply"),
        (observation_text('"vendor":' + "[" * 100_000 + "]" * 100_000), "nested-too-deeply"),
        (observation_text('"vendor":"' + "x" * 20_000_000 + '"'), "too-large"),
        ("{", "not-json"),
        ("[]", "not-a-json-object"),
        ("", "not-json"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_json_that_lies_or_bursts_is_set_aside_with_a_reason(text: str, reason: str) -> None:
    assert verdict_on(text) == Verdict(False, reason)


@pytest.mark.parametrize("number", ["-0.0", "1.50", "1e2", "1E-7", "12345678901234567890.123456789"])
def test_numbers_that_somebody_may_have_measured_pass(number: str) -> None:
    text = json.dumps(OBSERVATION).replace("1.5", number)

    assert verdict_on(text) == Verdict(True)


def test_two_hundred_nested_extensions_are_no_crash() -> None:
    extension: FhirJson = {"url": "urn:x", "valueString": "x"}
    for _ in range(200):
        extension = {"url": "urn:x", "extension": [extension]}

    assert verdict(OBSERVATION, extension=[extension]).reason == "nested-too-deeply"


def test_thirty_nested_extensions_pass() -> None:
    extension: FhirJson = {"url": "urn:x", "valueString": "x"}
    for _ in range(30):
        extension = {"url": "urn:x", "extension": [extension]}

    assert verdict(OBSERVATION, extension=[extension]).accepted


@pytest.mark.parametrize("id", ["a" * 65, "a/b", "..\\x", "", "ü", "a_b", "a b"])
def test_an_id_that_is_none_sets_the_resource_aside(id: str) -> None:
    body = json.dumps(OBSERVATION | {"id": id}).encode()

    assert check(Record("Observation", id, "1", "", "", body)).reason == "bad-id"
    with pytest.raises(Unreadable):
        read_record(body)


@pytest.mark.parametrize(
    ("type", "expected"),
    [
        ("Nonsense", Verdict(False, "unknown-resource-type")),
        ("HumanName", Verdict(False, "unknown-resource-type")),
        ("Evidence", Verdict(True, "", ("type-not-validated",))),
        ("MedicinalProduct", Verdict(True, "", ("type-not-validated",))),
        ("Basic", Verdict(False, "missing-element Basic.code")),
    ],
)
def test_types_that_r4_does_not_have_are_set_aside(type: str, expected: Verdict) -> None:
    assert verdict({"resourceType": type, "id": "x"}) == expected


def test_a_resource_of_another_type_than_it_was_filed_under_is_set_aside() -> None:
    body = json.dumps(OBSERVATION).encode()

    assert not check(Record("Patient", "o1", "1", "", "", body)).accepted


def test_what_a_lens_cannot_read_does_not_pass() -> None:
    assert verdict(PATIENT, active="true") == Verdict(False, "unexpected-shape")
    found = verdict(PATIENT, birthDate=None)
    assert (found.accepted, found.reason) == (False, "null-value Patient.birthDate")


def test_flags_are_sorted_unique_and_not_without_end() -> None:
    many = {f"vendor{number:03}": 1 for number in range(200)}
    found = verdict(OBSERVATION, **many)

    assert found.accepted
    assert len(found.flags) == MAX_FLAGS + 1
    assert list(found.flags[:-1]) == sorted(set(found.flags[:-1]))


@pytest.mark.parametrize("element", sorted(OBSERVATION.keys() - {"resourceType", "id"}))
def test_neither_reason_nor_flag_ever_quotes_a_value(element: str) -> None:
    for canary in ("CANARY", {"CANARY 1": "CANARY"}, ["CANARY"], 4711, {"reference": ["CANARY"]}):
        found = verdict(OBSERVATION, **{element: canary})
        assert "CANARY" not in repr(found)
        assert "4711" not in repr(found)


@pytest.mark.parametrize("path", sorted(PUBLIC.rglob("*.json")), ids=lambda path: path.stem)
def test_every_official_example_passes_and_leaves_the_bytes_alone(path: Path) -> None:
    record = read_record(path.read_bytes())
    before = record.body

    assert check(record).accepted
    assert record.body == before


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.just("CANARY") | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from([OBSERVATION, ADMINISTRATION, PATIENT, CONDITION, EVENT]),
    st.dictionaries(st.sampled_from(NAMES), anything, max_size=5),
)
def test_no_json_makes_the_gate_crash_or_quote(resource: FhirJson, elements: FhirJson) -> None:
    body = json.dumps(resource | elements).encode()
    record = Record(resource["resourceType"], resource["id"], "1", "", "p1", body)
    found = check(record)

    assert found == check(record)
    assert found.accepted is (found.reason == "")
    for text in (found.reason or "ok", *found.flags):
        assert re.fullmatch(r"[a-z0-9-]+( [A-Z][A-Za-z]+(\.(_?[A-Za-z0-9]+|\*))*)?", text)
        assert "CANARY" not in text


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_make_the_gate_crash(body: bytes) -> None:
    assert not check(Record("Observation", "o1", "1", "", "", body)).accepted


def test_help_does_not_pay_for_the_models() -> None:
    script = "import sys, fhir_adapter.fhir.validate; print('fhir.resources' in sys.modules, 'pydantic' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]
