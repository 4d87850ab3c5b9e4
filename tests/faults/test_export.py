"""Numbers 46 to 57: bulk exports that never end, disappear, or are not what their manifest says."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faultserver import answer
from front import Asked, Exchange, framed, repeated, says
from served_hospital import Hospital, Night, hospital_with
from whole_runs import COMMAND, bundles, people, server_with, succeed

from fhir_adapter.ehr.bulk import run_export
from fhir_adapter.fhir.r4 import READ_TYPES
from fhir_adapter.sandbox import Sandbox

Json = dict[str, Any]
NDJSON = "Content-Type: application/fhir+ndjson"


@pytest.fixture(autouse=True)
def polls_at_once(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    """The waits between two questions for the status take no time."""
    monkeypatch.setitem(run_export.__kwdefaults__ or {}, "sleep", waits.append)


def is_order(asked: Asked) -> bool:
    return "$export?" in asked.request.target


def is_status(asked: Asked) -> bool:
    return "$export-jobs/" in asked.request.target and not is_file(asked) and asked.request.method == "GET"


def is_file(asked: Asked, name: str = "") -> bool:
    return asked.request.target.endswith(".ndjson") and f"/{name}" in asked.request.target


def asked_for(hospital: Hospital, wanted: Callable[[Asked], bool]) -> int:
    return sum(map(wanted, hospital.front.asked))


def fetch(hospital: Hospital, **settings: Any) -> Night:
    return hospital.fetch(bulk="system", **settings)


def spoils_manifest(hospital: Hospital, spoil: Callable[[Json], object]) -> None:
    """The manifest is spoilt each time it is asked for, and right again in the next night."""

    def trick(exchange: Exchange) -> None:
        body = exchange.truth()
        if not body:  # not ready yet
            exchange.connection.sendall(answer(b"", "Retry-After: 1", status="202 Accepted"))
            return
        manifest = json.loads(body)
        spoil(manifest)
        says("200 OK", body=manifest)(exchange)

    hospital.front.when(is_status, trick, for_ever=True)


def entry(manifest: Json, type: str) -> Json:
    found: Json = next(file for file in manifest["output"] if file["type"] == type)
    return found


def sends_file(hospital: Hospital, type: str, change: Callable[[bytes], bytes], times: int = 1) -> None:
    """The file of a type comes in another shape, so many times."""
    trick = framed(lambda body: answer(change(body), NDJSON))
    hospital.front.when(lambda asked: is_file(asked, type), *repeated(trick, times))


def is_incomplete(hospital: Hospital, night: Night, stream: str, says: str) -> None:
    """As `Hospital.is_incomplete`, and the export is not gone on with."""
    hospital.is_incomplete(night, stream, says)
    assert asked_for(hospital, is_order) == 1


def test_46_an_order_that_is_taken_without_saying_where(hospital: Hospital) -> None:
    """Kick-off answered by 202 without Content-Location: an error that names the header (exit 4), not endless."""
    hospital.front.when(is_order, says("202 Accepted"), for_ever=True)
    night = fetch(hospital)
    assert night.ended.code == 4
    assert "Content-Location" in night.ended.err
    assert asked_for(hospital, is_order) == 1


def test_47_an_export_that_never_ends(hospital: Hospital) -> None:
    """Status 202 for ever: exit 4 when `max_wait_s` is over; the next run goes on with the same export."""
    hospital.front.when(is_status, says("202 Accepted", "Retry-After: 120"), for_ever=True)
    night = fetch(hospital, max_wait_s=3600)
    assert night.ended.code == 4
    assert "still running" in night.ended.err
    assert 3600 <= sum(hospital.waits) <= 3700
    hospital.front.heal()
    hospital.is_whole(fetch(hospital))
    assert asked_for(hospital, is_order) == 1


def test_48_a_kill_while_waiting(hospital: Hospital, tmp_path: Path) -> None:
    """SIGKILL while the export runs: the next run asks at the same address, and orders no second export."""
    hospital.front.when(is_status, says("202 Accepted", "Retry-After: 1"), for_ever=True)
    config = tmp_path / "killed.toml"
    config.write_text('bulk = "system"\n')
    source = ("--server", hospital.front.base_url, "--out", str(hospital.out), "--config", str(config))
    with subprocess.Popen([str(COMMAND), "fetch", *source], stderr=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + 30
        while not asked_for(hospital, is_status) and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
    polled = {asked.request.target for asked in hospital.front.asked if is_status(asked)}
    hospital.front.heal()
    hospital.is_whole(fetch(hospital))
    assert asked_for(hospital, is_order) == 1
    assert {asked.request.target for asked in hospital.front.asked if is_status(asked)} == polled


def test_49_an_export_that_the_server_has_forgotten(hospital: Hospital) -> None:
    """Status 404 on resume: one new export, then success."""
    hospital.front.when(is_status, says("202 Accepted", "Retry-After: 120"), for_ever=True)
    assert fetch(hospital, max_wait_s=60).ended.code == 4
    hospital.front.heal()
    hospital.front.when(is_status, says("404 Not Found"))
    hospital.is_whole(fetch(hospital))
    assert asked_for(hospital, is_order) == 2


def test_50_a_file_with_fewer_resources_than_announced(hospital: Hospital) -> None:
    """The manifest says 500, the file has 120: incomplete (exit 5)."""
    spoils_manifest(hospital, lambda manifest: entry(manifest, "Observation").update(count=500))
    night = fetch(hospital)
    assert (night.ledger["Observation"].announced, night.ledger["Observation"].received) == (500, 120)
    is_incomplete(hospital, night, "Observation", "holds 500, and 120 came")


def test_51_a_type_that_is_a_path(hospital: Hospital) -> None:
    """A file of type `../../evil/Patient` in the manifest: refused (exit 5), nothing written outside."""
    spoils_manifest(hospital, lambda manifest: manifest["output"][0].update(type="../../evil/Patient"))
    night = fetch(hospital)
    assert list(hospital.home.parent.rglob("*evil*")) == []
    is_incomplete(hospital, night, "export", "a type that FHIR R4 does not have")


def test_52_a_file_of_another_type(hospital: Hospital) -> None:
    """The Patient file holds Observations: all of them are quarantined, incomplete (exit 5)."""
    line = b'{"resourceType":"Observation","id":"o","status":"final","code":{},"subject":{"reference":"Patient/p"}}\n'
    sends_file(hospital, "Patient", lambda body: line * len(body.splitlines()), times=9)
    night = fetch(hospital)
    assert set(night.reasons) == {"wrong-type-in-file"}
    assert night.ledger["Patient"].stored == 0
    is_incomplete(hospital, night, "Patient", "another type")


def remarks(hospital: Hospital, severity: str) -> None:
    """The manifest has a file with a remark of this severity."""
    url = f"{hospital.front.base_url}/$export-jobs/remarks/error.1.ndjson"
    spoils_manifest(hospital, lambda manifest: manifest["error"].append({"type": "OperationOutcome", "url": url}))
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": "processing"}]}
    remark = says("200 OK", NDJSON, body=json.dumps(outcome).encode() + b"\n")
    hospital.front.when(lambda asked: is_file(asked, "error"), remark, for_ever=True)


@pytest.mark.parametrize("severity", ["error", "fatal"])
def test_53a_an_error_file(severity: str, hospital: Hospital) -> None:
    """An error file with a fatal issue or an error: incomplete (exit 5), its code is named."""
    remarks(hospital, severity)
    is_incomplete(hospital, fetch(hospital), "export", "processing")


@pytest.mark.parametrize("severity", ["information", "warning"])
def test_53b_an_error_file_without_errors(severity: str, hospital: Hospital) -> None:
    """An error file with information or a warning: complete (exit 0)."""
    remarks(hospital, severity)
    hospital.is_whole(fetch(hospital))


@pytest.fixture
def two_people(tmp_path: Path, waits: list[float]) -> Iterator[Sandbox]:
    with server_with(bundles("SYN-12", "SYN-11", "shared")) as sandbox:
        yield sandbox


def test_54_deletions(two_people: Sandbox, tmp_path: Path, waits: list[float]) -> None:
    """A `deleted` file in the manifest: the records are gone, the cohort shrinks, its flow counts one less."""
    with hospital_with(two_people, tmp_path, "", waits) as hospital:
        assert fetch(hospital).ended.code == 0
        succeed("build", "--out", hospital.out)
        assert first_step(hospital) == "person,,3,0,3"
        gone, stays = people(hospital.out)
        forget(two_people, gone)
        night = fetch(hospital, max_deleted_share=1)
        assert night.ended.code == 0, night.ended.told
        assert night.ledger["export"].deleted > 1
        succeed("build", "--out", hospital.out)
        assert people(hospital.out) == [stays]
        assert first_step(hospital) == "person,,2,0,2"


def first_step(hospital: Hospital) -> str:
    """The first step of the attrition."""
    return (hospital.out / "cohort" / "flow.csv").read_text(encoding="utf-8").splitlines()[1]


def forget(sandbox: Sandbox, person: str) -> None:
    """Delete everything about a person on the server."""
    repository = sandbox.service.repository
    for type in READ_TYPES:
        for version in repository.find(type, ()):
            if person in (version.id, *version.keys.get("subject", ())):
                repository.delete(type, version.id)


def test_55_a_link_that_has_expired(hospital: Hospital) -> None:
    """The link to a file answers 403: a fresh manifest is asked for, what is here already is not fetched again."""
    hospital.front.when(lambda asked: is_file(asked, "Procedure"), says("403 Forbidden"))
    hospital.is_whole(fetch(hospital))
    assert asked_for(hospital, is_order) == 1
    assert asked_for(hospital, lambda asked: is_file(asked, "Patient")) == 1
    assert asked_for(hospital, lambda asked: is_file(asked, "Procedure")) == 2


def test_56a_a_last_line_that_is_cut(hospital: Hospital) -> None:
    """NDJSON whose last line is cut: fetched again."""
    sends_file(hospital, "Observation", lambda body: body[:-20])
    hospital.is_whole(fetch(hospital))
    assert asked_for(hospital, lambda asked: is_file(asked, "Observation")) == 2


@pytest.mark.parametrize(("count", "code"), [(120, 0), (None, 5)])
def test_56b_a_last_line_without_an_end(count: int | None, code: int, hospital: Hospital) -> None:
    """No newline at the end and no length, but whole JSON: accepted only if the manifest's count is right."""
    spoils_manifest(hospital, lambda manifest: entry(manifest, "Observation").update(count=count))
    trick = framed(lambda body: answer(body.rstrip(), NDJSON, length=-1))
    hospital.front.when(lambda asked: is_file(asked, "Observation"), trick, for_ever=True)
    assert fetch(hospital).ended.code == code


def test_57_line_ends_blank_lines_and_a_byte_order_mark(hospital: Hospital) -> None:
    """NDJSON with CRLF, blank lines and a byte order mark: accepted."""
    sends_file(hospital, "Observation", lambda body: b"\xef\xbb\xbf" + body.replace(b"\n", b"\r\n\r\n \n"))
    hospital.is_whole(fetch(hospital))
    assert asked_for(hospital, lambda asked: is_file(asked, "Observation")) == 1
