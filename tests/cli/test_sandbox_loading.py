"""`sandbox load` and `unload`: invented patients on somebody's test server, and away again, exactly those."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from whole_runs import Ended, bundles, command, estimates, put, resources, server_with, succeed

from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import FhirAdapterError, IncompleteError, NotReadyError, ServerRefused, UsageError
from fhir_adapter.pipeline import loading
from fhir_adapter.pipeline.loading import TAG_SYSTEM, fixture_bundles, load, require_test_server
from fhir_adapter.pipeline.receipt import patients_file, read_receipt
from fhir_adapter.pipeline.unloading import unload
from fhir_adapter.progress import Progress
from fhir_adapter.sandbox import Sandbox

STRANGER = {"resourceType": "Patient", "id": "stranger", "meta": {"tag": [{"system": TAG_SYSTEM, "code": "other"}]}}
CIRCLE = [path for path in fixture_bundles(["background"]) if path.stem in ("linked-in-a-circle", "merged-twice")]
Answering = Callable[[httpx.Request], httpx.Response | None]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A server with one Patient of somebody else."""
    with server_with([]) as sandbox:
        put(sandbox.base_url, STRANGER)
        yield sandbox


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    return tmp_path / "load.json"


class Between(httpx.BaseTransport):
    """Stands between us and the server: answers some requests itself, and loses some answers."""

    def __init__(self, instead: Answering = lambda _: None, loses: Callable[[httpx.Request], bool] = lambda _: False):
        self._wire = httpx.HTTPTransport()
        self._instead, self._loses = instead, loses

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        instead = self._instead(request)
        if instead is not None:
            return instead
        answer = self._wire.handle_request(request)
        if self._loses(request):
            answer.read()
            raise httpx.ReadError("reset", request=request)
        return answer

    def close(self) -> None:
        self._wire.close()


def everything(sandbox: Sandbox) -> set[str]:
    """`Type/id` of all that the server holds."""
    repository = sandbox.service.repository
    types = {one["resourceType"] for one in resources([*bundles(), *CIRCLE])}
    return {f"{type}/{one.id}" for type in types for one in repository.find(type, ())}


def put_in(sandbox: Sandbox, receipt: Path, paths: list[Path], wire: httpx.BaseTransport | None = None) -> None:
    with Transport(sandbox.base_url, wire=wire) as transport:
        load(transport, paths, receipt, "this-load", Progress())


def taken_out(sandbox: Sandbox, receipt: Path, wire: httpx.BaseTransport | None = None) -> int:
    with Transport(sandbox.base_url, wire=wire) as transport:
        return unload(transport, receipt, Progress()).total()


def run_commands(sandbox: Sandbox, receipt: Path, *arguments: object) -> Ended:
    return succeed("sandbox", *arguments, "--server", sandbox.base_url, "--receipt", receipt)


def test_what_was_loaded_is_taken_away_and_nothing_else(sandbox: Sandbox, receipt: Path) -> None:
    told = run_commands(sandbox, receipt, "load", "--study-only").out
    assert "2504 resources loaded" in told
    assert "12 Patient" in told
    assert len(everything(sandbox)) == 2505
    assert "2504 resources removed" in run_commands(sandbox, receipt, "unload").out
    assert everything(sandbox) == {"Patient/stranger"}
    assert list(receipt.parent.iterdir()) == []


def test_a_run_over_the_loaded_patients_answers_as_their_files_do(
    sandbox: Sandbox, receipt: Path, tmp_path: Path
) -> None:
    paths = bundles("SYN-01", "SYN-10", "shared")
    put_in(sandbox, receipt, paths)
    source = ("--server", sandbox.base_url, "--patients", patients_file(receipt))
    succeed("run", *source, "--no-publish", "--out", tmp_path / "out")
    (tmp_path / "files").mkdir()
    for path in paths:
        shutil.copy(path, tmp_path / "files")
    succeed("run", "--folder", tmp_path / "files", "--out", tmp_path / "folder")
    assert estimates(tmp_path / "out") == estimates(tmp_path / "folder")


