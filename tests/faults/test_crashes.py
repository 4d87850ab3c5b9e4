"""Numbers 79 to 90 and 99: what came late or moved, and accidents on this side of the wire."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faultserver import is_silent
from front import does
from harmed_runs import harmed
from served_hospital import Hospital, Night
from whole_runs import COMMAND, Resource, bundles, command, files, resources, run_process, tree, write_ndjson

from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.store import Store

NAME = "Observation/pressure"


def observation(version: str, note: str, person: str = "one") -> Resource:
    return {
        "resourceType": "Observation",
        "id": "pressure",
        "meta": {"versionId": version},
        "status": "final",
        "code": {"text": note},
        "subject": {"reference": f"Patient/{person}"},
    }


def night_of(home: Path, *found: Resource) -> Night:
    """A fetch from a folder that holds these, file by file in this order, and is read about everybody."""
    people = [{"resourceType": "Patient", "id": id} for id in ("one", "two")]
    folder = home / "records"
    for number, one in enumerate([*people, *found]):
        write_ndjson(folder / f"{number}.ndjson", [one])
    out, settings = home / "out", home / "site.toml"
    settings.write_text('folder_people = "everybody"\n', encoding="utf-8")
    return Night(command("fetch", "--folder", folder, "--config", settings, "--out", out), out)


def text_of(body: bytes) -> str:
    return str(json.loads(body)["code"]["text"])


def test_79_an_older_version_comes_after_the_newer(tmp_path: Path) -> None:
    """An older version of a resource that comes after the newer one: the newer one stays, in the same run and later."""
    night = night_of(tmp_path, observation("10", "new"), observation("9", "old"))
    assert night.ended.code == 0, night.ended.told
    assert text_of(night.held[NAME]) == "new"
    night = night_of(tmp_path, observation("8", "older"), observation("9", "old"))
    assert text_of(night.held[NAME]) == "new"


def test_80_a_record_moves_to_another_person(tmp_path: Path) -> None:
    """A resource is about somebody else from now on: it follows its subject; an earlier state shows it where it was."""
    first = night_of(tmp_path, observation("1", "x", "one"))
    night_of(tmp_path, observation("2", "x", "two"))
    with Store.watch(OutputFolder(first.out).store) as store:
        assert [one.reference for one in store.of_person("one")] == ["Patient/one"]
        assert [one.source for one in store.of_person("two")] == [f"{NAME}/_history/2", "Patient/two/_history/1"]
        assert [one.source for one in store.as_of(1).of_person("one")] == [
            f"{NAME}/_history/1",
            "Patient/one/_history/1",
        ]


# Killed at any point


@pytest.mark.parametrize("scenario", ["server-1", "server-2"], ids=["the first night", "the second night"])
def test_85a_killed_anywhere_in_a_run_from_a_server(scenario: str) -> None:
    """SIGKILL at each durable operation of a run from a server: the next run ends like one that nobody disturbed."""
    harm = harmed(scenario, "killed")
    assert harm.problems == []
    assert harm.kinds.keys() >= {"BEGIN", "INSERT", "COMMIT", "open", "write", "fsync", "rename", "replace"}
    assert "send" in harm.kinds or scenario == "server-2"
    assert harm.kinds.total() > 150


def test_85b_killed_anywhere_in_a_run_from_a_folder() -> None:
    """SIGKILL at each durable operation of a run from a folder: readers see the old result or the new one at any time,
    and the next run ends like one that nobody disturbed.
    """
    harm = harmed("folder-2", "killed")
    assert harm.problems == []
    assert harm.kinds.total() > 150


# Asked to end


@contextmanager
def fetching(hospital: Hospital) -> Iterator[subprocess.Popen[str]]:
    """A fetch in a process of its own that has the first page of Observations and waits for the second."""
    hospital.front.on("Observation", does(is_silent), page=2, for_ever=True)
    (hospital.home / "site.toml").write_text("page_size = 15\n", encoding="utf-8")
    flags = ["--server", hospital.front.base_url, "--out", str(hospital.out), "--config", hospital.home / "site.toml"]
    with subprocess.Popen(
        [str(COMMAND), "fetch", *map(str, flags)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        try:
            wait_until(lambda: 2 in hospital.front.pages("Observation") and received(hospital.out) == 15, process)
            yield process
        finally:
            process.kill()


def received(out: Path) -> int:
    """How many Observations are in the store, by the ledger of the run that goes on."""
    with Store.watch(OutputFolder(out).store) as store:
        return sum(one.received for one in store.ledger(store.last_run() or 0) if one.stream == "Observation")


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if true():
            return
        assert process.poll() is None, process.communicate()
        pause.wait(0.02)
    raise AssertionError("it did not come so far")


@pytest.mark.parametrize(("asked", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_86_asked_to_end_in_the_middle_of_a_page(hospital: Hospital, asked: signal.Signals, code: int) -> None:
    """SIGTERM or Ctrl-C in the middle of a page: what came is committed, exit 143 or 130 without waiting for the
    server, and the next run goes on.
    """
    with fetching(hospital) as process:
        process.send_signal(asked)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    night = Night(command("status", "--out", hospital.out), hospital.out)
    assert night.ledger["Observation"].received == 15
    assert all(one.balances for one in night.ledger.values())
    hospital.front.heal()
    hospital.is_whole(hospital.fetch())


# No space


def test_87a_the_disk_is_full_at_any_write() -> None:
    """The disk is full at each write of a run: exit 7, the last good results stay; with space the next run is whole."""
    harm = harmed("folder-2", "full")
    assert harm.problems == []
    assert harm.kinds.keys() >= {"INSERT", "COMMIT", "open", "write", "fsync"}


def test_87b_files_must_not_grow(tmp_path: Path) -> None:
    """A quota on the size of files: exit 7 with a hint, no traceback; without it the next run is whole."""
    write_ndjson(tmp_path / "records" / "all.ndjson", resources(bundles("SYN-12", "shared")))
    flags = ["fetch", "--folder", str(tmp_path / "records"), "--out", str(tmp_path / "out")]
    limited = ["sh", "-c", 'ulimit -f 200; exec "$@"', "sh", str(COMMAND), *flags]  # in blocks of 512 or 1024 bytes
    ended = subprocess.run(limited, capture_output=True, encoding="utf-8", check=False)
    assert (ended.returncode, "Traceback" in ended.stderr) == (7, False), ended.stderr
    assert "Check the disk" in ended.stderr
    assert command(*flags).code == 0


def test_87c_hardly_any_space_is_left(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardly any space is left before the run: exit 7 before the server is asked for anything."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
    night = hospital.fetch()
    assert (night.ended.code, hospital.front.asked) == (7, [])
    assert "space" in night.ended.err


# The output folder


def test_88a_an_output_folder_that_is_none(hospital: Hospital) -> None:
    """The output folder is a file or a URL: exit 2 before the server is asked for anything."""
    hospital.out.write_bytes(b"mine")
    assert hospital.fetch().ended.code == 2
    assert hospital.out.read_bytes() == b"mine"
    server = ("--server", hospital.front.base_url)
    assert command("fetch", *server, "--out", "https://example.org/out").code == 2
    assert hospital.front.asked == []


def test_88b_an_output_folder_that_cannot_be_written(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output folder is read-only: exit 7 before the server is asked for anything."""
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    assert hospital.fetch().ended.code == 7
    assert hospital.front.asked == []


