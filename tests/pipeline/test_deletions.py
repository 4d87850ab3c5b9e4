"""What is not on the server any more leaves the store, and only that."""

from __future__ import annotations

import httpx
import pytest
from changingserver import ChangingServer, held, row

from fhir_adapter.pipeline.fetching.manner import Manner
from fhir_adapter.store import Store

ACCEPTED = Manner(accept_deletions=True)


def asked_for_ids(server: ChangingServer) -> int:
    return sum("_elements=id" in one for one in server.asked)


def test_a_full_fetch_shows_what_is_gone(store: Store, server: ChangingServer) -> None:
    server.fetch(store)
    server.delete("Observation", "o3")
    fetched = row(server.fetch(store, manner=Manner(full=True)), "Observation")
    assert (fetched.swept, fetched.received) == (1, 29)
    assert held(store) == server.current()


def test_without_a_history_it_is_found_out_every_few_runs(store: Store, server: ChangingServer) -> None:
    server.fetch(store, sweep_every=3)
    server.delete("Observation", "o3")
    swept = []
    for _ in range(4):
        server.wait(86_400)
        swept.append((row(server.fetch(store, sweep_every=3), "Observation").swept, asked_for_ids(server)))
    assert [gone for gone, _ in swept] == [0, 0, 1, 0]
    assert [bool(asked) for _, asked in swept] == [False, False, True, False]
    assert held(store) == server.current()


def test_a_history_tells_it_in_the_next_run(store: Store, server: ChangingServer) -> None:
    server.history = True
    server.fetch(store)
    server.wait(86_400)
    server.delete("Observation", "o3")
    server.wait(3600)
    fetched = row(server.fetch(store), "Observation")
    assert (fetched.deleted, fetched.received, fetched.swept, fetched.complete) == (1, 1, 0, True)
    assert held(store) == server.current()
    assert asked_for_ids(server) == 0


def test_what_was_deleted_and_made_anew_between_two_runs_is_there(store: Store, server: ChangingServer) -> None:
    server.history = True
    server.fetch(store)
    server.wait(86_400)
    server.delete("Observation", "o3")
    server.put("Observation", "o3", status="amended")
    server.wait(3600)
    server.fetch(store).require_complete()
    assert held(store) == server.current()
    assert held(store)["Observation/o3"] == 3


def test_deletions_of_a_run_that_broke_are_not_lost(store: Store, server: ChangingServer) -> None:
    """The history could be read, the search could not: both are asked for again from where they were."""
    server.history = True
    server.fetch(store)
    server.wait(86_400)
    server.delete("Observation", "o3")
    server.put("Observation", "o4", status="amended")
    server.wait(3600)

    def down_for_searches(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(500) if request.url.path.endswith("/Observation") else None

    server.before = [down_for_searches] * 40
    assert not server.fetch(store).complete
    server.before = []
    server.wait(86_400)
    server.fetch(store).require_complete()
    assert held(store) == server.current()


def test_a_history_that_is_refused_makes_the_stream_incomplete(store: Store, server: ChangingServer) -> None:
    server.history = True
    server.fetch(store)
    server.wait(86_400)
    server.refuses = frozenset({"_since"})
    fetched = row(server.fetch(store), "Observation")
    assert not fetched.complete
    assert "does not tell what was deleted" in fetched.reason


def test_too_much_that_disappears_is_not_believed(store: Store, server: ChangingServer) -> None:
    server.fetch(store)
    for number in range(10):
        server.delete("Observation", f"o{number}")
    fetched = server.fetch(store, manner=Manner(full=True))
    assert not fetched.complete
    told = row(fetched, "Observation").reason
    assert "10 of 30" in told
    assert "--accept-deletions" in told
    assert len(held(store)) == 32


def test_the_doubt_stays_until_it_is_settled(store: Store, server: ChangingServer) -> None:
    """The run after it is an ordinary one; it still has to find out what is there."""
    server.fetch(store)
    for number in range(10):
        server.delete("Observation", f"o{number}")
    server.fetch(store, manner=Manner(full=True))
    server.wait(86_400)
    assert not server.fetch(store).complete
    assert asked_for_ids(server) > 0
    server.wait(86_400)
    fetched = server.fetch(store, manner=ACCEPTED)
    fetched.require_complete()
    assert row(fetched, "Observation").swept == 10
    assert held(store) == server.current()


def test_a_single_one_may_always_go(store: Store, server: ChangingServer) -> None:
    server.put("Medication", "m1")
    server.fetch(store)
    server.delete("Medication", "m1")
    fetched = server.fetch(store, manner=Manner(full=True))
    assert (fetched.complete, row(fetched, "Medication").swept) == (True, 1)


def test_nothing_is_taken_out_when_something_is_missing(store: Store, server: ChangingServer) -> None:
    server.fetch(store)
    server.delete("Observation", "o3")
    server.before = [lambda _: None] + [
        lambda request: httpx.Response(500) if "Medication" in request.url.path else None
    ] * 40
    fetched = server.fetch(store, manner=Manner(full=True))
    assert not fetched.complete
    assert "Observation/o3" in held(store)


def test_asking_for_ids_finds_what_was_never_shown_before(store: Store, server: ChangingServer) -> None:
    """A record that appears with an old time stamp is in no window; the sweep sees it, and everything is fetched."""
    server.hidden = {("Observation", "o3")}
    server.fetch(store, sweep_every=1)
    server.hidden = set()
    server.wait(86_400)
    fetched = row(server.fetch(store, sweep_every=1), "Observation")
    assert (fetched.stored, fetched.complete) == (1, True)
    assert held(store) == server.current()


def test_a_server_that_does_not_know_elements_is_fetched_in_full_for_the_sweep(
    store: Store, server: ChangingServer
) -> None:
    server.fetch(store, sweep_every=1)
    server.refuses = frozenset({"_elements"})
    server.delete("Observation", "o3")
    server.wait(86_400)
    fetched = row(server.fetch(store, sweep_every=1), "Observation")
    assert (fetched.swept, fetched.duplicate, fetched.complete) == (1, 29, True)


def test_what_is_set_aside_and_still_there_stays_set_aside(store: Store, server: ChangingServer) -> None:
    server.put("Observation", "odd", status="no-such-status")
    server.wait(3600)
    server.fetch(store, sweep_every=1)
    assert [one.id for one in store.quarantine()] == ["odd"]
    server.wait(86_400)
    fetched = row(server.fetch(store, sweep_every=1), "Observation")
    assert (fetched.received, fetched.complete) == (0, True)
    assert [one.id for one in store.quarantine()] == ["odd"]
    server.delete("Observation", "odd")
    server.wait(86_400)
    server.fetch(store, sweep_every=1).require_complete()
    assert store.quarantine() == []


@pytest.mark.parametrize("people", [(), ("p1", "p2")], ids=["everybody", "a list"])
def test_a_patient_who_is_deleted_leaves_with_everything(
    people: tuple[str, ...], store: Store, server: ChangingServer
) -> None:
    server.fetch(store, people)
    server.delete("Patient", "p2")
    for number in range(1, 30, 2):
        server.delete("Observation", f"o{number}")
    server.wait(86_400)
    server.fetch(store, people, manner=Manner(full=True, accept_deletions=True)).require_complete()
    assert held(store) == server.current()
