"""Whether the address is a FHIR server we can read, and what it offers."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fakehttp import BASE, in_turn, ok, refusal, transport_to

from fhir_adapter.ehr.capability import Capability, fetch_capability
from fhir_adapter.ehr.failures import Exhausted
from fhir_adapter.ehr.plan import plan
from fhir_adapter.errors import AccessError, NotFhir, Unreachable, UsageError


def resource(type: str, *interactions: str, params: tuple[str, ...] = (), **more: object) -> dict[str, object]:
    return {
        "type": type,
        "interaction": [{"code": code} for code in interactions or ("read", "search-type")],
        "searchParam": [{"name": name, "type": "token"} for name in params],
        **more,
    }


def statement(*resources: dict[str, object], version: str = "4.0.1", **more: object) -> dict[str, Any]:
    return {
        "resourceType": "CapabilityStatement",
        "fhirVersion": version,
        "software": {"name": "Some Server", "version": "8.1"},
        "rest": [{"mode": "server", "resource": list(resources), "interaction": [{"code": "transaction"}]}],
        **more,
    }


def fetched(value: object) -> Capability:
    transport, _ = transport_to(in_turn(ok(value)))
    return fetch_capability(transport)


def test_what_the_server_offers_is_read() -> None:
    capability = fetched(
        statement(
            resource(
                "MeasureReport",
                "read",
                "search-type",
                "update",
                "create",
                params=("identifier", "_id"),
                updateCreate=True,
                conditionalUpdate=True,
            )
        )
    )
    offered = capability.types["MeasureReport"]
    assert (capability.fhir_version, capability.software) == ("4.0.1", "Some Server 8.1")
    assert capability.transaction
    assert (offered.search, offered.read, offered.update_create, offered.conditional_update) == (True,) * 4
    assert not offered.conditional_create
    assert offered.search_params == {"identifier", "_id"}


@pytest.mark.parametrize("version", ["4.0.0", "4.0.1", "4.3.0", "4.3.0-ballot"])
def test_r4_and_r4b_are_read(version: str) -> None:
    assert fetched(statement(version=version)).fhir_version == version


@pytest.mark.parametrize(
    ("version", "release"),
    [("5.0.0", "R5"), ("3.0.2", "STU3"), ("1.0.2", "DSTU2"), ("6.0.0-ballot2", "R6"), ("9.9.9", "another release")],
)
def test_another_release_is_named_and_ends_with_exit_code_2(version: str, release: str) -> None:
    with pytest.raises(UsageError, match=f"speaks {release} .fhirVersion {version}.") as caught:
        fetched(statement(version=version))
    assert caught.value.exit_code == 2


def test_the_old_conformance_resource_is_dstu2() -> None:
    with pytest.raises(UsageError, match="speaks DSTU2"):
        fetched({"resourceType": "Conformance", "fhirVersion": "1.0.2"})


@pytest.mark.parametrize(
    ("response", "seen"),
    [
        (refusal(404), "HTTP 404"),
        (refusal(406), "HTTP 406"),
        (httpx.Response(200, content=b"<!DOCTYPE html><html>Log in, CANARY</html>"), "a web page"),
        (httpx.Response(200, content=b"\xef\xbb\xbf  <?xml version='1.0'?>"), "a web page"),
        (httpx.Response(200, content=b"CANARY"), "not JSON"),
        (httpx.Response(200, content=b""), "not JSON"),
        (ok([1, 2]), "another shape"),
        (ok("CANARY"), "another shape"),
        (ok({"hello": "CANARY"}), "not a CapabilityStatement"),
        (ok({"resourceType": "Patient", "id": "CANARY"}), "not a CapabilityStatement"),
        (ok(statement(version="")), "names no FHIR version"),
        (ok(statement(version="CANARY")), "names no FHIR version"),
    ],
)
def test_an_address_that_is_not_fhir_is_said_with_what_was_seen(response: httpx.Response, seen: str) -> None:
    transport, _ = transport_to(in_turn(response))
    with pytest.raises(NotFhir, match=seen) as caught:
        fetch_capability(transport)
    assert caught.value.exit_code == 2
    assert BASE in caught.value.message
    assert "CANARY" not in caught.value.message + caught.value.hint


def test_a_server_that_is_down_is_not_taken_for_something_else() -> None:
    transport, _ = transport_to(in_turn(httpx.ConnectError("")))
    with pytest.raises(Unreachable):
        fetch_capability(transport)
    transport, _ = transport_to(in_turn(refusal(500)))
    with pytest.raises(Exhausted, match="HTTP 500"):
        fetch_capability(transport)
    transport, _ = transport_to(in_turn(refusal(401)))
    with pytest.raises(AccessError):
        fetch_capability(transport)


def test_a_statement_that_was_cut_is_asked_for_again() -> None:
    whole = json.dumps(statement()).encode()
    transport, wire = transport_to(in_turn(httpx.Response(200, content=whole[:-9]), httpx.Response(200, content=whole)))
    assert fetch_capability(transport).software == "Some Server 8.1"
    assert len(wire.requests) == 2


def test_software_that_is_not_a_plain_name_is_not_repeated() -> None:
    assert fetched(statement(software={"name": "<script>"})).software == "unknown software"
    assert fetched(statement(software=None)).software == "unknown software"


def test_a_type_that_is_not_offered_is_unsupported_and_never_empty() -> None:
    capability = fetched(statement(resource("Patient"), resource("AdverseEvent", "read")))
    plans = plan(capability, ["Patient", "AdverseEvent", "Procedure"])
    assert [(p.type, p.how) for p in plans] == [
        ("Patient", "search"),
        ("AdverseEvent", "unsupported"),
        ("Procedure", "unsupported"),
    ]
    assert "not the same as none" in plans[1].reason
    assert "is not offered" in plans[2].reason


def test_a_type_listed_without_interactions_is_tried() -> None:
    capability = fetched(statement({"type": "Observation"}))
    assert plan(capability, ["Observation"])[0].how == "search"


@pytest.mark.parametrize(("names", "searched"), [(["export"], False), (["$export"], False), (["everything"], True)])
def test_a_type_listed_for_its_export_alone_cannot_be_searched(names: list[str], searched: bool) -> None:
    operations = [{"name": name} for name in names]
    capability = fetched(statement({"type": "Patient", "operation": operations}))
    assert capability.types["Patient"].search == searched


def test_a_statement_without_types_promises_no_transaction() -> None:
    capability = fetched({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})
    assert not capability.transaction


def test_with_a_patient_list_each_patient_is_asked_for_by_the_parameter_the_type_has() -> None:
    capability = fetched(
        statement(
            resource("Patient", params=("_id", "identifier")),
            resource("Observation", params=("patient", "subject", "code")),
            resource("AdverseEvent", params=("subject", "date")),
            resource("Medication", params=("code",)),
        )
    )
    plans = plan(capability, ["Patient", "Observation", "AdverseEvent", "Medication"], people=["a", "b"])
    assert [(p.how, p.person_param) for p in plans] == [
        ("person", "_id"),
        ("person", "patient"),
        ("person", "subject"),
        ("search", ""),
    ]
    assert plans[0].people == ("a", "b")


def test_medicines_come_along_only_where_they_cannot_be_fetched_alone() -> None:
    administration = resource(
        "MedicationAdministration", params=("patient",), searchInclude=["MedicationAdministration:medication"]
    )
    alone = fetched(statement(administration))
    assert plan(alone, ["MedicationAdministration"])[0].params == (("_include", "MedicationAdministration:medication"),)
    together = fetched(statement(administration, resource("Medication")))
    assert plan(together, ["MedicationAdministration"])[0].params == ()


def test_a_statement_that_lists_no_type_is_no_reason_not_to_ask() -> None:
    """A small server may say that it speaks R4 and no more; what it then refuses makes its stream incomplete."""
    silent = Capability("4.0.1", "", {}, False)
    streams = plan(silent, ["Patient", "AdverseEvent", "Observation", "Medication"])
    assert [stream.how for stream in streams] == ["search"] * 4
    assert [stream.person_param for stream in streams] == ["_id", "subject", "patient", ""]


def test_what_else_the_server_offers_is_read() -> None:
    capability = fetched(
        statement(
            resource(
                "Patient",
                "read",
                "search-type",
                "history-type",
                params=("_id",),
                searchRevInclude=["Observation:patient"],
                operation=[{"name": "everything", "definition": "https://a.example/everything"}],
            ),
            publisher="A Vendor",
        )
    )
    offered = capability.types["Patient"]
    assert offered.history
    assert offered.search_rev_includes == {"Observation:patient"}
    assert offered.operations == {"everything"}
    assert capability.publisher == "A Vendor"
    assert not capability.batch


@pytest.mark.parametrize(
    ("everywhere", "at_patient", "at_group", "levels"),
    [
        ([], [], [], set()),
        ([{"name": "export"}], [], [], {"system"}),
        ([{"name": "$export"}], [], [], {"system"}),
        ([], [{"name": "export"}], [{"name": "export"}], {"patient", "group"}),
        ([{"name": "group-export"}], [], [], {"group"}),
        ([{"name": "x", "definition": f"{BASE}/OperationDefinition/patient-export|2.0.0"}], [], [], {"patient"}),
        ([], [], [{"name": "export", "definition": f"{BASE}/OperationDefinition/Group-i-export"}], {"group"}),
        ([{"name": "export", "definition": f"{BASE}/OperationDefinition/-s-export"}], [], [], {"system"}),
        ([{"name": "everything"}, {"name": "reexport"}, {"name": "export-status"}], [], [], set()),
        ([], [{"name": "everything"}], [], set()),
    ],
)
def test_the_levels_of_bulk_export_are_known_by_whatever_name(
    everywhere: list[object], at_patient: list[object], at_group: list[object], levels: set[str]
) -> None:
    rest = {
        "mode": "server",
        "operation": everywhere,
        "resource": [
            {"type": "Patient", "operation": at_patient},
            {"type": "Group", "operation": at_group},
            {"type": "Observation", "operation": [{"name": "export"}]},
        ],
    }
    assert fetched(statement(rest=[rest])).export_levels == levels


def test_a_parameter_of_the_whole_server_counts_for_every_type() -> None:
    rest = {"mode": "server", "searchParam": [{"name": "_lastUpdated"}], "resource": [resource("Observation")]}
    capability = fetched(statement(rest=[rest]))
    assert capability.types["Observation"].search_params == {"_lastUpdated"}
    assert plan(capability, ["Observation"])[0].person_param == "patient"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("interaction", [{"code": None}, None, {"code": "search-type"}]),
        ("interaction", {"code": "search-type"}),
        ("interaction", [{"code": " Search-Type "}]),
        ("searchParam", None),
        ("searchParam", [{"name": 7}, "patient"]),
        ("searchInclude", "*"),
        ("updateCreate", "true"),
        ("operation", {"name": None}),
    ],
)
def test_a_slip_in_the_statement_does_not_hide_the_type(key: str, value: object) -> None:
    capability = fetched(statement({**resource("Observation"), key: value}))
    assert capability.types["Observation"].search


@pytest.mark.parametrize("value", ["text", 7, [], {}, None, [None], [{"name": []}]])
@pytest.mark.parametrize("key", ["software", "publisher", "rest", "implementation"])
def test_a_statement_with_odd_parts_is_read_without_them(key: str, value: object) -> None:
    assert fetched({**statement(resource("Patient")), key: value}).fhir_version == "4.0.1"


def test_the_clock_of_the_server_is_remembered() -> None:
    transport, _ = transport_to(in_turn(ok(statement(), {"Date": "Sun, 22 Nov 2026 12:00:00 GMT"})))
    assert fetch_capability(transport).answered_at == 1795348800
    assert fetched(statement()).answered_at is None
