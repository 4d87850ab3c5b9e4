"""Number 98: patients whose every text is a canary. It sings nowhere outside the folders that are for patient data."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from faultserver import answer, resets
from front import FHIR, Front, Trick, changed, says, then, with_next
from whole_runs import Ended, Resource, bundles, command, resources, write_ndjson

from fhir_adapter.ehr.transport import Transport
from fhir_adapter.pipeline import results
from fhir_adapter.sandbox import Sandbox
from fhir_adapter.store import Store

BIRD = "Kanarienvogel"
BORN = "1977-07-06"
# Texts that say what a thing is, not whose. Without them there would be no cohort to look at.
_CODES = ("resourceType", "system", "code", "status", "url", "unit", "use", "gender", "intent", "type", "mode")
_STAMPS = ("actuality", "versionId", "lastUpdated", "birthDate", "recordedDate", "date", "start", "end", "issued")
_TIMES = ("effectiveDateTime", "onsetDateTime", "performedDateTime", "valueDateTime")
_MEANT = frozenset((*_CODES, *_STAMPS, *_TIMES))
_numbers = count(1)


def singing(value: Any, key: str = "") -> Any:
    """The same resource with a canary of its own in every text, id and reference."""
    if isinstance(value, dict):
        return {name: singing(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [singing(inner, key) for inner in value]
    if not isinstance(value, str) or key in _MEANT:
        return value
    if key == "reference":
        return value.replace("/", f"/{BIRD}-", 1)
    return f"{BIRD}-{value}" if key == "id" else f"{value} {BIRD}-{next(_numbers)}"


@pytest.fixture(scope="module")
def birds() -> list[Resource]:
    return [singing(one) for one in resources(bundles("SYN-12", "shared"))]


@dataclass
class Aviary:
    """A server that holds them, and everything that a run can write to."""

    sandbox: Sandbox
    front: Front
    home: Path
    caplog: pytest.LogCaptureFixture

    def asks(self, verb: str, *flags: object) -> Ended:
        notes = f"open({str(self.told)!r}, 'a').write(sys.stdin.read() + str(os.environ))"
        hook = [sys.executable, "-c", f"import os, sys; {notes}"]
        config = self.home / "site.toml"
        lines = [f"metrics_file = {json.dumps(str(self.home / 'fhir.prom'))}", "max_tries = 2", 'log_format = "json"']
        lines += ["[hooks]", f"on_success = {json.dumps(hook)}", f"on_failure = {json.dumps(hook)}"]
        config.write_text("\n".join(lines), encoding="utf-8")
        source = ("--server", self.front.base_url) if verb in ("run", "fetch", "publish") else ()
        with self.caplog.at_level(logging.DEBUG):
            return command(verb, *source, "--config", config, "--out", self.home / "out", *flags)

    @property
    def told(self) -> Path:
        return self.home / "hook.txt"

    def is_silent(self, *ended: Ended) -> None:
        """No canary on the screen, in the logs, or in a file that is not for patient data."""
        for one in ended:
            assert not sings(one.told), one.told
        assert not sings(self.caplog.text)
        written = [path for path in self.home.rglob("*") if path.is_file() and not is_private(path)]
        assert written
        assert [path for path in written if sings(path.read_bytes().decode("utf-8", "replace"))] == []


def sings(text: str) -> bool:
    return BIRD.lower() in text.lower() or BORN in text


def is_private(path: Path) -> bool:
    """The landing store, and what stands in the folder of the cohort or has a row for each person."""
    return "cohort" in path.parts or ".sqlite" in path.name or path.stem in ("event_times", "adtte")


@pytest.fixture
def aviary(
    birds: list[Resource], tmp_path: Path, waits: list[float], caplog: pytest.LogCaptureFixture
) -> Iterator[Aviary]:
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}} for one in birds
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    with Sandbox() as sandbox, Front(sandbox.base_url) as front, Transport(sandbox.base_url) as transport:
        transport.post("", json.dumps(bundle).encode())
        yield Aviary(sandbox, front, tmp_path, caplog)


def test_98a_a_good_run(aviary: Aviary) -> None:
    """Every text of the records is a canary: none in screen, logs, run.json, metrics, hook, report or documents."""
    ended = aviary.asks("run", "--verbose")
    assert ended.code == 0, ended.told
    aviary.is_silent(ended, aviary.asks("status"), command("check", "--server", aviary.front.base_url))
    assert aviary.told.exists()
    assert (aviary.home / "fhir.prom").exists()
    assert sings((aviary.home / "out" / "cohort" / "subjects.csv").read_text("utf-8"))


def odd_values(bundle: dict[str, Any]) -> None:
    """One entry of each kind that is set aside, with a canary where it hurts."""
    lab = bundle["entry"][0]["resource"]
    for place, oddity in enumerate(
        (
            {"status": [BIRD]},
            {"effectiveDateTime": BIRD},
            {"valueQuantity": {"value": BIRD}},
            {BIRD: {BIRD: [BIRD]}, "valueQuantity": BIRD},
            {"modifierExtension": [{"url": BIRD}]},
            {"contained": [{"resourceType": BIRD, "id": BIRD}]},
            {"id": BIRD * 9},
            {"resourceType": BIRD},
            {"subject": {"reference": f"https://{BIRD}.example/Patient/{BIRD}"}},
        )
    ):
        bundle["entry"].append({"resource": lab | {"id": f"odd-{place}"} | oddity})
    bundle["entry"].append({"resource": outcome("warning")})
    bundle["entry"].append({BIRD: BIRD})


def outcome(severity: str) -> Resource:
    issue = {"severity": severity, "code": BIRD, "diagnostics": BIRD, "details": {"text": BIRD}, "location": [BIRD]}
    return {"resourceType": "OperationOutcome", "id": BIRD, "issue": [issue]}


def test_98b_things_set_aside(aviary: Aviary) -> None:
    """Resources are set aside because of what their canaries hold: the reasons do not repeat them."""
    aviary.front.on("Observation", changed(odd_values), page=1)
    ended = aviary.asks("fetch", "--verbose")
    assert ended.code == 0, ended.told
    built = aviary.asks("build")
    aviary.is_silent(ended, built, aviary.asks("status"))
    with Store.reopen(aviary.home / "out" / "store" / "landing.sqlite") as store:
        assert len(store.quarantine()) >= 7


INCOMPLETE: dict[str, Trick] = {
    "an error with an OperationOutcome": says("500 Error", FHIR, body=outcome("error")),
    "a refusal with an OperationOutcome": says("400 Bad Request", FHIR, body=outcome("fatal")),
    "a phrase of its own": says(f"418 {BIRD}", f"X-{BIRD}: {BIRD}", body=BIRD),
    "a page for people": says("200 OK", f"Content-Type: text/html; charset={BIRD}", body=f"<html>{BIRD}".encode()),
    "an array": says("200 OK", FHIR, body=[BIRD]),
    "an OperationOutcome": says("200 OK", FHIR, body=outcome("fatal")),
    "half a body": then(lambda body: resets(answer(body, FHIR)[:2000])),
    "a next link elsewhere": with_next(lambda _: f"https://ehr.example/{BIRD}?name={BIRD}"),
    "a next link that is none": with_next(lambda _: f"http://[{BIRD}"),
    "a redirect elsewhere": says("302 Found", f"Location: https://ehr.example/{BIRD}?patient={BIRD}"),
    "a wait that is none": says("503 Busy", f"Retry-After: {BIRD}"),
    "an encoding that is none": says("200 OK", FHIR, f"Content-Encoding: {BIRD}", body={}),
}


@pytest.mark.parametrize("trick", INCOMPLETE.values(), ids=INCOMPLETE.keys())
def test_98c_a_stream_that_is_incomplete(trick: Trick, aviary: Aviary) -> None:
    """The server fails in words full of canaries: the reason of the incomplete stream does not repeat them."""
    aviary.front.on("Observation", trick, for_ever=True)
    ended = aviary.asks("fetch", "--verbose")
    assert ended.code == 5, ended.told
    aviary.is_silent(ended, aviary.asks("status"))


def test_98d_a_delivery_that_fails(aviary: Aviary) -> None:
    """The server refuses the results in words full of canaries: they are not repeated."""
    refused = says("422 Unprocessable", FHIR, body=outcome("error"))
    aviary.front.when(lambda asked: asked.request.method in ("POST", "PUT"), refused, for_ever=True)
    ended = aviary.asks("run", "--verbose")
    assert ended.code == 4, ended.told
    aviary.is_silent(ended, aviary.asks("status"))


def fails(*_: object, **__: object) -> None:
    try:
        {BIRD: 1}[BIRD + BORN]
    except KeyError:
        raise ValueError(f"could not understand {BIRD}, born {BORN}") from None


@pytest.mark.parametrize(("home", "name", "verb"), [(Store, "land", "fetch"), (results, "build", "build")])
def test_98e_a_bug(home: Any, name: str, verb: str, aviary: Aviary, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug whose exception quotes a record: exit 1, where it was, and not what it said."""
    if verb == "build":
        assert aviary.asks("fetch").code == 0
    monkeypatch.setattr(home, name, fails)
    ended = aviary.asks(verb)
    assert ended.code == 1
    assert "this is a bug in fhir-adapter" in ended.told
    aviary.is_silent(ended, aviary.asks("status"))


DAMAGED: dict[str, bytes] = {
    ".json": f'{{"resourceType": "Patient", "id": "{BIRD}'.encode(),
    ".ndjson": f'{{"resourceType": "Patient", "id": "{BIRD}", {BIRD}}}\n'.encode(),
    ".ndjson.gz": f'{{"resourceType": "{BIRD}"}}'.encode(),
}


@pytest.mark.parametrize("suffix", DAMAGED)
def test_98f_a_file_named_after_a_patient(suffix: str, birds: list[Resource], tmp_path: Path) -> None:
    """A damaged file in a folder, named after a patient: neither its name nor its content is repeated."""
    write_ndjson(tmp_path / "in" / f"{BIRD}.ndjson", birds)
    (tmp_path / "in" / f"{BIRD} {BORN}{suffix}").write_bytes(DAMAGED[suffix])
    ended = command("run", "--folder", tmp_path / "in", "--out", tmp_path / "out")
    assert ended.code == 5
    assert not sings(ended.told + command("status", "--out", tmp_path / "out").told)
