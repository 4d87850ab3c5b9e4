"""Numbers 94 and 95: a server that takes the results badly. What is there in the end is there once, and right."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from faultserver import answer, resets
from front import FHIR, Asked, Exchange, Front, Json, Trick, changed, says, then
from whole_runs import Ended, Ran, bundles, command, resources, succeed, versions, write_ndjson

from fhir_adapter.pipeline import publish, results
from fhir_adapter.report import page
from fhir_adapter.sandbox import Sandbox

TYPES = ("Measure", "MeasureReport", "Provenance")


@pytest.fixture(scope="module")
def analysed_patient(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A folder with results that were not sent anywhere."""
    home = tmp_path_factory.mktemp("analysed-patient")
    write_ndjson(home / "in" / "Patient.ndjson", resources(bundles("SYN-12", "shared")))
    succeed("fetch", "--folder", home / "in", "--out", home / "out")
    return Ran(succeed("analyze", "--out", home / "out"), home / "out")


@pytest.fixture(scope="module")
def computed() -> dict[str, Any]:
    """What the parts of a run that are no delivery have answered."""
    return {}


@pytest.fixture(autouse=True)
def computed_once(computed: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything here is about the same results: they are made once, and delivered often."""
    for home, name in ((results, "build"), (results, "estimate"), (page, "render"), (publish, "build_reports")):
        monkeypatch.setattr(home, name, partial(_remembered, computed, name, getattr(home, name)))


def _remembered(answers: dict[str, Any], name: str, compute: Callable[..., Any], *given: Any, **named: Any) -> Any:
    if name not in answers:
        answers[name] = compute(*given, **named)
    return answers[name]


@dataclass
class Registry:
    """A server that is to get the results, behind a front, and the folder that holds them."""

    sandbox: Sandbox
    front: Front
    out: Path

    def publish(self) -> Ended:
        return command("publish", "--publish-to", self.front.base_url, "--out", self.out)

    def meets_writes_with(self, *tricks: Trick, for_ever: bool = False) -> None:
        self.front.when(is_write, *tricks, for_ever=for_ever)

    @property
    def writes(self) -> int:
        """How often anybody tried to write."""
        return sum(is_write(asked) for asked in self.front.asked)

    def holds_everything_once(self) -> None:
        """Every document is there in its first version, with one Provenance, and another run sends nothing."""
        there = {type: versions(self.sandbox, type) for type in TYPES}
        documents = {json.loads(path.read_bytes())["id"] for path in (self.out / "publish").glob("MeasureReport*.json")}
        assert documents
        assert set(there["MeasureReport"]) == documents
        assert len(there["Provenance"]) == 1
        assert {number for of_type in there.values() for number in of_type.values()} == {1}
        before = self.writes
        again = self.publish()
        assert again.code == 0, again.told
        assert self.writes == before


def is_write(asked: Asked) -> bool:
    return asked.request.method in ("POST", "PUT") and not asked.request.target.endswith("_search")


@pytest.fixture(params=["together", "one by one"])
def registry(
    request: pytest.FixtureRequest, analysed_patient: Ran, tmp_path: Path, waits: list[float]
) -> Iterator[Registry]:
    """A server with transactions, and one without."""
    shutil.copytree(analysed_patient.out, tmp_path / "out", symlinks=True)
    with Sandbox() as sandbox, Front(sandbox.base_url) as front:
        if request.param == "one by one":
            front.when(is_metadata, changed(without_transactions), for_ever=True)
        yield Registry(sandbox, front, tmp_path / "out")


def is_metadata(asked: Asked) -> bool:
    return asked.request.target.endswith("/metadata")


def without_transactions(statement: Json) -> None:
    statement["rest"][0]["interaction"] = []


def outcome(code: str) -> Json:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}


@pytest.mark.parametrize("status", ["409 Conflict", "412 Precondition Failed"])
def test_94a_a_conflict(status: str, registry: Registry) -> None:
    """Write-back answered with 409 or 412: looked again and sent again, nothing is there twice."""
    registry.meets_writes_with(says(status, FHIR, body=outcome("conflict")))
    ended = registry.publish()
    assert ended.code == 0, ended.told
    registry.holds_everything_once()


def test_94b_conflicts_without_end(registry: Registry) -> None:
    """Write-back answered with 412, multiple matches, every time: stops with exit 5; the results stay in files."""
    registry.meets_writes_with(says("412 No", FHIR, body=outcome("multiple-matches")), for_ever=True)
    ended = registry.publish()
    assert ended.code == 5, ended.told
    assert registry.writes <= 10
    assert not versions(registry.sandbox, "MeasureReport")
    told = json.loads((registry.out / "run.json").read_bytes())
    assert told["delivered"]["failed"]
    assert list((registry.out / "publish").glob("MeasureReport*.json"))


def test_94c_a_refusal(registry: Registry) -> None:
    """Write-back answered with 422: reported with its status and issue code, not repeated (exit 4)."""
    registry.meets_writes_with(says("422 Unprocessable", FHIR, body=outcome("business-rule")), for_ever=True)
    ended = registry.publish()
    assert ended.code == 4, ended.told
    assert "HTTP 422, business-rule" in ended.err
    assert registry.writes == 1


@pytest.mark.parametrize(
    "lost",
    [
        resets(b""),
        resets(b"HTTP/1.1 200 OK\r\nContent-"),
        lambda connection: connection.sendall(answer(b'{"resourceType": "Bundle", "typ', FHIR)),
        lambda connection: connection.sendall(answer(b"<html>Bad gateway</html>", status="502 Bad Gateway")),
    ],
    ids=["reset", "half a head", "half a body", "502"],
)
def test_94d_an_answer_that_is_lost_after_the_commit(lost: Any, registry: Registry) -> None:
    """The answer to a write is lost after the server has stored it: looked again, nothing is there twice."""
    registry.meets_writes_with(then(lambda _: lost))
    ended = registry.publish()
    assert ended.code == 0, ended.told
    registry.holds_everything_once()


def test_94e_a_write_that_is_lost_before_the_commit(registry: Registry) -> None:
    """The connection breaks before the server has stored anything: looked again and sent again."""
    registry.meets_writes_with(lambda exchange: resets(b"")(exchange.connection))
    ended = registry.publish()
    assert ended.code == 0, ended.told
    registry.holds_everything_once()


def loses(stored: Callable[[list[Any]], list[Any]], told: Callable[[list[Any]], list[Any]]) -> Trick:
    """The server stores what `stored` leaves of the entries, and answers with what `told` makes of its entries."""

    def trick(exchange: Exchange) -> None:
        bundle = json.loads(exchange.asked.request.body)
        bundle["entry"] = stored(bundle["entry"])
        body = json.dumps(bundle).encode()
        headers = {**exchange.asked.request.headers, "content-length": str(len(body))}
        status, _, answered = exchange.front.ask(replace(exchange.asked.request, body=body, headers=headers))
        reply = json.loads(answered)
        reply["entry"] = told(reply["entry"])
        phrase = f"{status} {http.client.responses[status]}"
        exchange.connection.sendall(answer(json.dumps(reply).encode(), FHIR, status=phrase))

    return trick


FAILED = {"response": {"status": "409 Conflict", "outcome": outcome("conflict")}}


@pytest.mark.parametrize("registry", ["together"], indirect=True)
@pytest.mark.parametrize(
    "trick",
    [
        pytest.param(loses(lambda sent: sent[:-1], lambda told: [*told, FAILED]), id="one fails"),
        pytest.param(loses(lambda sent: sent[:-1], lambda told: told), id="one is dropped"),
        pytest.param(loses(list, lambda told: told[:-1]), id="one is stored and not told"),
        pytest.param(loses(list, lambda told: told[::-1]), id="another order"),
        pytest.param(loses(list, lambda told: []), id="none is told"),
        pytest.param(loses(lambda sent: sent[:2], lambda told: [*told, None, {}, "x"]), id="nonsense"),
    ],
)
def test_95_an_answer_that_does_not_match_what_was_sent(trick: Trick, registry: Registry) -> None:
    """A Bundle answered with one failed entry, fewer entries, or another order: what is missing is found by looking and
    sent again; what is there is not.
    """
    registry.meets_writes_with(trick)
    ended = registry.publish()
    assert ended.code == 0, ended.told
    registry.holds_everything_once()
