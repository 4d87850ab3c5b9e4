"""Who a person is: sex, birth, death, visits, and several Patients that are one."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import msgspec
import pytest
from mapping.hospital import PERSON, Json, about, nothing_but, read, reasons, record, seen, study

from fhir_adapter.fhir.r4 import Patient, PatientLink, Reference
from fhir_adapter.mapping.patient import groups, survivors

# --- who


def someone(**elements: Any) -> Json:
    return PERSON | elements


@pytest.mark.parametrize(
    ("gender", "sex"),
    [
        ("male", "male"),
        ("female", "female"),
        ("other", "other"),
        ("unknown", "unknown"),
        ("", "unknown"),
        ("M", "unknown"),
    ],
)
def test_sex_is_what_the_record_says_or_unknown(gender: str, sex: str) -> None:
    assert seen(person=someone(gender=gender)).sex == sex


@pytest.mark.parametrize(
    ("text", "birth"),
    [("1961-03-02", "1961-03-02"), ("1961-03", "1961-03"), ("1961", "1961"), ("", None), ("61", None), ("9999", None)],
)
def test_a_birth_date_is_as_exact_as_known(text: str, birth: str | None) -> None:
    found = seen(person=someone(birthDate=text)).birth
    assert (found.iso if found else None) == birth


def test_the_person_is_named_after_the_patient_resource() -> None:
    subject = seen(person=someone(id="SYN-99", meta={"versionId": "7"}))
    assert (subject.subject_id, subject.patient_ids, str(subject.source)) == (
        "SYN-99",
        ("SYN-99",),
        "Patient/SYN-99/_history/7",
    )


def test_without_a_readable_patient_there_is_no_person() -> None:
    found = read(person=someone(birthDate=1961))
    assert (found.subject, reasons(found)) == (None, ["unexpected-shape"])


# --- death


DEATHS: list[tuple[Json, list[tuple[str | None, str]]]] = [
    ({}, []),
    ({"deceasedBoolean": False}, []),
    ({"deceasedBoolean": True}, [(None, "deceasedBoolean")]),
    ({"deceasedDateTime": "2024-08-01"}, [("2024-08-01", "deceasedDateTime")]),
    ({"deceasedDateTime": "2024-08"}, [("2024-08", "deceasedDateTime")]),
    ({"deceasedDateTime": "2024-08-01T22:15:00Z"}, [("2024-08-02", "deceasedDateTime")]),
    ({"deceasedDateTime": "not recorded"}, [(None, "deceasedDateTime")]),
]


@pytest.mark.parametrize(("elements", "deaths"), DEATHS)
def test_a_death_is_known_with_its_day_or_without(elements: Json, deaths: list[tuple[str | None, str]]) -> None:
    found = seen(person=someone(**elements)).deaths
    assert [(one.on.iso if one.on else None, one.source.element) for one in found] == deaths


# --- visits


def visit(status: str, **elements: Any) -> Json:
    return about("Encounter", status=status, **{"class": {"code": "AMB"}} | elements)


PERIOD = {"start": "2024-07-01T17:00:00Z", "end": "2024-07-04"}


@pytest.mark.parametrize(
    ("status", "days"),
    [
        ("finished", ["2024-07-02", "2024-07-04"]),
        ("in-progress", ["2024-07-02"]),  # the end of a visit that goes on is a plan
        ("arrived", ["2024-07-02"]),
        ("triaged", ["2024-07-02"]),
        ("onleave", ["2024-07-02"]),
    ],
)
def test_a_visit_that_took_place_is_a_contact(status: str, days: list[str]) -> None:
    contacts = seen(visit(status, period=PERIOD)).contacts
    assert [one.on.iso if one.on else "" for one in contacts] == days
    assert {one.kind for one in contacts} == {"encounter"}
    assert [one.source.element for one in contacts] == ["period.start", "period.end"][: len(days)]


@pytest.mark.parametrize("status", ["planned", "cancelled", "entered-in-error", "unknown"])
def test_a_visit_that_did_not_is_set_aside(status: str) -> None:
    nothing_but(f"status-{status}", read(visit(status, period=PERIOD)))


# --- several Patients, one person


def patients(**links: list[tuple[str, str]]) -> dict[str, Patient]:
    return {
        name: Patient(id=name, link=tuple(PatientLink(Reference(reference=other), kind) for kind, other in of))
        for name, of in links.items()
    }


def test_a_chain_of_merges_leads_to_the_last() -> None:
    found = survivors(
        patients(
            a=[("replaced-by", "Patient/b")],
            b=[("replaced-by", "https://ehr.example.org/fhir/Patient/c/_history/4"), ("replaces", "Patient/a")],
            c=[],
            d=[("seealso", "Patient/c"), ("refer", "Patient/a")],
        )
    )
    assert found == {"a": "c", "b": "c", "c": "c", "d": "d"}
    assert groups(found) == {"c": ("c", "a", "b"), "d": ("d",)}


def test_a_merge_is_known_from_either_side() -> None:
    assert survivors(patients(old=[], new=[("replaces", "Patient/old")])) == {"old": "new", "new": "new"}
    assert survivors(patients(old=[("replaced-by", "Patient/new")], new=[])) == {"old": "new", "new": "new"}


def test_nobody_survives_a_circle_and_nobody_else_is_hurt() -> None:
    circle = patients(
        a=[("replaced-by", "Patient/b")], b=[("replaced-by", "Patient/a")], c=[("replaced-by", "Patient/a")], d=[]
    )
    assert survivors(circle) == {"a": "", "b": "", "c": "", "d": "d"}
    assert groups(survivors(circle)) == {"d": ("d",)}


def test_a_link_to_oneself_means_nothing() -> None:
    assert survivors(patients(a=[("replaced-by", "Patient/a")])) == {"a": "a"}


def test_the_order_of_the_patients_does_not_matter() -> None:
    people = patients(
        a=[("replaced-by", "Patient/b")], b=[("replaces", "Patient/a")], c=[("replaces", "Patient/b")], d=[]
    )
    answers = {
        tuple(sorted(survivors({name: people[name] for name in order}).items())) for order in permutations(people)
    }
    assert answers == {(("a", "c"), ("b", "c"), ("c", "c"), ("d", "d"))}


def test_what_merged_patients_say_belongs_to_the_survivor() -> None:
    from fhir_adapter.mapping.assemble import assemble

    old: Json = {"resourceType": "Patient", "id": "old", "meta": {"versionId": "2"}, "deceasedDateTime": "2024-08-01"}
    seen_by_old = visit("finished", id="e1", period={"start": "2023-01-05"}) | {"subject": {"reference": "Patient/old"}}
    records = [record(one) for one in (PERSON, old, seen_by_old)]
    assert [one.person for one in records] == ["p1", "old", "old"]
    found = assemble("p1", ("p1", "old"), records, study().reader([]), frozenset()).subject
    assert found is not None
    assert found.patient_ids == ("p1", "old")
    assert [str(one.source) for one in found.deaths] == ["Patient/old/_history/2"]
    assert [str(one.source) for one in found.contacts] == ["Encounter/e1/_history/3"]


def test_the_lens_reads_links_as_sent() -> None:
    sent = b'{"resourceType":"Patient","id":"x","link":[{"other":{"reference":"Patient/y"},"type":"replaced-by"}]}'
    found = msgspec.json.decode(sent, type=Patient)
    assert [(one.other.reference, one.type) for one in found.link] == [("Patient/y", "replaced-by")]
