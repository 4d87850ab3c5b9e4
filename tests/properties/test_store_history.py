"""A server that changes and deletes, a network that reorders and repeats, a process that dies; then a store.

The store shows the newest of what was delivered, whatever came in between; what it showed after an earlier run never
changes; its hash is that of what it shows.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fhir_adapter.fhir.canonical import content_sha256
from fhir_adapter.fhir.deletion import Deletion
from fhir_adapter.fhir.record import Record, read_record
from fhir_adapter.store import Store, View
from fhir_adapter.store.content_sum import EMPTY, added, content_hash, member

SOURCE = "https://ehr.invalid/fhir"
DAY = "2026-01-01T00:00:00Z"
IDS = "abc"

Event = Record | Deletion
Picture = tuple[object, ...]


def picture(view: View) -> Picture:
    """Everything a view says; of each resource what it means, because its stamp may be renewed."""
    return (
        [(each.type, each.id, each.version, each.person, content_sha256(each.body)) for each in view.current()],
        [(key, [each.reference for each in view.of_person(key)]) for key in view.person_keys()],
        [each.reference for each in view.shared()],
        view.ids("Observation"),
        view.quarantine(),
        view.content_hash(),
        view.changed_at(),
    )


class LandingStore(RuleBasedStateMachine):
    """The server numbers the versions of each resource, or stamps them, or tells neither (then only today is known)."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "store.sqlite"
        self.store = Store.open(self.path, SOURCE)
        self.run = self.store.begin_run(DAY)
        self.tick = 0
        self.history: dict[str, list[Event]] = {}
        self.newest: dict[str, int] = {}  # of what was delivered: its place in the history, and the run that saw it
        self.seen_in: dict[str, int] = {}
        self.buried_in: dict[str, int] = {}
        self.pictures: dict[int, Picture] = {}

    @initialize(kind=st.sampled_from(["versions", "stamps", "neither"]))
    def begin(self, kind: str) -> None:
        self.kind = kind

    # The server

    @rule(id=st.sampled_from(IDS), person=st.sampled_from(["", "p", "q"]), says=st.sampled_from(["one", "two"]))
    def the_server_changes_a_resource(self, id: str, person: str, says: str) -> None:
        version, stamp = self._next(id)
        meta = {name: value for name, value in (("versionId", version), ("lastUpdated", stamp)) if value}
        body = {"resourceType": "Observation", "id": id, "meta": meta, "note": f"{says} {self.tick}"}
        body |= {"subject": {"reference": f"Patient/{person}"}} if person else {}
        self.history[id].append(read_record(json.dumps(body).encode()))

    @rule(id=st.sampled_from(IDS))
    def the_server_deletes_a_resource(self, id: str) -> None:
        version, stamp = self._next(id)
        self.history[id].append(Deletion("Observation", id, version, stamp))

    def _next(self, id: str) -> tuple[str, str]:
        self.tick += 1
        known = self.history.setdefault(id, [])
        number = str(len(known) + 1) if self.kind == "versions" else ""
        # The clock of a server that counts versions may run backwards.
        moment = 30 - self.tick % 30 if self.kind == "versions" else self.tick
        return number, "" if self.kind == "neither" else f"2026-01-01T{moment // 60:02}:{moment % 60:02}:00Z"

    # The network

    @precondition(lambda self: self.history)
    @rule(data=st.data())
    def a_page_arrives(self, data: st.DataObject) -> None:
        if self.kind == "neither":
            self._next_run()
        ids = data.draw(st.lists(st.sampled_from(sorted(self.history)), min_size=1, max_size=4))
        page = [self._delivered(id, data) for id in ids]
        records = [each for each in page if isinstance(each, Record)]
        self.store.land(
            self.run, "Observation", records, [], deleted=[each for each in page if isinstance(each, Deletion)]
        )

    def _delivered(self, id: str, data: st.DataObject) -> Event:
        last = len(self.history[id]) - 1
        place = last if self.kind == "neither" else data.draw(st.integers(0, last))
        if place >= self.newest.get(id, -1):
            self.newest[id], self.seen_in[id] = place, self.run
        return self.history[id][place]

    # The nights

    @rule()
    def the_next_run_begins(self) -> None:
        self._next_run()

    def _next_run(self) -> None:
        self.store.finish_run(self.run, complete=False)
        self.pictures[self.run] = picture(self.store)
        self.run = self.store.begin_run(DAY)

    @rule()
    def the_process_dies_and_the_next_run_begins(self) -> None:
        self.store.close()
        self.store = Store.open(self.path, SOURCE)
        self.pictures[self.run] = picture(self.store)
        self.run = self.store.begin_run(DAY)

    @rule(kept=st.sets(st.sampled_from(IDS)))
    def a_complete_fetch_shows_only_some(self, kept: set[str]) -> None:
        self._next_run()
        gone = self._expected().keys() - kept
        assert self.store.count_missing(self.run, "Observation", kept) == len(gone)
        self.store.finish_stream(self.run, "Observation", announced=0, complete=True)
        assert self.store.sweep(self.run, "Observation", kept) == len(gone)
        self.buried_in |= dict.fromkeys(gone, self.run)

    @rule(person=st.sampled_from(["p", "q"]))
    def a_person_leaves(self, person: str) -> None:
        self._next_run()
        gone = [id for id, each in self._expected().items() if each.person == person]
        assert self.store.withdraw(self.run, [person]) == len(gone)
        self.buried_in |= dict.fromkeys(gone, self.run)

    # What always holds

    def _expected(self) -> dict[str, Record]:
        """By id what the newest delivered event says, unless that is a deletion or it was taken out since."""
        newest = {id: self.history[id][place] for id, place in self.newest.items()}
        return {
            id: each
            for id, each in newest.items()
            if isinstance(each, Record) and self.seen_in[id] > self.buried_in.get(id, 0)
        }

    @invariant()
    def the_store_shows_the_newest_of_what_was_delivered(self) -> None:
        assert {each.id: each.body for each in self.store.current()} == {
            id: each.body for id, each in self._expected().items()
        }

    @invariant()
    def every_account_balances(self) -> None:
        for run in self.store.runs():
            assert all(account.balances for account in self.store.ledger(run.run))

    @invariant()
    def everything_current_is_with_its_person_or_shared(self) -> None:
        people = [each for key in self.store.person_keys() for each in self.store.of_person(key)]
        assert sorted([*people, *self.store.shared()], key=lambda each: each.id) == list(self.store.current())

    @invariant()
    def the_hash_is_that_of_what_is_shown(self) -> None:
        members = [member(each.type, each.id, content_sha256(each.body)) for each in self.store.current()]
        assert self.store.content_hash() == content_hash(added(EMPTY, sum(members)))

    @invariant()
    def what_was_known_after_an_earlier_run_never_changes(self) -> None:
        for run, then in self.pictures.items():
            assert picture(self.store.as_of(run)) == then

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestLandingStore = LandingStore.TestCase
TestLandingStore.settings = settings(max_examples=30, stateful_step_count=20)
