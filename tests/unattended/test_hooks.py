"""Commands of the site are told how a run has ended; whatever they do, the run has ended as it has."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from site_of_ours import Site, as_toml, program
from whole_runs import command

from fhir_adapter.output_folder import OutputFolder

NOTE = """
about = {name: value for name, value in os.environ.items() if name.startswith("FHIR_ADAPTER")}
with open(sys.argv[1], "w") as file:
    json.dump({"told": json.load(sys.stdin), "about": about, "arguments": sys.argv[2:]}, file)
"""


def noting(site: Site, key: str) -> Path:
    """Let a hook write down what it was told."""
    noted = site.home / f"{key}.json"
    site.set(f"[hooks]\n{key} = {as_toml([*program(site.home, NOTE), str(noted), '$HOME', '; exit 1'])}\n")
    return noted


def read(noted: Path) -> Any:
    return json.loads(noted.read_bytes())


def test_a_success_is_told_with_counts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = noting(site, "on_success")
    monkeypatch.setenv("FHIR_ADAPTER__BASE_URL_ALIASES", '["https://secret.example/"]')
    assert site.run("fetch").code == 0
    found = read(noted)
    told, about = found["told"], found["about"]
    assert (told["command"], told["exit_code"], told["problem"]) == ("fetch", 0, "")
    assert told["streams"]["Patient"]["received"] > 100
    assert told["streams"]["Patient"]["complete"] is True
    assert about == {
        "FHIR_ADAPTER_COMMAND": "fetch",
        "FHIR_ADAPTER_EXIT_CODE": "0",
        "FHIR_ADAPTER_OUTCOME": "success",
        "FHIR_ADAPTER_PROBLEM": "",
    }
    assert found["arguments"] == ["$HOME", "; exit 1"]  # no shell has read them


def test_a_failure_is_told_with_its_exit_code_and_its_kind(site: Site) -> None:
    noted = noting(site, "on_failure")
    assert site.run("fetch").code == 0
    assert not noted.exists()
    site.damage()
    assert site.run("fetch").code == 5
    found = read(noted)
    assert (found["told"]["exit_code"], found["told"]["problem"]) == (5, "IncompleteError")
    assert found["told"]["streams"]["Observation"]["complete"] is False
    assert found["about"]["FHIR_ADAPTER_OUTCOME"] == "failure"
    assert found["told"]["last_success"] is not None


def test_a_server_that_cannot_be_reached_is_told_before_there_is_an_output_folder(site: Site) -> None:
    noted = noting(site, "on_failure")
    ended = command("run", "--config", site.settings, "--server", "http://127.0.0.1:9/fhir")
    assert ended.code == 4
    assert read(noted)["told"] | {"seconds": 0, "started_at": "", "ended_at": ""} == {
        "command": "run",
        "started_at": "",
        "ended_at": "",
        "seconds": 0,
        "exit_code": 4,
        "problem": "Unreachable",
        "retries": 1,
        "streams": {},
        "last_success": None,
    }


def test_a_hook_that_fails_is_told_about_and_changes_nothing(site: Site) -> None:
    site.set(f"[hooks]\non_success = {as_toml(program(site.home, 'sys.exit(3)'))}\n")
    ended = site.run("fetch")
    assert ended.code == 0
    assert "the hook on_success failed: exit code 3" in ended.err


def test_a_hook_that_does_not_end_is_stopped_with_all_that_it_has_started(site: Site) -> None:
    pids = site.home / "pids"
    body = f"child = os.fork(); open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(60)"
    site.set(f"[hooks]\ntimeout_s = 0.5\non_success = {as_toml(program(site.home, body))}\n")
    ended = site.run("fetch")
    assert ended.code == 0
    assert "the hook on_success failed: it was stopped after 0.5 s" in ended.err
    found = [int(pid) for pid in pids.read_text().split()]
    assert len(found) == 2
    for pid in found:
        assert is_gone(pid)


def is_gone(pid: int) -> bool:
    """A child of a child may be a zombie for a moment, until somebody takes note of its end."""
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)
    return False


def test_a_hook_that_does_not_read_is_no_failure(site: Site) -> None:
    site.set(f"[hooks]\non_success = {as_toml(program(site.home, 'sys.stdin.close()'))}\n")
    ended = site.run("fetch")
    assert (ended.code, "hook" in ended.err) == (0, False)


def test_what_a_hook_says_is_not_mixed_with_what_we_say(site: Site) -> None:
    body = "print('noise'); print('noise', file=sys.stderr)"
    site.set(f'log_format = "json"\n[hooks]\non_success = {as_toml(program(site.home, body))}\n')
    ended = site.run("fetch")
    assert "noise" not in ended.told


@pytest.mark.parametrize("key", ["on_success", "on_failure"])
def test_a_hook_that_does_not_exist_is_found_before_the_night(key: str, site: Site) -> None:
    site.set(f'[hooks]\n{key} = ["/no/such/program"]\n')
    ended = site.run("fetch")
    assert ended.code == 2
    assert f"`hooks.{key}`" in ended.err
    assert not site.out.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[hooks]\non_sucess = ["true"]\n', ("`hooks.on_sucess`", "did you mean `hooks.on_success`?")),
        ('[hooks]\non_success = "true"\n', ("`hooks.on_success`", "FHIR_ADAPTER__HOOKS__ON_SUCCESS")),
        ("[hooks]\ntimeout_s = 0\n", ("`hooks.timeout_s`",)),
    ],
)
def test_a_mistake_in_the_section_names_the_key(text: str, says: tuple[str, ...], site: Site) -> None:
    site.set(text)
    ended = site.run("fetch")
    assert ended.code == 2
    assert [word for word in says if word not in ended.err] == []


def test_a_hook_may_be_set_in_the_environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = site.home / "noted.json"
    words = [*program(site.home, NOTE), str(noted)]
    monkeypatch.setenv("FHIR_ADAPTER__HOOKS__ON_SUCCESS", as_toml(words))
    assert site.run("fetch").code == 0
    assert read(noted)["told"]["exit_code"] == 0


def test_a_run_that_was_stopped_is_told_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = noting(site, "on_failure")

    def interrupt(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(OutputFolder, "renewal", interrupt)
    assert site.run("run").code == 143
    assert read(noted)["told"]["exit_code"] == 143
