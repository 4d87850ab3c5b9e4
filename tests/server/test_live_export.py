"""Bulk export from a live server: the same answers as by searching, or a sentence why there can be none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from live import Live, People
from test_live_reading import as_first_versions
from whole_runs import answers, command, succeed


def stored(out: Path) -> int:
    return sum(row["stored"] for row in json.loads((out / "run.json").read_bytes())["ledger"])


def test_an_export_gives_the_answers_of_the_files_and_the_next_one_only_what_is_new(
    hospital: People, from_files: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FHIR_ADAPTER__BULK", "system")
    run = ("run", *hospital.live.source, "--no-publish", "--out", out)
    if not exports_everybody(hospital.live):
        ended = command(*run)
        assert ended.code in (2, 4), ended.told  # it says that it cannot, or answers what is no answer to an export
        assert "export" in ended.err
        assert not (out / "cohort").exists()
        return
    succeed(*run)
    assert as_first_versions(answers(out)) == as_first_versions(answers(from_files))
    before = answers(out)
    succeed(*run)
    assert (stored(out), answers(out)) == (0, before)


def exports_everybody(live: Live) -> bool:
    """A server that holds other people's data too is not asked for all of them."""
    return live.is_ours and live.has_operation("export")
