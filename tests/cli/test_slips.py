"""Slips on the command line that must not cost more than a second try."""

from __future__ import annotations

from pathlib import Path

import pytest
from whole_runs import STUDY12, command, resources, succeed, write_ndjson


@pytest.mark.parametrize("mistyped", [("--folder", "/no/such/folder"), ("--server", "http://127.0.0.1:1/fhir")])
def test_a_mistyped_source_does_not_spoil_the_output_folder(mistyped: tuple[str, str], tmp_path: Path) -> None:
    """The first try named a source that is not there; the second one names the right one."""
    assert command("run", *mistyped, "--out", tmp_path / "out").code in (2, 4)
    write_ndjson(tmp_path / "in" / "everything.ndjson", resources([STUDY12 / "SYN-03.json"]))
    succeed("fetch", "--folder", tmp_path / "in", "--out", tmp_path / "out")


def test_an_output_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    ended = command("run", "--folder", STUDY12, "--out", tmp_path / "mine" / "out")
    assert ended.code in (2, 7)
    assert "Traceback" not in ended.told
