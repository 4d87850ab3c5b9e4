"""What was known after which run, what was deleted, who left, and what the next run has to know."""

from __future__ import annotations

from pathlib import Path

import pytest
from store_records import bad, fetched, record, says

from fhir_adapter.errors import StoreError
from fhir_adapter.fhir.deletion import Deletion
from fhir_adapter.store import Run, Store

O1 = "Observation/o1"
DAY = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z")


def told(store: Store, *deletions: Deletion, stream: str = "Observation") -> int:
    """One run in which the source tells of these deletions."""
    run = store.begin_run(DAY[1])
    store.land(run, stream, [], [], deleted=deletions)
    store.finish_run(run, complete=True)
    return run


# What was known after a run


def test_a_past_run_shows_what_was_known_then(store: Store) -> None:
    first = fetched(store, record(O1, "old", about="p"), record("Observation/gone", about="q"), at=DAY[0])
    then = (list(store.current()), store.person_keys(), store.content_hash(), store.changed_at())
    fetched(store, record(O1, "new", version="2", about="r"), record("Observation/later"), at=DAY[1])
    told(store, Deletion("Observation", "gone"))

    past = store.as_of(first)
    assert (list(past.current()), past.person_keys(), past.content_hash(), past.changed_at()) == then
    assert [each.reference for each in past.of_person("p")] == [O1]
    assert past.ids("Observation") == {"o1", "gone"}
    assert (past.run, past.source) == (first, store.source)
    assert store.ids("Observation") == {"o1", "later"}


def test_the_newest_run_shows_what_the_store_shows(store: Store) -> None:
    fetched(store, record(O1, "old"), at=DAY[0])
    newest = fetched(store, record(O1, "new", version="2"), record("Medication/m"), at=DAY[1])

    view = store.as_of(newest)
    assert list(view.current()) == list(store.current())
    assert [each.reference for each in view.shared()] == ["Medication/m", O1]
    assert (view.content_hash(), view.changed_at()) == (store.content_hash(), store.changed_at())


def test_a_run_that_was_killed_left_what_the_next_one_found(store: Store) -> None:
    fetched(store, record(O1, "old"), at=DAY[0])
    killed = store.begin_run(DAY[1])
    store.land(killed, "Observation", [record(O1, "new", version="2")], [])
    fetched(store, record(O1, "newer", version="3"), at=DAY[2])

    assert [each.version for each in store.as_of(killed).current()] == ["2"]
    assert store.as_of(killed).changed_at() == DAY[1]


def test_what_was_set_aside_then_is_still_set_aside_there(store: Store) -> None:
    first = store.begin_run(DAY[0])
    store.land(first, "Observation", [], [bad(O1), bad("Observation/o2")])
    store.finish_run(first, complete=True)
    second = fetched(store, record(O1))

    assert [each.id for each in store.as_of(first).quarantine()] == ["o1", "o2"]
    assert [each.id for each in store.as_of(second).quarantine()] == ["o2"]
    assert [each.run for each in store.quarantine()] == [first]


def test_a_run_that_never_was_is_refused_with_a_hint(store: Store) -> None:
    with pytest.raises(StoreError, match="nothing was fetched"):
        store.as_of(1)
    fetched(store, record(O1))
    for run in (0, 2, -1):
        with pytest.raises(StoreError) as refused:
            store.as_of(run)
        assert "1 to 1" in refused.value.hint


def test_a_finished_run_takes_nothing_more(store: Store) -> None:
    first = fetched(store, record(O1))
    with pytest.raises(ValueError, match="over"):
        store.land(first, "Observation", [record("Observation/o2")], [])
    killed = store.begin_run(DAY[1])
    store.begin_run(DAY[2])
    with pytest.raises(ValueError, match="over"):
        store.land(killed, "Observation", [record("Observation/o2")], [])
    assert says(store) == {O1: "x"}


def test_runs_are_listed_and_the_last_good_one_of_a_stream_is_known(store: Store) -> None:
    assert (store.runs(), store.last_good("Observation")) == ([], None)
    first = fetched(store, record(O1), at=DAY[0])
    second = store.begin_run(DAY[1])
    store.finish_stream(second, "Observation", announced=3, complete=False, reason="page limit")
    store.finish_stream(second, "Patient", announced=0, complete=True)
    store.finish_run(second, complete=False)

    assert store.runs() == [Run(first, DAY[0], True, True), Run(second, DAY[1], True, False)]
    assert store.last_good("Observation") == Run(first, DAY[0], True, True)
    assert store.last_good("Patient") == Run(second, DAY[1], True, False)
    assert store.last_good("Procedure") is None


# Deletions


@pytest.mark.parametrize(
    ("deletion", "late", "newer"),
    [
        (("3", ""), {"version": "2"}, {"version": "4"}),
        (("10", DAY[0]), {"version": "9", "updated": DAY[3]}, {"version": "11", "updated": DAY[0]}),
        (("", DAY[1]), {"version": "b", "updated": DAY[1]}, {"version": "a", "updated": DAY[2]}),
        (("7", DAY[1]), {"version": "", "updated": DAY[0]}, {"version": "", "updated": DAY[2]}),
    ],
)
def test_a_version_that_is_not_newer_than_the_deletion_never_brings_the_resource_back(
    store: Store, deletion: tuple[str, str], late: dict[str, str], newer: dict[str, str]
) -> None:
    fetched(store, record(O1, "first", version="", updated="") if not late["version"] else record(O1, version="1"))
    told(store, Deletion("Observation", "o1", *deletion))
    assert says(store) == {}
    fetched(store, record(O1, "late", **late))
    assert says(store) == {}
    fetched(store, record(O1, "newer", **newer))
    assert says(store) == {O1: "newer"}