def test_every_resource_gets_an_id_of_the_server_and_the_tag(sandbox: Sandbox, receipt: Path) -> None:
    put_in(sandbox, receipt, bundles("SYN-01"))
    loaded = read_receipt(receipt)
    assert list(loaded.resources) == [f"{one['resourceType']}/{one['id']}" for one in resources(bundles("SYN-01"))]
    assert set(loaded.resources.values()) == everything(sandbox) - {"Patient/stranger"}
    assert not any("SYN" in place for place in loaded.resources.values())
    found = [one.resource for one in sandbox.service.repository.find("Observation", ())]
    assert {json.dumps(one["meta"]["tag"]) for one in found} == {
        json.dumps([{"system": TAG_SYSTEM, "code": "this-load"}])
    }
    assert {one["subject"]["reference"] for one in found} == {loaded.resources["Patient/SYN-01"]}
    assert patients_file(receipt).read_text() == loaded.resources["Patient/SYN-01"].removeprefix("Patient/") + "\n"


def test_people_who_point_at_each_other_in_a_circle_go_together(sandbox: Sandbox, receipt: Path) -> None:
    put_in(sandbox, receipt, CIRCLE)
    assert taken_out(sandbox, receipt) == len(resources(CIRCLE))
    assert everything(sandbox) == {"Patient/stranger"}


def test_dependants_go_before_what_they_refer_to(sandbox: Sandbox, receipt: Path) -> None:
    deleted: list[str] = []

    def note(request: httpx.Request) -> None:
        if request.method == "POST":
            deleted.extend(entry["request"]["url"] for entry in json.loads(request.content)["entry"])

    paths = bundles("SYN-07", "shared")
    put_in(sandbox, receipt, paths)
    places = read_receipt(receipt).resources
    taken_out(sandbox, receipt, Between(note))
    position = {place: number for number, place in enumerate(deleted)}
    assert sorted(deleted) == sorted(places.values())
    pointing = [
        (places[f"{one['resourceType']}/{one['id']}"], places[referred])
        for one in resources(paths)
        for referred in re.findall(r'"reference": "([A-Z][^"]+)"', json.dumps(one))
    ]
    assert len(pointing) > 200
    assert [pair for pair in pointing if position[pair[0]] > position[pair[1]]] == []


@pytest.mark.parametrize("behaviour", ["refuses the tag", "ignores the tag"])
def test_a_server_that_does_not_search_by_tag_is_unloaded_by_the_receipt(
    sandbox: Sandbox, receipt: Path, behaviour: str
) -> None:
    def instead(request: httpx.Request) -> httpx.Response | None:
        if "_tag" not in request.url.params:
            return None
        if behaviour == "refuses the tag":
            return httpx.Response(400, json={"resourceType": "OperationOutcome"})
        entries = [{"resource": one.resource} for one in sandbox.service.repository.find("Patient", ())]
        return httpx.Response(200, json={"resourceType": "Bundle", "type": "searchset", "entry": entries})

    put_in(sandbox, receipt, bundles("SYN-01"))
    assert taken_out(sandbox, receipt, Between(instead)) == len(resources(bundles("SYN-01")))
    assert everything(sandbox) == {"Patient/stranger"}


def test_what_somebody_else_has_made_their_own_is_left_alone(sandbox: Sandbox, receipt: Path) -> None:
    put_in(sandbox, receipt, bundles("SYN-01"))
    place = read_receipt(receipt).resources["Observation/SYN-01-ldh-20230604"]
    theirs = {
        "resourceType": "Observation",
        "id": place.removeprefix("Observation/"),
        "status": "final",
        "code": {"text": "x"},
    }
    put(sandbox.base_url, theirs)
    taken_out(sandbox, receipt)
    assert everything(sandbox) == {"Patient/stranger", place}


def test_a_load_whose_answer_was_lost_is_found_by_its_tag(sandbox: Sandbox, receipt: Path) -> None:
    def second_one(request: httpx.Request) -> bool:
        return b"Patient/SYN" not in request.content and request.method == "POST"

    with pytest.raises(NotReadyError) as told:
        put_in(sandbox, receipt, bundles("SYN-01"), Between(loses=second_one))
    assert "unload" in told.value.hint
    assert read_receipt(receipt).resources == {}
    assert taken_out(sandbox, receipt) == len(resources(bundles("SYN-01")))
    assert everything(sandbox) == {"Patient/stranger"}


