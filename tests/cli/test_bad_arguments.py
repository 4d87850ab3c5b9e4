"""Arguments that do not fit together, and output folders that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock
from whole_runs import STUDY12, bundles, command, files, resources, run_process, tree, write_ndjson


@pytest.fixture
def one_person(tmp_path: Path) -> Path:
    """A folder with one person of the study."""
    write_ndjson(tmp_path / "in" / "everything.ndjson", resources(bundles("SYN-03")))
    return tmp_path / "in"


def test_a_server_and_a_folder(tmp_path: Path) -> None:
    ended = command("run", "--server", "http://127.0.0.1:1/fhir", "--folder", STUDY12, "--out", tmp_path / "out")
    assert (ended.code, ended.out) == (2, "")
    assert "both a server and a folder" in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["run", "fetch", "check"])
def test_neither_a_server_nor_a_folder(verb: str, tmp_path: Path) -> None:
    ended = run_process(verb, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "neither a server nor a folder" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_is_a_file(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("mine", encoding="utf-8")
    ended = command("run", "--folder", STUDY12, "--out", out)
    assert (ended.code, ended.out) == (2, "")
    assert f"{out} is not a folder" in ended.err
    assert out.read_text(encoding="utf-8") == "mine"


def test_an_output_folder_that_cannot_be_written() -> None:
    """Nobody makes a folder in /sys, not even root."""
    ended = command("run", "--folder", STUDY12, "--out", "/sys/fhir-adapter")
    assert (ended.code, ended.out) == (7, "")
    assert "/sys/fhir-adapter cannot be written" in ended.err
    assert "Traceback" not in ended.told


def test_an_output_folder_in_which_another_run_works(tmp_path: Path, one_person: Path) -> None:
    out = tmp_path / "out"
    assert command("fetch", "--folder", one_person, "--out", out).code == 0
    before = tree(out)
    with FileLock(out / "lock"):
        for verb in (("run", "--folder", str(one_person)), ("build",)):
            ended = command(*verb, "--out", out)
            assert (ended.code, ended.out) == (6, "")
            assert "another run is working" in ended.err
    assert tree(out) == before
    assert files(out) == {}


def test_a_lock_left_by_a_dead_run_does_not_matter(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "lock").write_text("4711", encoding="utf-8")
    assert command("status", "--out", out).code == 2
    ended = command("run", "--folder", tmp_path / "nowhere", "--out", out)
    assert ended.code == 2
    assert "does not exist" in ended.err
