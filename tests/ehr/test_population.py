"""Who is asked for: the people of a file, a Group or a List, and what is refused because somebody would be missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from fakehttp import BASE, in_turn, ok, refusal, transport_to

from fhir_adapter.ehr.population import Population, fetch_group, fetch_list, listed, read_people
from fhir_adapter.errors import AccessError, FhirAdapterError, IncompleteError, Unreachable, UsageError

TODAY = "2026-11-22"


def member(reference: str, **more: object) -> dict[str, object]:
    return {"entity": {"reference": reference}, **more}


def group(*members: dict[str, object], **more: object) -> dict[str, Any]:
    return {"resourceType": "Group", "id": "g1", "type": "person", "actual": True, "member": list(members), **more}


def entry(reference: str, **more: object) -> dict[str, object]:
    return {"item": {"reference": reference}, **more}


def list_of(*entries: dict[str, object], **more: object) -> dict[str, Any]:
    return {"resourceType": "List", "id": "l1", "status": "current", "mode": "working", "entry": list(entries), **more}


def server(**resources: dict[str, Any]) -> Any:
    """Answers `Type/id` with the resource of that id."""

    def handler(request: httpx.Request) -> httpx.Response:
        found = resources.get(request.url.path.rsplit("/", 1)[1])
        return (
            ok(found) if found and request.url.path.endswith(f"{found['resourceType']}/{found['id']}") else refusal(404)
        )

    return handler


def members_of(resource: dict[str, Any], **others: dict[str, Any]) -> Population:
    transport, _ = transport_to(server(g1=resource, l1=resource, **others))
    fetch = fetch_group if resource["resourceType"] == "Group" else fetch_list
    return fetch(transport, resource["id"], TODAY)


def refused(resource: dict[str, Any], **others: dict[str, Any]) -> FhirAdapterError:
    with pytest.raises((UsageError, IncompleteError)) as problem:
        members_of(resource, **others)
    assert "CANARY" not in problem.value.message + problem.value.hint
    return problem.value


def test_a_file_names_each_person_once() -> None:
    assert listed(["b", "a", "b"]).people == ("b", "a")
    assert Population().everybody
    assert not listed([]).everybody


def test_the_lines_of_a_file_are_ids_however_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "patients.txt"
    path.write_bytes(b"\xef\xbb\xbfa\r\n\r\n  Patient/b  \n# a comment\na\n")
    assert read_people(path).people == ("a", "b")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "names nobody"),
        (b"# nobody yet\n", "names nobody"),
        (b"a\nCANARY x\n", "line 2 is not the id"),
        (b"CANARY;a\n", "line 1 is not"),
        (b"Observation/CANARY\n", "line 1 is not"),
        (b"CANARY" * 20, "line 1 is not"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_file_that_does_not_name_people_is_refused(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "patients.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=told) as problem:
        read_people(path)
    assert "CANARY" not in problem.value.message + problem.value.hint
    with pytest.raises(UsageError, match="cannot be read"):
        read_people(tmp_path / "missing")


def test_the_members_of_a_group_are_asked_for_once_each_and_in_order() -> None:
    found = members_of(group(member("Patient/b"), member("Patient/a"), member("Patient/b/_history/3")))
    assert found.people == ("b", "a")
    assert (found.kind, found.name, found.left, found.others) == ("group", "g1", 0, 0)


def test_an_absolute_reference_to_the_same_server_is_a_member() -> None:
    assert members_of(group(member(f"{BASE}/Patient/a"), member("HTTPS://EHR.example:443/fhir/Patient/b"))).people == (
        "a",
        "b",
    )


@pytest.mark.parametrize(
    "over",
    [
        {"inactive": True},
        {"inactive": "true"},
        {"period": {"end": "2026-11-21"}},
        {"period": {"end": "2020-01-01T10:00Z"}},
    ],
)
def test_who_has_left_the_group_is_not_asked_for_and_counted(over: dict[str, object]) -> None:
    found = members_of(group(member("Patient/a"), member("Patient/b", **over)))
    assert (found.people, found.left) == (("a",), 1)
    assert found.sentence == "The patients of the Group are asked for: 1; no longer in it: 1."


@pytest.mark.parametrize("end", [TODAY, "2026-12-01", "2026", "2026-10", ""])
def test_a_membership_that_may_not_be_over_counts(end: str) -> None:
    assert members_of(group(member("Patient/a", period={"end": end}))).people == ("a",)


def test_members_that_are_not_patients_are_counted() -> None:
    found = members_of(group(member("Patient/a"), member("Practitioner/x"), member("Device/y")))
    assert (found.people, found.others) == (("a",), 2)
    assert "entries that are not patients: 2" in found.sentence


def test_a_group_in_a_group_is_followed_once() -> None:
    inner = {**group(member("Patient/b"), member("Patient/a")), "id": "g2"}
    assert members_of(group(member("Patient/a"), member("Group/g2")), g2=inner).people == ("a", "b")


def test_a_group_that_goes_deeper_is_refused_even_round_in_a_circle() -> None:
    inner = {**group(member("Group/g1")), "id": "g2"}
    problem = refused(group(member("Patient/a"), member("Group/g2")), g2=inner)
    assert "yet another one" in problem.message
    assert problem.exit_code == 2


@pytest.mark.parametrize(
    "lost",
    [
        {"entity": {"display": "CANARY"}},
        {"entity": {"identifier": {"value": "CANARY"}}},
        {},
        member("https://elsewhere.example/fhir/Patient/CANARY"),
        member("urn:uuid:CANARY"),
        member("Patient/CANARY/x"),
        member("Patient?identifier=CANARY"),
    ],
    ids=range(7),
)
def test_a_member_that_cannot_be_found_is_missing_and_not_left_out(lost: dict[str, object]) -> None:
    problem = refused(group(member("Patient/a"), lost))
    assert "members of the Group that cannot be found: 1;" in problem.message
    assert problem.exit_code == 5


def test_a_group_that_shows_fewer_members_than_it_has_is_incomplete() -> None:
    problem = refused(group(member("Patient/a"), quantity=3))
    assert "has 3 members and lists 1" in problem.message
    assert problem.exit_code == 5


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        (group(), "lists no patients"),
        (group(member("Practitioner/CANARY")), "lists no patients"),
        (group(member("Patient/CANARY", inactive=True)), "lists no patients"),
        (group(actual=False), "lists nobody"),
        (group(member("Device/CANARY"), type="device"), "not one of persons"),
        (group(member("Patient/CANARY"), modifierExtension=[{"url": "CANARY"}]), "a modifier"),
        (group(member("Patient/CANARY", modifierExtension=[{"url": "CANARY"}])), "a modifier"),
        (list_of(), "lists no patients"),
        (list_of(entry("Patient/CANARY"), status="entered-in-error"), "entered in error"),
        (list_of(entry("Patient/CANARY"), mode="changes"), "tells changes"),
        (list_of(entry("Patient/CANARY", modifierExtension=[{"url": "CANARY"}])), "a modifier"),
    ],
)
def test_what_does_not_say_who_is_meant_is_refused(resource: dict[str, Any], told: str) -> None:
    problem = refused(resource)
    assert told in problem.message
    assert problem.exit_code == 2
    assert problem.hint


def test_the_patients_of_a_list_without_those_taken_out() -> None:
    found = members_of(
        list_of(entry("Patient/a"), entry("Patient/b", deleted=True), entry("Observation/o"), entry("Group/g2")),
        g2={**group(member("Patient/c", inactive=True), member("Patient/d")), "id": "g2"},
    )
    assert (found.kind, found.people, found.left, found.others) == ("list", ("a", "d"), 2, 1)


@pytest.mark.parametrize("status", [404, 410])
def test_a_group_that_is_not_there_is_a_mistake_in_the_settings(status: int) -> None:
    transport, _ = transport_to(in_turn(refusal(status)))
    with pytest.raises(UsageError, match="the server has no Group"):
        fetch_group(transport, "g1", TODAY)


def test_a_group_that_must_not_be_read_names_the_scope() -> None:
    transport, _ = transport_to(in_turn(refusal(403)))
    with pytest.raises(AccessError, match="Group: The server accepted the credentials") as problem:
        fetch_group(transport, "g1", TODAY)
    assert "system/Group.rs" in problem.value.hint


def test_something_else_than_the_group_is_never_an_empty_group() -> None:
    for body in (b"[]", b"CANARY", b'{"resourceType":"OperationOutcome"}', b'{"resourceType":"Patient","id":"g1"}'):
        transport, _ = transport_to(in_turn(httpx.Response(200, content=body)))
        with pytest.raises(IncompleteError, match="something else than a Group"):
            fetch_group(transport, "g1", TODAY)


def test_a_server_that_is_down_is_said_as_such() -> None:
    transport, _ = transport_to(in_turn(httpx.ConnectError("")))
    with pytest.raises(Unreachable):
        fetch_list(transport, "l1", TODAY)


def test_no_id_is_in_how_a_population_is_shown() -> None:
    assert "CANARY" not in repr(listed(["CANARY"])) + listed(["CANARY"]).sentence