def test_the_receipt_stays_while_something_is_left(sandbox: Sandbox, receipt: Path) -> None:
    def conflict(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(409, json={}) if request.method == "POST" else None

    def pretend(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(200, json={}) if request.method == "POST" else None

    put_in(sandbox, receipt, bundles("SYN-01"))
    for instead, error in ((conflict, ServerRefused), (pretend, IncompleteError)):
        with pytest.raises(error, match=r"removed?"):
            taken_out(sandbox, receipt, Between(instead))
        assert receipt.exists()
    assert taken_out(sandbox, receipt) == len(resources(bundles("SYN-01")))


def test_a_second_load_into_the_same_receipt_is_refused(sandbox: Sandbox, receipt: Path) -> None:
    put_in(sandbox, receipt, bundles("SYN-01"))
    before = everything(sandbox)
    with pytest.raises(UsageError, match="earlier load"):
        put_in(sandbox, receipt, bundles("SYN-01"))
    assert everything(sandbox) == before


def test_a_receipt_of_another_server_removes_nothing(sandbox: Sandbox, receipt: Path) -> None:
    put_in(sandbox, receipt, bundles("SYN-01"))
    with server_with([]) as other, pytest.raises(UsageError, match="is of http"):
        taken_out(other, receipt)
    assert len(everything(sandbox)) > 1


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"server": "x"}'])
def test_without_a_receipt_nothing_is_removed(sandbox: Sandbox, receipt: Path, content: bytes | None) -> None:
    if content is not None:
        receipt.write_bytes(content)
    ended = command("sandbox", "unload", "--server", sandbox.base_url, "--receipt", receipt)
    assert (ended.code, "there is no receipt" in ended.err) == (2, True)


def test_a_server_elsewhere_is_loaded_only_if_somebody_says_it_is_for_tests() -> None:
    ended = command("sandbox", "load", "--server", "https://fhir.hospital.invalid/r4")
    assert (ended.code, "--yes-this-is-a-test-server" in ended.err) == (2, True)
    require_test_server("https://fhir.hospital.invalid/r4", True)
    for here in ("http://127.0.0.1:8080/fhir", "http://localhost/fhir", "http://[::1]:80/fhir"):
        require_test_server(here, False)


@pytest.mark.parametrize(
    ("without", "told"), [("transaction", "takes no transactions"), ("Encounter", "does not store Encounter")]
)
def test_a_server_that_cannot_hold_them_is_told_before_anything_is_sent(
    sandbox: Sandbox, receipt: Path, without: str, told: str
) -> None:
    def instead(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/metadata"):
            return None
        statement = httpx.get(str(request.url), trust_env=False).json()
        [rest] = statement["rest"]
        rest["interaction"] = [one for one in rest["interaction"] if one["code"] != without]
        rest["resource"] = [one for one in rest["resource"] if one["type"] != without]
        return httpx.Response(200, json=statement)

    with pytest.raises(UsageError, match=told):
        put_in(sandbox, receipt, bundles("SYN-01"), Between(instead))
    assert not receipt.exists()
    assert everything(sandbox) == {"Patient/stranger"}


def test_a_folder_cannot_be_loaded(tmp_path: Path) -> None:
    settings = tmp_path / "site.toml"
    settings.write_text(f'folder = "{tmp_path}"\n', encoding="utf-8")
    for verb in ("load", "unload"):
        ended = command("sandbox", verb, "--config", settings)
        assert (ended.code, "name a server" in ended.err) == (2, True)


def test_a_receipt_that_cannot_be_written_ends_before_anything_is_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(FhirAdapterError, match="cannot be written"):
        put_in(sandbox, tmp_path / "no-such-folder" / "load.json", bundles("SYN-01"))
    assert everything(sandbox) == {"Patient/stranger"}


def test_the_demo_and_the_loader_read_the_same_bundles() -> None:
    assert [path.parent.name for path in fixture_bundles()] == ["study12"] * 13 + ["background"] * 61
    assert list(fixture_bundles(loading.STORIES[:1])) == bundles()
