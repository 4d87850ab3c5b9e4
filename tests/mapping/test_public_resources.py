"""The official examples of FHIR R4 and mCODE: each ends as events or with a reason, and none breaks the way there."""

from __future__ import annotations

from pathlib import Path

import pytest
from mapping.hospital import facts, study

from fhir_adapter.cohort.events import Contact, Event
from fhir_adapter.fhir import r4
from fhir_adapter.fhir.record import Unreadable, read_record
from fhir_adapter.fhir.validate import check
from fhir_adapter.mapping.assemble import assemble, map_resource
from fhir_adapter.mapping.reading import SetAside, Unmapped

PUBLIC = Path(__file__).parents[2] / "fixtures" / "public"
FILES = sorted(path for path in PUBLIC.glob("*/*.json"))
CAR_T = study().study.roles.car_t


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def test_there_are_examples_of_every_type_we_read() -> None:
    assert {path.name.partition("-")[0] for path in FILES} == set(r4.READ_TYPES)
    assert len(FILES) > 200


def says_something(one: object) -> bool:
    """A fact or a reason; that somebody was seen is a fact about a visit only."""
    return isinstance(one, SetAside | Event) and not (isinstance(one, Contact) and one.kind != "encounter")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_an_example_ends_as_events_or_with_a_reason(path: Path) -> None:
    record = read_record(path.read_bytes())
    verdict = check(record)
    assert verdict.accepted or verdict.reason
    if not verdict.accepted:
        return
    resource = r4.decode(record.body)
    said = list(map_resource(resource, record, study().reader([record]), CAR_T))
    assert all(isinstance(one, Event | SetAside | Unmapped) for one in said)
    if not isinstance(resource, r4.Patient | r4.Medication):
        # A Patient is the person, a Medication is read through what points to it.
        assert any(says_something(one) for one in said)
    for one in said:
        if isinstance(one, Event):
            assert one.source.reference == record.reference
            assert one.source.element
        else:
            assert record.reference in one.source


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_an_example_that_the_lens_reads_passed_the_gate_and_the_other_way_round(path: Path) -> None:
    record = read_record(path.read_bytes())
    if check(record).accepted:
        r4.decode(record.body)


def test_the_people_of_the_examples_can_be_assembled() -> None:
    records = [record for path in FILES if check(record := read_record(path.read_bytes())).accepted]
    shared = [record for record in records if record.type == "Medication"]
    reader = study().reader(shared)
    people = {record.id for record in records if record.type == "Patient"}
    assert len(people) > 20
    for person in people:
        own = [record for record in records if record.person == person]
        found = assemble(person, (person,), own, reader, CAR_T)
        assert found.subject is not None
        assert found.subject.patient_ids == (person,)
        assert all(event.source.reference in {record.reference for record in own} for event in facts(found.subject))
        assert assemble(person, (person,), reversed(own), reader, CAR_T) == found


def test_what_nobody_can_read_is_unreadable_and_nothing_else() -> None:
    for body in (b"[]", b'{"resourceType":"Observation","code":[]}', b'{"resourceType":"Group"}', b"\xff", b""):
        with pytest.raises(Unreadable):
            r4.decode(body)
