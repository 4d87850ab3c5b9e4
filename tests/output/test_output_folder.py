"""The output folder: readers see the last whole result or the new one, whatever happens in between."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.errors import DiskError, LockedError, UsageError
from fhir_adapter.output_folder import PARTS, OutputFolder

FIRST = {"cohort": {"subjects.csv": b"one"}, "analysis": {"estimates.json": b"[1]"}, "run.json": b"{1}"}
SECOND = {"cohort": {"subjects.csv": b"two"}, "analysis": {"estimates.json": b"[2]"}, "run.json": b"{2}"}


def seen(out: Path) -> dict[str, bytes]:
    """What a reader finds under the names that are promised."""
    found: dict[str, bytes] = {}
    for part in PARTS:
        root = out / part
        inside = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
        found.update({path.relative_to(out).as_posix(): path.read_bytes() for path in inside})
    return found


def flat(parts: dict[str, Any]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part, content in parts.items():
        files = {part: content} if isinstance(content, bytes) else {f"{part}/{name}": content[name] for name in content}
        found.update(files)
    return found


@pytest.fixture
def out(tmp_path: Path) -> OutputFolder:
    folder = OutputFolder(tmp_path / "a" / "out")
    folder.prepare()
    return folder


def test_a_result_is_seen_under_its_names(out: OutputFolder) -> None:
    out.replace(FIRST)
    assert seen(out.path) == flat(FIRST)
    assert out.read("analysis/estimates.json") == b"[1]"
    assert out.read("report/index.html") is None


def test_a_new_result_replaces_all_of_the_old_one(out: OutputFolder) -> None:
    out.replace(FIRST | {"cohort": {"subjects.csv": b"one", "old.csv": b"old"}})
    out.replace(SECOND)
    assert seen(out.path) == flat(SECOND)


def test_parts_that_are_not_made_again_stay(out: OutputFolder) -> None:
    out.replace(FIRST)
    out.replace({"analysis": {"estimates.json": b"[3]"}})
    assert seen(out.path) == flat(FIRST | {"analysis": {"estimates.json": b"[3]"}})


def test_parts_that_no_longer_hold_are_taken_away(out: OutputFolder) -> None:
    out.replace(FIRST)
    out.replace({"cohort": {"subjects.csv": b"four"}}, without=("analysis",))
    assert seen(out.path) == flat({"cohort": {"subjects.csv": b"four"}, "run.json": b"{1}"})


def test_a_reader_who_has_opened_a_folder_keeps_what_is_in_it(out: OutputFolder) -> None:
    out.replace(FIRST)
    opened = (out.path / "cohort").resolve()
    out.replace(SECOND)
    assert (opened / "subjects.csv").read_bytes() == b"one"


def test_old_results_are_forgotten(out: OutputFolder) -> None:
    for number in range(6):
        out.replace({"run.json": b"%d" % number})
    assert len(list((out.path / ".generations").iterdir())) == 2
    assert out.read("run.json") == b"5"


def test_only_the_owner_may_read(out: OutputFolder) -> None:
    mask = os.umask(0o022)
    try:
        out.replace(FIRST)
    finally:
        os.umask(mask)
    for path in [out.path, *out.path.rglob("*")]:
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_two_runs_at_once(out: OutputFolder) -> None:
    with out.locked(), pytest.raises(LockedError), OutputFolder(out.path).locked():
        pass
    with out.locked():
        pass


def test_the_lock_is_free_after_an_error(out: OutputFolder) -> None:
    with pytest.raises(ZeroDivisionError), out.locked():
        raise ZeroDivisionError
    with out.locked():
        pass


def test_a_file_is_no_output_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    with pytest.raises(UsageError, match="is not a folder"):
        OutputFolder(tmp_path / "mine").prepare()


# Interrupted at every step


class Stopped(BaseException):
    """The power is gone."""


STEPS = ("open", "mkdir", "fsync", "rename", "replace", "symlink")


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch, error: Callable[[], BaseException]) -> Callable[[], int]:
    """Let the n-th operation on the disk fail (0: none); returns how many there were."""
    count = 0

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == step:
                raise error()
            return original(*arguments, **named)

        return call

    for name in STEPS:
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    return lambda: count


def steps_of_a_replacement(out: OutputFolder) -> int:
    with pytest.MonkeyPatch.context() as patch:
        counted = stop_at(0, patch, Stopped)
        out.replace(SECOND)
        return counted()


@pytest.mark.parametrize("good_before", [True, False], ids=["over a good result", "the first result"])
def test_killed_at_any_step_shows_the_old_or_the_new(tmp_path: Path, good_before: bool) -> None:
    old = flat(FIRST) if good_before else {}
    trial = OutputFolder(tmp_path / "trial")
    trial.prepare()
    if good_before:
        trial.replace(FIRST)
    count = steps_of_a_replacement(trial)
    assert count > 10
    for step in range(1, count + 1):
        out = OutputFolder(tmp_path / str(step))
        out.prepare()
        if good_before:
            out.replace(FIRST)
        with pytest.MonkeyPatch.context() as patch:
            stop_at(step, patch, Stopped)
            with pytest.raises(Stopped):
                out.replace(SECOND)
        found = seen(out.path)
        assert found in (old, flat(SECOND)) or (not good_before and set(found.items()) <= set(flat(SECOND).items()))
        out.replace(SECOND)
        assert seen(out.path) == flat(SECOND)


def test_a_full_disk_leaves_the_last_good_result(tmp_path: Path) -> None:
    trial = OutputFolder(tmp_path / "trial")
    trial.prepare()
    trial.replace(FIRST)
    for step in range(1, steps_of_a_replacement(trial) + 1):
        out = OutputFolder(tmp_path / str(step))
        out.prepare()
        out.replace(FIRST)
        with pytest.MonkeyPatch.context() as patch:
            stop_at(step, patch, lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
            with pytest.raises(DiskError, match="No space left"):
                out.replace(SECOND)
        assert seen(out.path) in (flat(FIRST), flat(SECOND))
        out.replace(SECOND)
        assert seen(out.path) == flat(SECOND)


def test_a_generation_that_was_not_published_is_none(tmp_path: Path) -> None:
    out = OutputFolder(tmp_path / "out")
    assert out.generations() == []
    out.prepare()
    for content in (b"1", b"2"):
        out.replace({"run.json": content})
    (out.path / ".generations" / "000003").mkdir()
    assert [path.name for path in out.generations()] == ["000001", "000002"]
