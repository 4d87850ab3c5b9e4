"""The file of the landing store: private, of one source, whole, or refused."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from store_records import database_of, fetched, record, says

from fhir_adapter.errors import DiskError, LockedError, StoreError
from fhir_adapter.store import Store, schema

SOURCE = "https://ehr.invalid/fhir"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_file_and_its_folder_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with Store.open(tmp_path / "deep" / "store" / "landing.sqlite", SOURCE) as store:
            fetched(store, record("Patient/p"))
            files = sorted((tmp_path / "deep" / "store").iterdir())
            assert [file.name for file in files] == ["landing.sqlite", "landing.sqlite-shm", "landing.sqlite-wal"]
            assert {mode(file) for file in files} == {0o600}
    finally:
        os.umask(before)
    assert mode(tmp_path / "deep" / "store") == 0o700


def test_a_file_that_others_can_read_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "landing.sqlite"
    Store.open(path, SOURCE).close()
    path.chmod(0o644)
    Store.open(path, SOURCE).close()

    assert mode(path) == 0o600


def test_what_was_stored_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "landing.sqlite"
    with Store.open(path, SOURCE) as store:
        run = fetched(store, record("Patient/p", "here"))
        account, content_hash, changed_at = store.ledger(run), store.content_hash(), store.changed_at()
    with Store.open(path, SOURCE) as store:
        assert says(store) == {"Patient/p": "here"}
        assert (store.last_complete_run(), store.ledger(run)) == (run, account)
        assert (store.content_hash(), store.changed_at()) == (content_hash, changed_at)


def test_commits_reach_the_disk_before_they_are_believed(store: Store) -> None:
    assert database_of(store).execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert database_of(store).execute("PRAGMA synchronous").fetchone()[0] == 2
    tables = database_of(store).execute("SELECT name, strict FROM pragma_table_list WHERE type = 'table'")
    assert all(strict for name, strict in tables if not name.startswith("sqlite_"))


def test_the_store_of_another_source_is_refused_with_a_hint(tmp_path: Path) -> None:
    Store.open(tmp_path / "landing.sqlite", SOURCE).close()

    with pytest.raises(StoreError, match="another source") as refused:
        Store.open(tmp_path / "landing.sqlite", "folder:/data")
    assert refused.value.exit_code == 2
    assert refused.value.hint


def test_a_store_from_the_future_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "landing.sqlite"
    Store.open(path, SOURCE).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    before = path.read_bytes()

    with pytest.raises(StoreError, match="newer version"):
        Store.open(path, SOURCE)
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "landing.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (x)")
    database.close()
    before = path.read_bytes()

    with pytest.raises(StoreError, match="something else"):
        Store.open(path, SOURCE)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["landing.sqlite"]


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look at" * 20, b"SQLite format 3\0"])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "landing.sqlite"
    path.write_bytes(content)

    with pytest.raises(StoreError) as refused:
        Store.open(path, SOURCE)
    assert path.read_bytes() == content
    assert refused.value.hint


def test_an_empty_file_is_a_store_that_was_never_begun(tmp_path: Path) -> None:
    path = tmp_path / "landing.sqlite"
    path.touch()
    with Store.open(path, SOURCE) as store:
        assert list(store.current()) == []


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("always_checked_bytes", [2**40, 0], ids=["looked through", "too big to look through"])
def test_a_damaged_store_is_refused_or_still_whole_but_never_half_read(
    tmp_path: Path, seed: int, always_checked_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "_ALWAYS_CHECKED_BYTES", always_checked_bytes)
    path = tmp_path / "landing.sqlite"
    with Store.open(path, SOURCE) as store:
        fetched(store, *(record(f"Observation/o{number}", "x" * 400) for number in range(200)))
        whole = set(says(store))
    content = bytearray(path.read_bytes())
    start = random.Random(seed).randrange(0, len(content) - 4096)
    content[start : start + 4096] = bytes(4096)
    path.write_bytes(content)

    assert references_or_refusal(path) in (whole, None)


def references_or_refusal(path: Path) -> set[str] | None:
    try:
        with Store.open(path, SOURCE) as store:
            return set(says(store))
    except StoreError:
        return None


def test_a_big_store_that_was_left_open_is_looked_through_and_one_that_was_closed_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "_ALWAYS_CHECKED_BYTES", 0)
    path = tmp_path / "landing.sqlite"
    killed = "from pathlib import Path; import os, sys; from fhir_adapter.store import Store;" + (
        f"store = Store.open(Path(sys.argv[1]), '{SOURCE}'); store.begin_run('2026-01-01T00:00:00Z'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", killed, str(path)], check=False).returncode == 9
    assert statements_of_opening(path, monkeypatch).count("PRAGMA quick_check(1)") == 1
    assert statements_of_opening(path, monkeypatch).count("PRAGMA quick_check(1)") == 0


def statements_of_opening(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []

    class Listening(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            said.append(statement)
            return super().execute(statement, *values)

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Listening))
        Store.open(path, SOURCE).close()
    return said


def test_a_body_that_was_altered_is_not_handed_out(tmp_path: Path) -> None:
    path = tmp_path / "landing.sqlite"
    with Store.open(path, SOURCE) as store:
        fetched(store, record("Patient/p", "here"))
        database_of(store).execute("UPDATE body SET body = CAST(replace(CAST(body AS TEXT), 'here', 'gone') AS BLOB)")
    with Store.open(path, SOURCE) as store, pytest.raises(StoreError, match="damaged"):
        store.of_person("p")


def test_a_resource_that_was_taken_away_by_hand_is_noticed(tmp_path: Path) -> None:
    with Store.open(tmp_path / "landing.sqlite", SOURCE) as store:
        fetched(store, record("Patient/p"), record("Patient/q"))
        database_of(store).execute("DELETE FROM shown WHERE id = 'q'")
        with pytest.raises(StoreError, match="damaged"):
            list(store.current())


def test_who_only_watches_sees_what_a_run_commits_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    path = tmp_path / "landing.sqlite"
    with pytest.raises(StoreError, match="no landing store"):
        Store.watch(path)
    with Store.open(path, SOURCE) as store, Store.watch(path) as watching:
        assert watching.last_run() is None
        fetched(store, record("Patient/p"))
        assert (watching.last_run(), watching.ids("Patient")) == (1, {"p"})
        with pytest.raises(DiskError):
            watching.begin_run("2026-01-02T00:00:00Z")
    with Store.watch(path) as watching:
        assert watching.source == SOURCE


def test_a_truncated_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "landing.sqlite"
    with Store.open(path, SOURCE) as store:
        fetched(store, *(record(f"Observation/o{number}", "x" * 400) for number in range(200)))
    path.write_bytes(path.read_bytes()[:40_000])

    with pytest.raises(StoreError, match="damaged"):
        Store.open(path, SOURCE)


@pytest.mark.parametrize("place", ["file/landing.sqlite", "file/deeper/landing.sqlite", "folder"])
def test_a_place_that_cannot_hold_a_file_is_a_disk_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()

    with pytest.raises(DiskError) as refused:
        Store.open(tmp_path / place, SOURCE)
    assert refused.value.exit_code == 7


def test_a_full_disk_is_a_disk_error_and_takes_nothing_half(store: Store) -> None:
    fetched(store, record("Patient/p"))
    before = (says(store), store.content_hash())
    pages = database_of(store).execute("PRAGMA page_count").fetchone()[0]
    database_of(store).execute(f"PRAGMA max_page_count = {pages + 2}")

    run = store.begin_run("2026-01-02T00:00:00Z")
    with pytest.raises(DiskError, match="no space"):
        store.land(run, "Patient", [record(f"Patient/p{n}", "x" * 2000) for n in range(50)], [])
    assert (says(store), store.content_hash()) == before
    assert store.ledger(run) == []

    database_of(store).execute("PRAGMA max_page_count = 1000000")
    store.land(run, "Patient", [record(f"Patient/p{n}", "x" * 2000) for n in range(50)], [])
    assert len(says(store)) == 51


def test_a_store_that_another_process_is_writing_is_locked(store: Store, tmp_path: Path) -> None:
    database_of(store).execute("PRAGMA busy_timeout = 20")
    with sqlite3.connect(tmp_path / "store" / "landing.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockedError) as refused:
            store.begin_run("2026-01-02T00:00:00Z")
        other.execute("ROLLBACK")
    other.close()
    assert refused.value.exit_code == 6


def test_no_error_speaks_of_a_patient(store: Store) -> None:
    run = store.begin_run("2026-01-02T00:00:00Z")
    database_of(store).execute("PRAGMA max_page_count = 1")
    with pytest.raises(DiskError) as refused:
        store.land(run, "Patient", [record(f"Patient/CANARY{n}", "CANARY" * 900) for n in range(50)], [])
    error: BaseException | None = refused.value
    while error:
        assert "CANARY" not in repr(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