def test_88c_an_output_folder_that_is_not_there_yet(hospital: Hospital) -> None:
    """The output folder and its parents are missing: they are made, for their owner only."""
    out = hospital.home / "deep" / "er" / "out"
    assert command("fetch", "--server", hospital.front.base_url, "--out", out).code == 0
    assert {stat.S_IMODE(path.stat().st_mode) for path in (out, out / "store")} == {0o700}


# Two at once


def test_89_two_runs_at_once(hospital: Hospital) -> None:
    """Two runs at once: the second ends with exit 6 and names process and start of the first. A lock that a killed
    process has left is no obstacle.
    """
    with fetching(hospital) as process:
        second = command("fetch", "--server", hospital.front.base_url, "--out", hospital.out)
        assert second.code == 6
        told = re.search(r"process (\d+), since (\S+Z)\)", second.err)
        assert told is not None
        assert int(told[1]) == process.pid
        assert abs(time.time() - time.mktime(time.strptime(told[2], "%Y-%m-%dT%H:%M:%SZ")) + time.timezone) < 600
        process.kill()
        process.wait()
    private(hospital.out)
    hospital.front.heal()
    hospital.is_whole(hospital.fetch())


# The store


def test_90_a_store_that_is_not_ours_to_use(hospital: Hospital) -> None:
    """A landing store that is damaged, from a newer version, or of another server: exit 2 with a hint, and the file is
    left as it is.
    """
    hospital.is_whole(hospital.fetch())
    path = OutputFolder(hospital.out).store
    whole = path.read_bytes()
    newer = whole[:60] + (99).to_bytes(4) + whole[64:]
    for content in (b"not a database" * 500, whole[: len(whole) // 2], newer):
        path.write_bytes(content)
        night = hospital.fetch()
        assert (night.ended.code, path.read_bytes()) == (2, content), night.ended.told
        assert "Restore" in night.ended.err or "Update" in night.ended.err
    path.write_bytes(whole)
    other = command("fetch", "--server", hospital.sandbox.base_url, "--out", hospital.out)
    assert (other.code, path.read_bytes()) == (2, whole)
    assert "another source" in other.err


# Who may read


def private(out: Path) -> None:
    """Every file 0600, every folder 0700."""
    about = tree(out)
    modes = {text.split(" ")[0]: name for name, text in about.items() if not text.startswith("->")}
    assert modes.keys() == {"0o600", "0o700"}, modes
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    beside = [path for path in out.rglob("*") if path.name.endswith(("-wal", "-shm"))]
    assert {stat.S_IMODE(path.stat().st_mode) for path in beside} <= {0o600}


def test_99_a_shell_that_lets_others_read(tmp_path: Path) -> None:
    """A shell with umask 022: all files are 0600 and all folders 0700."""
    write_ndjson(tmp_path / "records" / "all.ndjson", resources(bundles("SYN-12", "shared")))
    out = tmp_path / "out"
    assert run_process("run", "--folder", tmp_path / "records", "--out", out).code == 0
    assert len(files(out)) > 20
    private(out)
