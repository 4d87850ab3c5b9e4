"""Whatever breaks, and wherever: a step is done as a whole or not at all, and the next run ends the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from breaking import SOURCE, Broken, breaking_store, raise_broken, second_run
from store_records import bad, fetched, record, says

from fhir_adapter.store import Store

Picture = tuple[object, ...]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store after a first run."""
    path = tmp_path / "store" / "landing.sqlite"
    with Store.open(path, SOURCE) as store:
        fetched(store, *(record(f"Observation/{id}", version="1") for id in "abcd"))
        store.begin_run("2026-01-02T00:00:00Z")
    return path


def picture(path: Path) -> Picture:
    """Everything that can be asked of a store."""
    with Store.open(path, SOURCE) as store:
        runs = range(1, (store.last_run() or 0) + 1)
        return (
            list(store.current()),
            store.quarantine(),
            store.content_hash(),
            store.changed_at(),
            [store.ledger(run) for run in runs],
            store.cursors("Observation"),
        )


def copy_of(path: Path, name: str) -> Path:
    shutil.copytree(path.parent, path.parent.parent / name)
    return path.parent.parent / name / path.name


def statements_of_a_second_run(path: Path) -> int:
    store, breaking = breaking_store(copy_of(path, "counted"), -1, raise_broken)
    with store:
        second_run(store)
    return breaking.statements


def test_a_landing_that_breaks_at_any_statement_leaves_what_was_there_before(path: Path) -> None:
    before = picture(path)
    broken = 0
    for at in range(1, 100):
        store, _ = breaking_store(copy_of(path, f"at-{at}"), at, raise_broken)
        with store:
            try:
                store.land(2, "Observation", [record("Observation/a", "new", version="2")], [bad("Observation/z")])
            except Broken:
                broken += 1
            else:
                break
        assert picture(path.parent.parent / f"at-{at}" / path.name) == before
    assert broken > 8
    assert picture(path.parent.parent / f"at-{broken + 1}" / path.name) != before


def test_after_an_accident_the_same_store_goes_on_working(path: Path) -> None:
    undisturbed = copy_of(path, "undisturbed")
    page = [record("Observation/a", "new", version="2")]
    with Store.open(undisturbed, SOURCE) as store:
        store.land(2, "Observation", page, [])

    store, _ = breaking_store(path, 5, raise_broken)
    with store:
        with pytest.raises(Broken):
            store.land(2, "Observation", page, [])
        store.land(2, "Observation", page, [])
    assert picture(path) == picture(undisturbed)


def test_a_run_killed_at_any_statement_ends_like_an_undisturbed_one_when_run_again(path: Path) -> None:
    undisturbed = copy_of(path, "undisturbed")
    with Store.open(undisturbed, SOURCE) as store:
        second_run(store)
        expected = (says(store), store.content_hash(), [each.id for each in store.quarantine()])

    for at in range(1, statements_of_a_second_run(path) + 1):
        killed = copy_of(path, f"killed-{at}")
        child = [sys.executable, str(Path(__file__).with_name("breaking.py")), str(killed), str(at)]
        assert subprocess.run(child, env=os.environ, check=False).returncode == 9
        with Store.open(killed, SOURCE) as store:
            assert all(account.balances for account in store.ledger(store.last_run() or 0))
            second_run(store)
            found = (says(store), store.content_hash(), [each.id for each in store.quarantine()])
            assert found == expected
            assert store.last_complete_run() == store.last_run()


def test_a_store_that_was_killed_while_it_was_made_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "landing.sqlite"
    script = (
        "import os, sys; from pathlib import Path; from fhir_adapter.store import schema\n"
        "schema.TABLES += ';SELECT die()'\n"
        "connect = schema.sqlite3.connect\n"
        "def connected(*a, **k):\n"
        "    database = connect(*a, **k)\n"
        "    database.create_function('die', 0, lambda: os._exit(9))\n"
        "    return database\n"
        "schema.sqlite3.connect = connected\n"
        "schema.open_database(Path(sys.argv[1]), 'x')\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 9
    with Store.open(path, SOURCE) as store:
        assert list(store.current()) == []
