"""Logs: one event a line, for people or for machines, and nothing about a person in any of them."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from site_of_ours import Site
from whole_runs import bundles, command, resource, run_process, server_with, write_ndjson

from fhir_adapter.unattended.logs import Format, Retries, start_logs, tell


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    yield
    start_logs("text", logging.WARNING)


def events(text: str) -> list[dict[str, Any]]:
    """Every line as an object."""
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_in_json_is_one_object_a_line_from_its_beginning_to_its_end(site: Site) -> None:
    told = events(site.run("run", "--log-format", "json").err)
    assert told[0]["event"] == "run_started"
    assert told[-1]["event"] == "run_ended"
    assert {one["run"] for one in told} == {told[0]["run"]}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["at"]) for one in told)
    (stream,) = (one for one in told if one["event"] == "stream_complete")
    assert stream["type"] == "Patient"
    assert stream["received"] == told[-1]["streams"]["Patient"]["received"] > 100
    assert (told[-1]["exit_code"], told[-1]["retries"]) == (0, 0)


def test_a_failure_in_json_says_what_happened_and_what_to_do(site: Site) -> None:
    site.damage()
    told = events(site.run("run", "--log-format", "json").err)
    assert [one["event"] for one in told][-2:] == ["run_ended", "failed"]
    assert told[-2]["streams"]["Observation"]["complete"] is False
    failed = told[-1]
    assert (failed["level"], failed["kind"], failed["exit_code"]) == ("error", "IncompleteError", 5)
    assert "run the same command again" in failed["text"]


def test_the_format_may_be_a_setting_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.set('log_format = "json"\n')
    assert events(site.run("fetch").err)
    assert site.run("fetch", "--log-format", "text").err.splitlines()[-1].startswith("Patient.ndjson: ")


def test_mistakes_in_the_settings_are_told_in_json_too() -> None:
    (told,) = events(command("run", "--log-format", "json").err)
    assert (told["event"], told["exit_code"]) == ("failed", 2)


def test_every_wait_is_told_and_counted(site: Site) -> None:
    ended = command("run", "--config", site.settings, "--server", "http://127.0.0.1:9/fhir", "--log-format", "json")
    told = events(ended.err)
    (retry,) = (one for one in told if one["event"] == "retry")
    assert retry["seconds"] > 0
    assert retry["reason"] == "it refused the connection"
    (end,) = (one for one in told if one["event"] == "run_ended")
    assert (end["retries"], end["exit_code"]) == (1, 4)


@pytest.mark.parametrize(
    ("flags", "lines"),
    [
        ((), ["1 of 1 Patients ", "Patient.ndjson: "]),
        (("-q",), []),
        (("-v",), ["info: ", "1 of 1 Patients ", "Patient.ndjson: ", "info: "]),
    ],
)
def test_people_get_as_much_as_they_want(flags: tuple[str, ...], lines: list[str], site: Site) -> None:
    told = site.run("fetch", *flags).err.splitlines()
    assert len(told) == len(lines)
    for line, begin in zip(told, lines, strict=True):
        assert line.startswith(begin)


def test_a_quiet_run_still_says_what_is_wrong(site: Site) -> None:
    site.damage()
    ended = site.run("run", "--quiet")
    assert ended.code == 5
    assert ended.err.startswith("fhir-adapter: 1 of 2 streams are incomplete")


WARN = """
import warnings
from fhir_adapter.unattended.logs import start_logs
start_logs("text", 30)
warnings.warn("canary")
"""


def logged(format: Format, capsys: pytest.CaptureFixture[str], name: str, message: str, *arguments: object) -> str:
    """What our handler alone makes of a log record that has an exception, too."""
    start_logs(format, logging.DEBUG)
    (handler,) = (one for one in logging.getLogger().handlers if type(one).__module__ == start_logs.__module__)
    problem = ValueError("canary")
    about = (ValueError, problem, None)
    handler.handle(logging.LogRecord(name, logging.WARNING, "canary.py", 1, message, arguments, about))
    return capsys.readouterr().err


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize(("message", "argument"), [("asked for %s", "canary"), ("%d", "canary"), ("canary %s", "")])
def test_other_libraries_are_never_quoted(
    format: Format, message: str, argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = logged(format, capsys, "chatty.inner", message, argument)
    assert "chatty" in told
    assert "canary" not in told
    assert len(told.splitlines()) == 1


def test_warnings_of_other_libraries_are_not_quoted_either() -> None:
    ended = subprocess.run([sys.executable, "-c", WARN], capture_output=True, encoding="utf-8", check=True)
    assert "a message of the library py, withheld" in ended.stderr
    assert "canary" not in ended.stderr


def test_other_libraries_are_heard_only_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    start_logs("text", logging.DEBUG)
    logging.getLogger("chatty").info("asked")
    assert capsys.readouterr().err == ""


def test_a_message_of_ours_that_cannot_be_put_together_is_not_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    assert logged("text", capsys, "fhir_adapter.ehr", "%d", "canary") == ""
    assert logged("text", capsys, "fhir_adapter.ehr", "%s", "two") == "warning: two\n"


def test_a_sentence_and_facts_are_told_to_both(capsys: pytest.CaptureFixture[str]) -> None:
    start_logs("text", logging.INFO)
    tell("seen", "two were seen", count=2)
    tell("seen", count=2)
    start_logs("json", logging.INFO)
    tell("seen", "two were seen", count=2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["info: two were seen", "info: seen count=2"]
    found = json.loads(lines[2])
    assert (found["event"], found["text"], found["count"]) == ("seen", "two were seen", 2)


def test_retries_are_counted_only_while_they_are_watched() -> None:
    start_logs("text", logging.INFO)
    tell("retry")
    with Retries() as retries:
        tell("retry")
        tell("something_else")
    tell("retry")
    assert retries.count == 1


CANARIES = ("canary-1", "canary-2", "canary-3", "canary-4", "canary-5")


@pytest.mark.parametrize("level", ["--verbose", "--quiet"])
def test_no_word_of_a_record_is_in_logs_metrics_or_status(level: str, site: Site) -> None:
    """Every text of these records is a canary, and so is the name of their file."""
    (site.home / "records" / "Patient.ndjson").unlink()
    patient = {"resourceType": "Patient", "id": "canary-1", "birthDate": "canary-2", "name": [{"family": "canary-3"}]}
    odd = resource("Observation/SYN-01-hgb-20230724") | {
        "id": "canary-4",
        "status": ["canary-5"],
        "modifierExtension": [{"url": "canary-2", "valueString": "canary-3"}],
    }
    write_ndjson(
        site.home / "records" / "canary-1.ndjson", [patient, odd, {"resourceType": "canary-3", "id": "canary-4"}]
    )
    metrics = site.home / "a.prom"
    site.set(f'metrics_file = "{metrics}"\nlog_format = "json"\n')
    told = "".join(site.run(verb, level).told for verb in ("fetch", "run"))
    told += site.run("status").told + site.run("status", "--json").told + metrics.read_text()
    told += (site.out / "store" / "last-run.json").read_text()
    assert "quarantined" in told
    assert [canary for canary in CANARIES if canary in told] == []


def test_addresses_with_patients_in_them_are_not_logged(tmp_path: Path) -> None:
    """Person by person a search names the patient in its address."""
    (tmp_path / "patients.txt").write_text("SYN-12\n", encoding="utf-8")
    with server_with(bundles("SYN-12")) as sandbox:
        ended = command(
            *("fetch", "--server", sandbox.base_url, "--patients", tmp_path / "patients.txt"),
            *("--out", tmp_path / "out", "--log-format", "json", "--verbose"),
        )
    assert ended.code == 0, ended.told
    assert "SYN-12" not in ended.told


def test_json_is_the_same_in_any_locale(site: Site) -> None:
    ended = run_process(
        "fetch", "--config", site.settings, "--log-format", "json", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    )
    assert ended.code == 0
    assert events(ended.err)[-1]["event"] == "run_ended"
