"""Results of what was known then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from whole_runs import Ended, bundles, command, files, put, resource, server_with, succeed

from fhir_adapter.errors import IncompleteError, UsageError
from fhir_adapter.pipeline.moment import known
from fhir_adapter.store import Store


def analyzed(out: Path, *flags: object) -> dict[str, bytes]:
    succeed("analyze", "--out", out, *flags)
    return files(out, "cohort", "analysis")


def told(out: Path) -> Any:
    return json.loads((out / "run.json").read_bytes())["as_of"]


def test_an_earlier_run_gives_the_results_it_gave_then(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with server_with(bundles("SYN-03", "shared")) as sandbox:
        succeed("fetch", "--server", sandbox.base_url, "--out", out)
        before = analyzed(out)
        assert told(out) is None
        put(sandbox.base_url, {**resource("Patient/SYN-03"), "birthDate": "1950-01-01"})
        succeed("fetch", "--server", sandbox.base_url, "--out", out)
    after = analyzed(out)
    assert after != before
    assert analyzed(out, "--as-of", "1") == before
    assert told(out)["run"] == 1
    assert analyzed(out, "--as-of", told(out)["started_at"][:10]) == after
    assert told(out)["run"] == 2
    ended: Ended = command("analyze", "--out", out, "--as-of", "2020-01-01")
    assert (ended.code, "nothing was fetched as of 2020-01-01" in ended.err) == (5, True)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three runs on three days; the second is incomplete."""
    opened = Store.open(tmp_path / "landing.sqlite", "folder:/in")
    for day, complete in (("2026-01-01", True), ("2026-01-02", False), ("2026-01-03", True)):
        opened.finish_run(opened.begin_run(f"{day}T02:00:00Z"), complete=complete)
    return opened


@pytest.mark.parametrize(("as_of", "run"), [("", 3), ("1", 1), ("2026-01-02", 1), ("2026-01-03", 3), ("2027-01-01", 3)])
def test_a_day_means_the_last_complete_run_that_began_by_then(as_of: str, run: int, store: Store) -> None:
    assert known(store, as_of).run.run == run


@pytest.mark.parametrize("as_of", ["2", "9", "2025-12-31"])
def test_what_was_never_whole_cannot_be_built_from(as_of: str, store: Store) -> None:
    with pytest.raises(IncompleteError):
        known(store, as_of)


@pytest.mark.parametrize("as_of", ["yesterday", "2026-13-01", "-1"])
def test_anything_else_is_a_mistake(as_of: str, store: Store) -> None:
    with pytest.raises(UsageError, match="--as-of"):
        known(store, as_of)
