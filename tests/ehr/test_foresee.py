"""What would be written, entry by entry, before anything is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from fakefhir import FakeFhir
from test_deliver import DOCUMENTS, SERVERS, measure, report, run

from fhir_adapter.ehr.difference import differences
from fhir_adapter.ehr.document import key_of
from fhir_adapter.ehr.foresee import Foreseen, foresee
from fhir_adapter.errors import UsageError


def foreseen(server: FakeFhir, documents: list[Any]) -> list[Foreseen]:
    transport, _ = server.connect()
    return list(foresee(transport, server.capability, documents))


@pytest.mark.parametrize("kind", SERVERS)
def test_on_an_empty_server_everything_is_new_and_nothing_is_written(kind: str) -> None:
    server = SERVERS[kind]()
    assert foreseen(server, DOCUMENTS) == [Foreseen(key_of(one), "new") for one in DOCUMENTS]
    assert server.history == {}


@pytest.mark.parametrize("kind", SERVERS)
def test_what_the_server_holds_already_stays_as_it_is(kind: str) -> None:
    server = SERVERS[kind]()
    run(server)
    assert {(one.change, one.version) for one in foreseen(server, DOCUMENTS)} == {("unchanged", "1")}


@pytest.mark.parametrize("kind", SERVERS)
def test_a_change_names_its_elements_and_the_version_that_is_there(kind: str) -> None:
    server = SERVERS[kind]()
    run(server)
    before = {key: len(versions) for key, versions in server.history.items()}
    changed = report("r-pfs", Decimal("0.5"))
    element = ("group[0].measureScore.value",)
    assert foreseen(server, [measure(), changed]) == [
        Foreseen("Measure/m-pfs", "unchanged", "1"),
        Foreseen("MeasureReport/r-pfs", "changed", "1", element),
    ]
    assert {key: len(versions) for key, versions in server.history.items()} == before


def test_what_the_server_cannot_store_is_said_at_once() -> None:
    with pytest.raises(UsageError, match="does not store Evidence"):
        foreseen(FakeFhir(), [{"resourceType": "Evidence", "id": "e"}])


@pytest.mark.parametrize(
    ("one", "other", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"b": 1}, ["a", "b"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a[1]"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a"]),
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 2}]}}, ["a.b[0].c"]),
    ],
)
def test_a_difference_is_named_by_its_element(one: object, other: object, paths: list[str]) -> None:
    assert list(differences(one, other)) == paths
