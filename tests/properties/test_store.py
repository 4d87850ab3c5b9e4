"""What is always true of the landing store, whatever is landed in whatever order."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapter.fhir.deletion import Deletion
from fhir_adapter.fhir.record import Record, read_record
from fhir_adapter.store import Store
from fhir_adapter.store.newest import Held, newest

SOURCE = "https://ehr.invalid/fhir"
DAYS = ["", *(f"2026-01-0{day}T00:00:00Z" for day in range(1, 5)), "2026-01-03T01:00:00+02:00", "no date"]


def written(type: str, id: str, version: str, updated: str, note: str, person: str) -> Record:
    meta = {"versionId": version, "lastUpdated": updated}
    body: dict[str, Any] = {"resourceType": type, "id": id, "note": note}
    body["meta"] = {name: value for name, value in meta.items() if value}
    if person:
        body["subject"] = {"reference": f"Patient/{person}"}
    return read_record(json.dumps(body).encode())


records = st.builds(
    written,
    st.sampled_from(["Observation", "Medication"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["", "1", "2", "10", "x", "1.5"]),
    st.sampled_from(DAYS),
    st.sampled_from(["one", "two", "three"]),
    st.sampled_from(["", "p", "q"]),
)


def landed(pages: Sequence[Sequence[Record]]) -> tuple[object, ...]:
    """Everything a store says after one run that brought these pages."""
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "store.sqlite", SOURCE) as store:
        run = store.begin_run(DAYS[1])
        for page in pages:
            store.land(run, "all", page, [])
        store.finish_stream(run, "all", announced=None, complete=True)
        store.finish_run(run, complete=True)
        [account] = store.ledger(run)
        assert account.balances
        people = {key: store.of_person(key) for key in store.person_keys()}
        return (
            list(store.current()),
            people,
            list(store.shared()),
            store.content_hash(),
            store.changed_at(),
            (account.stored, account.conflicts),
        )


@settings(max_examples=60)
@given(st.lists(records, min_size=1, max_size=12), st.randoms(use_true_random=False), st.data())
def test_the_order_the_pages_and_the_repetitions_of_a_run_do_not_matter(
    received: list[Record], chance: random.Random, data: st.DataObject
) -> None:
    repeated = received + data.draw(st.lists(st.sampled_from(received), max_size=6))
    chance.shuffle(repeated)
    cut = data.draw(st.integers(0, len(repeated)))

    assert landed([received]) == landed([repeated[:cut], repeated[cut:]])


@settings(max_examples=60)
@given(st.lists(records, min_size=1, max_size=12))
def test_a_second_run_that_brings_the_same_changes_nothing(received: list[Record]) -> None:
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "store.sqlite", SOURCE) as store:
        seen = []
        for day in (DAYS[1], DAYS[2]):
            run = store.begin_run(day)
            store.land(run, "all", received, [])
            store.finish_run(run, complete=True)
            seen.append((list(store.current()), store.content_hash(), store.changed_at()))
        assert seen[0] == seen[1]
        assert store.ledger(run)[0].duplicate == len(received)


told_deletions = st.builds(
    Deletion,
    st.sampled_from(["Observation", "Medication"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["", "1", "2", "10"]),
    st.sampled_from(DAYS),
)


@settings(max_examples=60)
@given(
    st.lists(st.one_of(records, told_deletions), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
    st.data(),
)
def test_versions_and_deletions_give_the_same_store_in_whatever_order_and_portions_they_come(
    received: list[Record | Deletion], chance: random.Random, data: st.DataObject
) -> None:
    repeated = received + data.draw(st.lists(st.sampled_from(received), max_size=6))
    chance.shuffle(repeated)
    cut = data.draw(st.integers(0, len(repeated)))

    assert shown_after([received]) == shown_after([repeated[:cut], repeated[cut:]])


def shown_after(pages: Sequence[Sequence[Record | Deletion]]) -> tuple[object, ...]:
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "store.sqlite", SOURCE) as store:
        run = store.begin_run(DAYS[1])
        for page in pages:
            landed = [each for each in page if isinstance(each, Record)]
            store.land(run, "all", landed, [], deleted=[each for each in page if isinstance(each, Deletion)])
        return list(store.current()), store.content_hash(), store.changed_at(), store.person_keys()


versions = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "x", ""]),
        st.sampled_from([DAYS[1], DAYS[1], DAYS[2], ""]),
        st.sampled_from([1, 2]),
        st.sampled_from("abc"),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda version: (version[0], version[3]),
)


@settings(max_examples=200)
@given(versions, st.randoms(use_true_random=False))
def test_which_version_is_the_newest_does_not_depend_on_the_order_they_are_looked_at(
    versions: list[tuple[str, str, int, str]], chance: random.Random
) -> None:
    held = [Held(seq, *version, person="") for seq, version in enumerate(versions)]
    shuffled = chance.sample(held, len(held))

    assert newest(shuffled) == newest(held)
