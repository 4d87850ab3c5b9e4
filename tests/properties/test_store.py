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
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

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


class LandingStore(RuleBasedStateMachine):
    """A server that changes, a network that reorders and repeats, a process that dies; then a store.

    The server numbers the versions of each resource, or only stamps them, or does neither; in the last case what
    it says now is all it ever says. What is current in the store must be the newest that was ever delivered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "store.sqlite"
        self.store = Store.open(self.path, SOURCE)
        self.tick = 0
        self.history: dict[str, list[Record]] = {}
        self.delivered: dict[str, int] = {}
        self.gone: set[str] = set()

    @initialize(kind=st.sampled_from(["versions", "stamps", "neither"]))
    def begin(self, kind: str) -> None:
        self.kind = kind
        self.run = self.store.begin_run(DAYS[1])

    @rule(id=st.sampled_from("abc"), person=st.sampled_from(["", "p", "q"]))
    def the_server_changes_a_resource(self, id: str, person: str) -> None:
        self.tick += 1
        versions = self.history.setdefault(id, [])
        number = str(len(versions) + 1) if self.kind == "versions" else ""
        # The clock of a server that counts versions may run backwards.
        moment = -self.tick if self.kind == "versions" else self.tick
        stamp = f"2026-01-01T00:00:{30 + moment % 30:02}Z" if self.kind != "neither" else ""
        if self.kind == "stamps":
            stamp = f"2026-01-01T{self.tick // 60:02}:{self.tick % 60:02}:00Z"
        versions.append(written("Observation", id, number, stamp, f"state {self.tick}", person))

    @precondition(lambda self: self.history)
    @rule(data=st.data())
    def a_page_arrives(self, data: st.DataObject) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.history)), min_size=1, max_size=4))
        page = []
        for id in ids:
            known = len(self.history[id])
            place = known - 1 if self.kind == "neither" else data.draw(st.integers(0, known - 1))
            page.append(self.history[id][place])
            self.delivered[id] = max(self.delivered.get(id, 0), place)
            self.gone.discard(id)
        if self.kind == "neither":
            self._next_run()
        self.store.land(self.run, "Observation", page, [])

    @rule()
    def the_next_run_begins(self) -> None:
        self._next_run()

    def _next_run(self) -> None:
        self.store.finish_run(self.run, complete=False)
        self.run = self.store.begin_run(DAYS[2])

    @rule()
    def the_process_dies_and_starts_again(self) -> None:
        self.store.close()
        self.store = Store.open(self.path, SOURCE)

    @rule(kept=st.sets(st.sampled_from("abc")))
    def a_complete_fetch_shows_only_some(self, kept: set[str]) -> None:
        self._next_run()
        self.store.finish_stream(self.run, "Observation", announced=0, complete=True)
        self.store.sweep(self.run, "Observation", kept)
        self.gone |= self.delivered.keys() - kept

    @invariant()
    def the_store_shows_the_newest_of_what_was_delivered(self) -> None:
        expected = {id: self.history[id][place].body for id, place in self.delivered.items() if id not in self.gone}
        assert {each.id: each.body for each in self.store.current()} == expected

    @invariant()
    def every_account_balances(self) -> None:
        for run in range(1, (self.store.last_run() or 0) + 1):
            assert all(account.balances for account in self.store.ledger(run))

    @invariant()
    def everything_current_is_with_its_person_or_shared(self) -> None:
        people = [each for key in self.store.person_keys() for each in self.store.of_person(key)]
        assert sorted([*people, *self.store.shared()], key=lambda each: each.id) == list(self.store.current())
        assert all(each.version for each in people)

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestLandingStore = LandingStore.TestCase
TestLandingStore.settings = settings(max_examples=25, stateful_step_count=20)