def test_a_deletion_that_arrives_before_the_version_it_deleted_holds(store: Store) -> None:
    told(store, Deletion("Observation", "o1", "2"))
    run = fetched(store, record(O1, version="1"))

    assert (says(store), store.ledger(run)[0].stored) == ({}, 1)


def test_an_old_deletion_told_again_does_not_delete_what_came_since(store: Store) -> None:
    fetched(store, record(O1, version="1"))
    told(store, Deletion("Observation", "o1", "2", DAY[0]))
    fetched(store, record(O1, "again", version="3"))
    told(store, Deletion("Observation", "o1", "2", DAY[0]))

    assert says(store) == {O1: "again"}


def test_a_deletion_without_version_and_instant_holds_until_the_resource_is_seen_again(store: Store) -> None:
    fetched(store, record(O1, version="1"), record(O1, version="2"))
    told(store, Deletion("Observation", "o1"))
    fetched(store, record(O1, version="1"))
    assert says(store) == {}, "an older version that comes late is not the resource seen again"
    fetched(store, record(O1, "newest", version="2"))
    assert list(says(store)) == [O1]


def test_a_deletion_closes_what_was_set_aside(store: Store) -> None:
    run = store.begin_run(DAY[0])
    store.land(run, "Observation", [], [bad(O1)])
    store.finish_run(run, complete=True)
    told(store, Deletion("Observation", "o1", "2"))

    assert store.quarantine() == []


def test_the_missing_are_counted_before_anything_is_taken_out(store: Store) -> None:
    fetched(store, *(record(f"Observation/{id}") for id in "abcd"))
    run = store.begin_run(DAY[1])
    store.land(run, "Observation", [record("Observation/a")], [bad("Observation/b")])

    assert store.count_missing(run, "Observation", ["c"]) == 1
    assert len(says(store)) == 4
    store.finish_stream(run, "Observation", announced=2, complete=True)
    assert store.sweep(run, "Observation", ["c"]) == 1
    assert store.count_missing(run, "Observation", ["c"]) == 0


def test_an_older_version_that_comes_late_shows_that_the_resource_is_there(store: Store) -> None:
    fetched(store, record(O1, version="1"), record(O1, version="2"))
    run = store.begin_run(DAY[1])
    store.land(run, "Observation", [record(O1, version="1")], [])
    store.finish_stream(run, "Observation", announced=1, complete=True)

    assert store.sweep(run, "Observation") == 0


# People who leave


def test_who_leaves_is_taken_out_counted_and_back_when_they_join_again(store: Store) -> None:
    everything = [record("Patient/p"), record(O1, about="p"), record("Observation/o2", about="q")]
    fetched(store, *everything)
    before = store.content_hash()
    run = store.begin_run(DAY[1])
    store.land(run, "Observation", [], [], cursor=("p", DAY[1]))
    assert store.withdraw(run, ["p", "unknown"]) == 2
    store.finish_run(run, complete=True)

    assert list(says(store)) == ["Observation/o2"]
    assert {each.stream: each.swept for each in store.ledger(run)} == {"Observation": 1, "Patient": 1}
    assert all(each.balances for each in store.ledger(run))
    assert store.cursor("Observation", "p") is None
    fetched(store, *everything)
    assert store.content_hash() == before


# What the next run has to know


def test_a_fact_is_remembered_over_the_end_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / "landing.sqlite"
    with Store.open(path, "x") as store:
        assert store.recall("job") is None
        store.remember("job", "one")
        store.remember("job", "two")
    with Store.open(path, "x") as store:
        assert store.recall("job") == "two"
        store.forget("job")
        store.forget("never remembered")
        assert store.recall("job") is None


def test_bytes_that_are_held_are_known_whichever_version_they_are(store: Store) -> None:
    old, new, other = record(O1, "old"), record(O1, "new", version="2"), record("Observation/o2", "old")
    fetched(store, old, new)

    assert store.known([old, new, other, record(O1, "newest", version="3")]) == {old.sha256, new.sha256}


def test_something_set_aside_can_be_dismissed(store: Store) -> None:
    run = store.begin_run(DAY[0])
    store.land(run, "Observation", [], [bad(O1), bad("", "not-a-json-object"), bad("", "not-a-json-object", "Patient")])
    store.finish_run(run, complete=True)
    assert store.quarantine_counts() == [
        ("Observation", "", "not-a-json-object", 1),
        ("Observation", "Observation", "invalid-utf8", 1),
        ("Patient", "", "not-a-json-object", 1),
    ]
    store.dismiss(store.quarantine()[0])

    assert [(each.stream, each.id) for each in store.quarantine()] == [("Observation", "o1"), ("Patient", "")]
    assert len(store.as_of(run).quarantine()) == 3
    fetched(store, record("Observation/o9"))
    assert len(store.as_of(run).quarantine()) == 3


def test_only_one_type_is_read_in_order(store: Store) -> None:
    fetched(store, record("Patient/b"), record("Patient/a"), record(O1))

    assert [each.reference for each in store.of_type("Patient")] == ["Patient/a", "Patient/b"]
