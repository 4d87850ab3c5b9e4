"""The page about nights says what the code tells: its events, its metrics, its units."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from pages import ROOT, page
from whole_runs import succeed

from fhir_adapter.settings import read_settings
from fhir_adapter.unattended.metrics import write_metrics
from fhir_adapter.unattended.record import Counts, Ending, Success

EVERY_NIGHT = page("docs/how-to/every-night.md")
TOLD = re.compile(r'(?:tell|_last_words)\(\s*f?"(\w+)(?:\{state\})?"|"event": "(\w+)"')


def names(cells: list[str]) -> set[str]:
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_every_event_is_described_and_no_other() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "fhir_adapter").rglob("*.py"))
    events = {one or other for one, other in TOLD.findall(code)}
    streams = {"stream_running", "stream_complete", "stream_incomplete"}
    assert "stream_" in events
    rows = {name for row in EVERY_NIGHT.rows("Logs") for name in names(row[:1])}
    assert rows == (events - {"stream_"}) | streams


def test_the_lines_shown_are_what_a_line_is() -> None:
    (block,) = EVERY_NIGHT.blocks("json")
    for line in block.splitlines():
        assert list(json.loads(line))[:4] == ["at", "level", "run", "event"]


def test_every_metric_is_described_and_no_other(tmp_path: Path) -> None:
    at = "2026-03-31T02:00:00Z"
    ending = Ending("run", at, at, 1.0, 0, "", 0, {"Patient": Counts()}, Success(at, at))
    write_metrics(tmp_path / "a.prom", ending, 0o600)
    written = set(re.findall(r"^# HELP (\w+)", (tmp_path / "a.prom").read_text(), re.MULTILINE))
    rows = EVERY_NIGHT.rows("Numbers")
    assert {name for row in rows for name in names(row[:1])} == written
    told = next(row[1] for row in rows if "resources" in row[0])
    outcomes = set(re.findall(r'outcome="(\w+)"', (tmp_path / "a.prom").read_text()))
    assert names([told]) == outcomes | {"type", "outcome"}


def test_the_settings_shown_are_settings(tmp_path: Path) -> None:
    (block,) = EVERY_NIGHT.blocks("toml")
    (tmp_path / "site.toml").write_text(block, encoding="utf-8")
    assert read_settings(tmp_path / "site.toml", {}).hooks.on_failure[0].startswith("/")


@pytest.mark.parametrize("line", [line for line in EVERY_NIGHT.commands() if " print " in line])
def test_units_are_printed_as_shown(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = EVERY_NIGHT.blocks("toml")
    (tmp_path / "site.toml").write_text(block, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line.replace("/srv/fhir-adapter/site.toml", "site.toml"))
    assert "fhir-adapter" in succeed(*words[1:]).out
