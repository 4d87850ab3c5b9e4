"""A store that an earlier version of this software left is brought up to date where it is, or left as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from breaking import Breaking, Broken, raise_broken
from store_records import fetched, record, says
from version1 import DAY, SOURCE, write_version_1

from fhir_adapter.errors import StoreError
from fhir_adapter.store import Store, migration, schema


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old" / "landing.sqlite"
    write_version_1(path)
    return path


def test_an_old_store_shows_after_the_migration_what_it_showed_before(old: Path) -> None:
    with Store.open(old, SOURCE) as store:
        assert says(store) == {"Observation/a": "new", "Observation/b": "x"}
        assert next(store.current()).source == "Observation/a/_history/2"
        assert store.person_keys() == ["p"]
        assert [(each.id, each.run) for each in store.quarantine()] == [("bad", 2)]
        assert store.changed_at() == DAY[1]
        assert [(each.run, each.finished, each.complete) for each in store.runs()] == [(1, True, True), (2, True, True)]
        assert [account.stored for account in store.ledger(2)] == [3]


def test_the_content_of_an_old_store_has_the_hash_that_it_would_have_in_a_new_one(old: Path, tmp_path: Path) -> None:
    with Store.open(old, SOURCE) as store, Store.open(tmp_path / "new.sqlite", SOURCE) as new:
        fetched(new, record("Observation/a", "new", version="2"), record("Observation/b", about="p"))
        assert store.content_hash() == new.content_hash()


def test_a_run_on_an_old_store_goes_on_where_it_was(old: Path) -> None:
    with Store.open(old, SOURCE) as store:
        run = fetched(store, record("Observation/a", "new", version="2"), record("Observation/b", about="p"))
        assert (run, store.changed_at()) == (3, DAY[1])
        assert store.ledger(run)[0].duplicate == 2
        fetched(store, record("Observation/gone", about="p"))
        assert "Observation/gone" in says(store), "what comes again is back"


def test_an_old_store_is_fetched_in_full_because_it_kept_no_cursors(old: Path) -> None:
    with Store.open(old, SOURCE) as store:
        assert store.cursors("Observation") == {}


def test_what_an_old_store_never_kept_cannot_be_asked_for(old: Path) -> None:
    with Store.open(old, SOURCE) as store:
        assert [each.version for each in store.as_of(2).current()] == ["2", "1"]
        with pytest.raises(StoreError) as refused:
            store.as_of(1)
        assert "2 to 2" in refused.value.hint


def test_whoever_only_looks_does_not_change_an_old_store(old: Path) -> None:
    before = old.read_bytes()
    with pytest.raises(StoreError, match="older version"):
        Store.watch(old)
    assert old.read_bytes() == before


def test_a_migration_that_breaks_at_any_statement_leaves_the_old_store(old: Path, tmp_path: Path) -> None:
    for at in range(1, 200):
        path = tmp_path / str(at) / old.name
        shutil.copytree(old.parent, path.parent)
        with schema._connected(path, str(path)) as database:
            breaking = Breaking(database, at, raise_broken)
            try:
                migration.migrate(breaking)  # type: ignore[arg-type]
            except Broken:
                assert database.execute("PRAGMA user_version").fetchone()[0] == 1
                assert database.execute("SELECT count(*) FROM resource").fetchone()[0] == 3
                database.close()
            else:
                database.close()
                break
        with Store.open(path, SOURCE) as store:
            assert len(says(store)) == 2
    assert 30 < at < 199
