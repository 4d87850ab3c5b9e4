"""What happens to a resource that is landed: stored, known already, newer, older, set aside, gone."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from store_records import bad, fetched, record, says

from fhir_adapter.fhir.deletion import Deletion
from fhir_adapter.fhir.record import Record, read_record
from fhir_adapter.store import Store

O1 = "Observation/o1"
DAY = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z")


def test_a_resource_comes_back_byte_by_byte_as_it_was_received(store: Store) -> None:
    body = b'{ "resourceType":"Observation",\n "id":"o1", "meta":{"versionId":"3"}, "valueQuantity":{"value":1.50} }'
    fetched(store, read_record(body))

    [kept] = store.current()
    assert kept == Record("Observation", "o1", "3", "", "", body)


@pytest.mark.parametrize(
    ("landed", "newest"),
    [
        # whole numbers decide when every version has one, whatever the stamps say
        ([("9", DAY[2], "nine"), ("10", DAY[0], "ten")], "ten"),
        ([("10", DAY[0], "ten"), ("9", DAY[2], "nine")], "ten"),
        # else the stamps decide when there is one on every version
        ([("b", DAY[0], "old"), ("a", DAY[1], "new")], "new"),
        ([("a", DAY[1], "new"), ("b", DAY[0], "old")], "new"),
        ([("", DAY[1], "new"), ("7", DAY[0], "old")], "new"),
        ([("", "2026-01-01T12:00:00+02:00", "old"), ("", "2026-01-01T11:00:00Z", "new")], "new"),
        ([("", "2026-01-01T00:00:00.1Z", "old"), ("", "2026-01-01T00:00:00.20Z", "new")], "new"),
        # the same number twice: the later stamp
        ([("1", DAY[1], "later"), ("1", DAY[0], "earlier")], "later"),
    ],
)
def test_the_newest_version_is_the_current_one_in_whatever_order_they_came(
    store: Store, landed: list[tuple[str, str, str]], newest: str
) -> None:
    fetched(store, *(record(O1, text, version=version, updated=stamp) for version, stamp, text in landed))

    assert says(store) == {O1: newest}


def test_without_version_and_stamp_what_was_fetched_last_is_the_newest(store: Store) -> None:
    for text in ("first", "second", "first"):
        fetched(store, record(O1, text, version=""))

    assert says(store) == {O1: "first"}


def test_a_resource_without_version_gets_our_own_count_of_contents(store: Store) -> None:
    seen = []
    for text in ("first", "second", "second", "third", "first"):
        fetched(store, record(O1, text, version=""))
        [kept] = store.current()
        seen.append((kept.version, kept.source))

    assert [version for version, _ in seen] == ["1", "2", "2", "3", "1"]
    assert seen[1][1] == "Observation/o1/_history/2"


def test_the_same_again_is_a_duplicate(store: Store) -> None:
    run = store.begin_run(DAY[0])
    store.land(run, "Observation", [record(O1), record(O1), record("Observation/o2")], [])

    [account] = store.ledger(run)
    assert (account.received, account.stored, account.duplicate, account.conflicts) == (3, 2, 1, 0)


def test_a_second_full_fetch_is_all_duplicates_and_changes_nothing(store: Store) -> None:
    records = [record(f"Observation/o{number}", about="p") for number in range(5)]
    fetched(store, *records, at=DAY[0])
    before = (store.content_hash(), store.changed_at(), list(store.current()))

    run = fetched(store, *records, at=DAY[1])
    [account] = store.ledger(run)
    assert (account.received, account.duplicate, account.balances) == (5, 5, True)
    assert (store.content_hash(), store.changed_at(), list(store.current())) == before


@pytest.mark.parametrize(
    "respelled",
    [
        b'{"id":"o1","resourceType":"Observation","meta":{"versionId":"1"},"note":"x","n":1.5}',
        b'{"resourceType":"Observation","id":"o1","meta":{"versionId":"1"},\n"note":"\\u0078","n":1.5}',
        b'{"resourceType":"Observation","id":"o1","meta":{"versionId":"1","tag":[]},"note":"x","n":1.5}',
    ],
)
def test_another_spelling_of_the_same_is_a_duplicate(store: Store, respelled: bytes) -> None:
    fetched(store, record(O1, n=1.5))
    run = fetched(store, read_record(respelled))

    assert store.ledger(run)[0].duplicate == 1


def test_a_trailing_zero_is_another_content(store: Store) -> None:
    body = b'{"resourceType":"Observation","id":"o1","meta":{"versionId":"1"},"note":"x","n":1.50}'
    fetched(store, record(O1, n=1.5))
    run = fetched(store, read_record(body))

    assert (store.ledger(run)[0].stored, store.ledger(run)[0].conflicts) == (1, 1)


def test_the_same_version_with_another_content_is_a_conflict_in_the_ledger(store: Store) -> None:
    run = fetched(store, record(O1, "one"), record(O1, "two"), record(O1, "two"))

    [account] = store.ledger(run)
    assert (account.stored, account.duplicate, account.conflicts, account.balances) == (2, 1, 1, True)


def test_a_new_version_that_says_the_same_is_named_but_is_no_change(store: Store) -> None:
    fetched(store, record(O1, version="1"), at=DAY[0])
    before = store.content_hash()
    fetched(store, record(O1, version="2"), at=DAY[1])

    [kept] = store.current()
    assert kept.version == "2"
    assert (store.content_hash(), store.changed_at()) == (before, DAY[0])


def test_a_new_stamp_on_the_same_content_is_kept_and_is_no_change(store: Store) -> None:
    fetched(store, record(O1, version="", updated=DAY[1]), at=DAY[0])
    run = fetched(store, record(O1, version="", updated=DAY[2]), at=DAY[1])

    [kept] = store.current()
    assert (kept.version, kept.last_updated) == ("1", DAY[2])
    assert json.loads(kept.body)["meta"]["lastUpdated"] == DAY[2]
    assert (store.ledger(run)[0].duplicate, store.changed_at()) == (1, DAY[0])


def test_the_content_changed_when_the_run_began_that_changed_it(store: Store) -> None:
    assert store.changed_at() == ""
    fetched(store, record(O1, "one"), at=DAY[0])
    fetched(store, record(O1, "one"), at=DAY[1])
    assert store.changed_at() == DAY[0]
    fetched(store, record(O1, "two", version="2"), at=DAY[2])
    fetched(store, record(O1, "two", version="2"), at=DAY[3])
    assert store.changed_at() == DAY[2]


def test_a_change_in_a_run_that_never_ended_belongs_to_the_run_that_ends(store: Store) -> None:
    fetched(store, record(O1, "one"), at=DAY[0])
    killed = store.begin_run(DAY[1])
    store.land(killed, "Observation", [record(O1, "two", version="2")], [])
    assert store.changed_at() == DAY[1]

    fetched(store, record(O1, "two", version="2"), at=DAY[2])
    assert store.changed_at() == DAY[2]


def test_the_hash_of_the_content_depends_on_the_content_only(store: Store, tmp_path: Path) -> None:
    fetched(store, record("Observation/a", version="1"), record("Patient/b", version="7"))
    with Store.open(tmp_path / "other" / "landing.sqlite", "folder:/elsewhere") as other:
        fetched(other, record("Patient/b", version=""), at=DAY[1])
        assert other.content_hash() != store.content_hash()
        fetched(other, record("Observation/a", version="3"), at=DAY[2])
        assert other.content_hash() == store.content_hash()


def test_everything_about_a_person_is_found_in_order_and_the_rest_is_shared(store: Store) -> None:
    fetched(
        store,
        record("Observation/z", about="p2"),
        record("Patient/p1"),
        record("Observation/a", about="p1"),
        record("Medication/m"),
        record("Condition/c", about="p1"),
    )

    assert store.person_keys() == ["p1", "p2"]
    assert [each.reference for each in store.of_person("p1")] == ["Condition/c", "Observation/a", "Patient/p1"]
    assert [each.reference for each in store.shared()] == ["Medication/m"]
    assert store.of_person("nobody") == []
    assert [each.reference for each in store.current()] == [
        "Condition/c",
        "Medication/m",
        "Observation/a",
        "Observation/z",
        "Patient/p1",
    ]


def test_a_resource_that_moves_to_another_person_follows(store: Store) -> None:
    fetched(store, record(O1, about="p1", version="1"))
    fetched(store, record(O1, about="p2", version="2"))

    assert store.person_keys() == ["p2"]
    assert [each.reference for each in store.of_person("p2")] == [O1]


def test_what_is_set_aside_is_counted_kept_and_forgotten_when_it_passes(store: Store) -> None:
    run = store.begin_run(DAY[0])
    store.land(run, "Observation", [record("Observation/o2")], [bad(O1), bad("", "not-a-json-object")])

    [account] = store.ledger(run)
    assert (account.received, account.stored, account.quarantined, account.balances) == (3, 1, 2, True)
    assert [(each.id, each.reason) for each in store.quarantine()] == [
        ("", "not-a-json-object"),
        ("o1", "invalid-utf8"),
    ]
    fetched(store, record(O1))
    assert [each.id for each in store.quarantine()] == [""]


def test_the_same_thing_set_aside_twice_is_one_thing_counted_twice(store: Store) -> None:
    run = store.begin_run(DAY[0])
    store.land(run, "Observation", [], [bad(O1), bad(O1, "too-large")])

    assert store.ledger(run)[0].quarantined == 2
    assert [each.reason for each in store.quarantine()] == ["too-large"]


def full_fetch(store: Store, ids: str, *, complete: bool = True, quarantined: str = "") -> tuple[int, int]:
    """A run that fetches the Observations `ids`; returns the run and how many were swept."""
    run = store.begin_run(DAY[0])
    store.land(
        run,
        "Observation",
        [record(f"Observation/{id}", about="p") for id in ids],
        [bad(f"Observation/{id}") for id in quarantined],
    )
    store.finish_stream(run, "Observation", announced=None, complete=complete)
    return run, store.sweep(run, "Observation", list(ids))


def test_what_a_complete_fetch_does_not_show_any_more_is_deleted(store: Store) -> None:
    fetched(store, record("Patient/p"), stream="Patient")
    full_fetch(store, "abc")
    before = store.content_hash()
    run, swept = full_fetch(store, "ab")

    assert swept == 1
    assert sorted(says(store)) == ["Observation/a", "Observation/b", "Patient/p"]
    assert store.content_hash() != before
    [account] = store.ledger(run)
    assert (account.swept, account.deleted, account.received, account.balances) == (1, 0, 2, True)


def test_an_incomplete_fetch_deletes_nothing(store: Store) -> None:
    full_fetch(store, "abc")
    _, swept = full_fetch(store, "a", complete=False)

    assert swept == 0
    assert len(says(store)) == 3


def test_what_was_deleted_and_comes_again_is_back(store: Store) -> None:
    full_fetch(store, "ab")
    before = store.content_hash()
    full_fetch(store, "a")
    full_fetch(store, "ab")

    assert len(says(store)) == 2
    assert store.content_hash() == before


def test_what_came_in_this_run_by_any_way_is_never_swept(store: Store) -> None:
    full_fetch(store, "ab", quarantined="")
    run = store.begin_run(DAY[1])
    store.land(run, "Observation", [record("Observation/a", about="p")], [bad("Observation/b")])
    store.finish_stream(run, "Observation", announced=2, complete=True)

    assert store.sweep(run, "Observation", []) == 0
    assert len(says(store)) == 2


def test_a_sweep_closes_what_was_set_aside_and_is_no_longer_there(store: Store) -> None:
    full_fetch(store, "a", quarantined="xy")
    full_fetch(store, "a", quarantined="y")

    assert [each.id for each in store.quarantine()] == ["y"]


def test_where_a_type_comes_in_several_files_all_of_them_must_be_complete(store: Store) -> None:
    fetched(store, *(record(f"Observation/{id}") for id in "abc"), stream="one.ndjson")
    for complete, swept in ((False, 0), (True, 1)):
        run = store.begin_run(DAY[1])
        for stream, id in (("one.ndjson", "a"), ("two.ndjson", "b")):
            store.land(run, stream, [record(f"Observation/{id}")], [])
            store.finish_stream(run, stream, announced=1, complete=complete or stream == "one.ndjson")
        assert store.sweep(run, "Observation", ["a", "b"]) == swept
        assert all(account.balances for account in store.ledger(run))
    assert {account.stream: account.swept for account in store.ledger(run)}["Observation"] == 1


def test_deletions_that_a_stream_reports_are_counted_and_done(store: Store) -> None:
    fetched(store, record("Observation/a"), record("Observation/b"))
    run = store.begin_run(DAY[1])
    store.land(run, "Observation", [], [], deleted=[Deletion("Observation", "a"), Deletion("Observation", "unknown")])

    [account] = store.ledger(run)
    assert (account.received, account.deleted, account.balances) == (2, 2, True)
    assert list(says(store)) == ["Observation/b"]


def test_the_ledger_adds_up_over_pages_and_keeps_streams_apart(store: Store) -> None:
    run = store.begin_run(DAY[0])
    store.land(run, "Observation", [record("Observation/a"), record("Observation/b")], [])
    store.land(run, "Observation", [record("Observation/b"), record("Observation/c")], [bad("Observation/d")])
    store.land(run, "Patient", [record("Patient/p")], [])
    store.finish_stream(run, "Observation", announced=5, complete=True, unverified=True)
    store.finish_stream(run, "Patient", announced=None, complete=False, reason="page limit")
    store.finish_stream(run, "AdverseEvent", announced=0, complete=True)

    by_stream = {account.stream: account for account in store.ledger(run)}
    observations, patients = by_stream["Observation"], by_stream["Patient"]
    assert list(by_stream) == ["AdverseEvent", "Observation", "Patient"]
    assert (observations.announced, observations.received) == (5, 5)
    assert (observations.stored, observations.duplicate, observations.quarantined) == (3, 1, 1)
    assert (observations.complete, observations.unverified) == (True, True)
    assert (patients.announced, patients.complete, patients.reason) == (None, False, "page limit")
    assert by_stream["AdverseEvent"].received == 0
    assert all(account.balances for account in by_stream.values())


def test_runs_are_numbered_and_the_last_complete_one_is_known(store: Store) -> None:
    assert (store.last_run(), store.last_complete_run()) == (None, None)
    first = fetched(store, record(O1))
    second = store.begin_run(DAY[1])
    assert (store.last_run(), store.last_complete_run()) == (second, first)
    store.finish_run(second, complete=False)
    assert (store.last_run(), store.last_complete_run()) == (second, first)
    assert second == first + 1


def test_a_cursor_is_kept_with_the_rows_it_came_with_for_each_stream_and_person(store: Store) -> None:
    run = store.begin_run(DAY[0])
    assert store.cursor("Observation") is None
    store.land(run, "Observation", [record(O1)], [], cursor=("", DAY[0]))
    store.land(run, "Observation", [], [])
    store.land(run, "Observation", [], [], cursor=("p", DAY[1]))
    store.land(run, "Patient", [], [], cursor=("", DAY[2]))
    store.land(run, "Patient", [], [], cursor=("", DAY[3]))

    assert store.cursor("Observation") == DAY[0]
    assert store.cursors("Observation") == {"": DAY[0], "p": DAY[1]}
    assert store.cursors("Patient") == {"": DAY[3]}


def test_cursors_are_forgotten_for_one_stream_or_for_all(store: Store) -> None:
    run = store.begin_run(DAY[0])
    for stream in ("Observation", "Patient", "Procedure"):
        store.land(run, stream, [], [], cursor=("", DAY[0]))
    store.forget_cursors("Patient")
    assert (store.cursor("Observation"), store.cursor("Patient")) == (DAY[0], None)
    store.forget_cursors()
    assert (store.cursor("Observation"), store.cursor("Procedure")) == (None, None)


def test_reading_everything_goes_on_while_more_is_landed(store: Store) -> None:
    fetched(store, *(record(f"Observation/o{number:04}") for number in range(1200)))
    reader = store.current()
    first = next(reader)
    fetched(store, record("Observation/o1200"))

    assert [each.id for each in (first, *reader)] == [f"o{number:04}" for number in range(1201)]


def test_streams_may_land_from_several_threads(store: Store) -> None:
    run = store.begin_run(DAY[0])

    def land(stream: int) -> None:
        for page in range(5):
            store.land(run, f"s{stream}", [record(f"Observation/{stream}-{page}-{n}") for n in range(4)], [])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(land, range(4)))
    assert [account.stored for account in store.ledger(run)] == [20] * 4
    assert len(says(store)) == 80


@pytest.mark.parametrize(
    "body",
    [
        b'{"resourceType":"Patient","id":"p","id":"p"}',
        b'{"resourceType":"Patient","id":"p","note":"\xff"}',
        b'{"resourceType":"Patient","id":"p","n":1' + b"0" * 5000 + b"}",
    ],
)
def test_bytes_that_no_parser_likes_are_stored_all_the_same(store: Store, body: bytes) -> None:
    odd = Record("Patient", "p", "1", "", "p", body)
    fetched(store, odd)
    run = fetched(store, odd)

    assert next(store.current()).body == body
    assert store.ledger(run)[0].duplicate == 1
