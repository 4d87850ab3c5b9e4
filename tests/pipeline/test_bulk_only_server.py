"""A server that is there for exports alone: nothing can be searched, so nobody can be asked what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from exportserver import ExportServer, ndjson
from faultserver import answer
from whole_runs import Ended, bundles, by_type, command, resources

from fhir_adapter.ehr.bulk import run_export
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.store import Store, StreamLedger

HELD = by_type(resources(bundles("SYN-12", "shared")))
LISTED = [
    {"type": "Patient", "operation": [{"name": "patient-export", "definition": "OperationDefinition/patient-export"}]},
    {"type": "Group", "operation": [{"name": "group-export", "definition": "OperationDefinition/group-export"}]},
]
STATEMENT = {
    "resourceType": "CapabilityStatement",
    "status": "active",
    "date": "2026-11-22",
    "kind": "instance",
    "fhirVersion": "4.0.1",
    "format": ["json"],
    "rest": [{"mode": "server", "resource": LISTED, "operation": [{"name": "export", "definition": "export"}]}],
}
STATED = json.dumps(STATEMENT).encode()
HAS_NO = ("AdverseEvent", "Encounter")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ExportServer]:
    monkeypatch.setitem(run_export.__kwdefaults__ or {}, "sleep", lambda seconds: None)
    files = {f"{type}.1": ndjson(held) for type, held in HELD.items() if type not in HAS_NO}
    routes = {"/fhir/metadata": lambda request: answer(STATED, "Content-Type: application/fhir+json")}
    with ExportServer(files, exports=tuple(type for type in HELD if type not in HAS_NO), routes=routes) as started:
        yield started


def fetch(server: ExportServer, out: Path, **settings: object) -> Ended:
    config = out.with_suffix(".toml")
    config.write_text(
        "".join(f"{key} = {json.dumps(value)}\n" for key, value in {"bulk": "system", **settings}.items())
    )
    return command("fetch", "--server", server.base_url, "--out", out, "--config", config)


def ledger(out: Path) -> dict[str, StreamLedger]:
    with Store.reopen(OutputFolder(out).store) as store:
        return {one.stream: one for one in store.ledger(store.last_run() or 0)}


def test_everything_is_exported_and_what_the_server_does_not_have_is_unknown(
    server: ExportServer, tmp_path: Path
) -> None:
    ended = fetch(server, tmp_path / "out")
    assert ended.code == 0, ended.told
    streams = ledger(tmp_path / "out")
    assert {type: streams[type].stored for type in HELD if type not in HAS_NO} == {
        type: len(held) for type, held in HELD.items() if type not in HAS_NO
    }
    for type in HAS_NO:
        assert "does not export it" in streams[type].reason
        assert streams[type].unverified
    assert server.asked_for("/fhir/Patient?") == []


@pytest.mark.parametrize("dropped", ["Patient", "Observation"])
def test_a_type_that_is_silently_dropped_makes_the_run_incomplete(
    dropped: str, server: ExportServer, tmp_path: Path
) -> None:
    """As seen in the field: Patient left out, while the file of another type is empty."""
    del server.files[f"{dropped}.1"]
    server.files["Encounter.1"] = b""
    ended = fetch(server, tmp_path / "out")
    assert ended.code == 5
    streams = ledger(tmp_path / "out")
    assert [one.stream for one in streams.values() if not one.complete] == [dropped]
    assert "the export does not have it" in streams[dropped].reason


def test_a_site_may_know_that_there_is_nothing_of_a_type(server: ExportServer, tmp_path: Path) -> None:
    del server.files["Procedure.1"]
    assert fetch(server, tmp_path / "a").code == 5
    assert fetch(server, tmp_path / "b", export_may_lack=["Procedure"]).code == 0


def test_an_export_that_cannot_be_used_is_a_stream_that_says_so(server: ExportServer, tmp_path: Path) -> None:
    server.change = lambda manifest: manifest.pop("transactionTime")
    assert fetch(server, tmp_path / "out").code == 5
    assert "transactionTime" in ledger(tmp_path / "out")["export"].reason
