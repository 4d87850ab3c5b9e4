"""Whole commands for a part of a server: the members of a Group, the patients of a List, the codes of the study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_runs import Resource, bundles, command, put, server_with, succeed

from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.sandbox import Sandbox
from fhir_adapter.sandbox.exchange import Call, Reply
from fhir_adapter.store import Store, StreamLedger

GROUP = {"resourceType": "Group", "id": "g1", "type": "person", "actual": True}
LIST = {"resourceType": "List", "id": "l1", "status": "current", "mode": "working"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A server with three people of the study; two of them belong to the Group, one is on the List."""
    with server_with(bundles("SYN-03", "SYN-08", "SYN-12", "shared")) as sandbox:
        put(sandbox.base_url, group("SYN-03", "SYN-12"))
        put(sandbox.base_url, {**LIST, "entry": [{"item": {"reference": "Patient/SYN-08"}}]})
        yield sandbox


def group(*members: str) -> Resource:
    return {**GROUP, "member": [{"entity": {"reference": f"Patient/{person}"}} for person in members]}


def people(out: Path) -> list[str]:
    """Whom there are records of."""
    with Store.reopen(OutputFolder(out).store) as store:
        return sorted(store.person_keys())


def content(out: Path) -> str:
    with Store.reopen(OutputFolder(out).store) as store:
        return store.content_hash()


def ledger(out: Path) -> dict[str, StreamLedger]:
    with Store.reopen(OutputFolder(out).store) as store:
        return {one.stream: one for one in store.ledger(store.last_run() or 0)}


def test_a_fetch_is_about_the_members_of_a_group(sandbox: Sandbox, tmp_path: Path) -> None:
    out = tmp_path / "out"
    succeed("fetch", "--server", sandbox.base_url, "--group", "g1", "--out", out)
    assert people(out) == ["SYN-03", "SYN-12"]


def test_who_joins_the_group_comes_with_their_whole_history(sandbox: Sandbox, tmp_path: Path) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    source = ("--server", sandbox.base_url, "--group", "g1")
    succeed("fetch", *source, "--out", out)
    put(sandbox.base_url, group("SYN-03", "SYN-12", "SYN-08"))
    succeed("fetch", *source, "--out", out)
    succeed("fetch", *source, "--out", again)
    assert people(out) == ["SYN-03", "SYN-08", "SYN-12"]
    assert content(out) == content(again)


def test_a_fetch_is_about_the_patients_of_a_list(sandbox: Sandbox, tmp_path: Path) -> None:
    out = tmp_path / "out"
    succeed("fetch", "--server", sandbox.base_url, "--list", "l1", "--out", out)
    assert people(out) == ["SYN-08"]


@pytest.mark.parametrize("flag", ["--group", "--list"])
def test_a_group_that_is_not_there_ends_with_2_and_leaves_nothing(flag: str, sandbox: Sandbox, tmp_path: Path) -> None:
    ended = command("fetch", "--server", sandbox.base_url, flag, "nobody", "--out", tmp_path / "out")
    assert ended.code == 2
    assert "Traceback" not in ended.told
    assert not (tmp_path / "out").exists()


def test_what_a_search_by_code_does_not_see_is_told_with_the_results(sandbox: Sandbox, tmp_path: Path) -> None:
    config, out = tmp_path / "site.toml", tmp_path / "out"
    config.write_text('by_code = ["Observation"]\n', encoding="utf-8")
    succeed("fetch", "--config", config, "--server", sandbox.base_url, "--group", "g1", "--out", out)
    found = ledger(out)["Observation"]
    assert found.complete
    assert "records that have only a text, or a code that the study does not know, are not seen" in found.reason
    assert "not seen" not in ledger(out)["Procedure"].reason
    assert "are not seen" in succeed("status", "--out", out).out


def test_no_patient_stands_in_an_address_when_searches_go_by_post(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out = tmp_path / "site.toml", tmp_path / "out"
    config.write_text("search_by_post = true\n", encoding="utf-8")
    asked: list[Call] = []
    answer = sandbox.service.answer

    def noting(call: Call) -> Reply:
        asked.append(call)
        return answer(call)

    monkeypatch.setattr(sandbox.service, "answer", noting)
    succeed("fetch", "--config", config, "--server", sandbox.base_url, "--group", "g1", "--out", out)
    about = [call for call in asked if call.path[0] == "Observation" and "patient" in dict(call.query)]
    assert {(call.method, call.path) for call in about} == {("POST", ("Observation", "_search"))}
    assert {dict(call.query)["patient"] for call in about} == {"Patient/SYN-03", "Patient/SYN-12"}
