"""What a second run asks, and that nothing is lost between two runs."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import httpx
import pytest
from changingserver import BASE, ChangingServer, held, row

from fhir_adapter.ehr.window import read_instant
from fhir_adapter.errors import NotReadyError
from fhir_adapter.pipeline.fetching.manner import Manner
from fhir_adapter.store import Store


def asked_for(server: ChangingServer, type: str) -> list[str]:
    return [one for one in server.asked if one.startswith(f"{type}?")]


def test_everything_is_fetched_the_first_time(store: Store, server: ChangingServer) -> None:
    fetched = server.fetch(store)
    fetched.require_complete()
    assert held(store) == server.current()
    assert (row(fetched, "Observation").announced, row(fetched, "Observation").stored) == (30, 30)
    assert len(asked_for(server, "Observation")) == 3


def test_a_second_run_with_nothing_changed_asks_once_for_each_type(store: Store, server: ChangingServer) -> None:
    server.fetch(store)
    server.wait(86_400)
    fetched = server.fetch(store)
    assert fetched.complete
    assert [one.received for one in fetched.ledger] == [0, 0, 0]
    assert len(server.asked) == 4, server.asked  # what it can do, and one question for each type


def test_one_changed_resource_is_one_stored(store: Store, server: ChangingServer) -> None:
    server.fetch(store)
    server.wait(86_400)
    server.put("Observation", "o3", status="amended")
    server.wait(3600)
    fetched = server.fetch(store)
    assert (row(fetched, "Observation").received, row(fetched, "Observation").stored) == (1, 1)
    assert held(store) == server.current()


def test_the_window_overlaps_with_the_last_one_by_the_clock_of_the_server(store: Store, server: ChangingServer) -> None:
    asked_at = server.now
    server.fetch(store, overlap_s=600, horizon_s=150)
    cursor = store.cursor("Observation")
    assert cursor is not None
    server.wait(86_400)
    server.fetch(store, overlap_s=600, horizon_s=150)
    (question,) = asked_for(server, "Observation")
    since = httpx.URL(f"{BASE}/{question}").params["_lastUpdated"].removeprefix("ge")
    assert asked_at - 152 <= read_instant(cursor) <= asked_at - 148
    assert read_instant(since) == read_instant(cursor) - 600


def test_what_is_seen_again_in_the_overlap_is_a_duplicate(store: Store, server: ChangingServer) -> None:
    server.put("Observation", "o3", status="amended")
    server.fetch(store)
    server.wait(60)
    again = row(server.fetch(store), "Observation")
    assert (again.received, again.duplicate, again.stored) == (1, 1, 0)


def test_without_last_updated_everything_is_fetched_each_time_and_the_ledger_says_so(
    store: Store, server: ChangingServer
) -> None:
    server.since = False
    server.fetch(store)
    server.wait(86_400)
    fetched = row(server.fetch(store), "Observation")
    assert (fetched.received, fetched.duplicate, fetched.complete) == (30, 30, True)
    assert "fetched in full" in fetched.reason
    assert store.cursors("Observation") == {}


@pytest.mark.parametrize("tells_self", [True, False], ids=["its self link shows it", "older records show it"])
def test_a_server_that_ignores_the_window_is_read_rightly_and_named(
    tells_self: bool, store: Store, server: ChangingServer
) -> None:
    server.fetch(store)
    server.ignores, server.tells_self = frozenset({"_lastUpdated"}), tells_self
    server.wait(86_400)
    server.put("Observation", "o3", status="amended")
    before = store.cursor("Observation")
    fetched = row(server.fetch(store), "Observation")
    assert (fetched.complete, fetched.stored, fetched.duplicate) == (True, 1, 29)
    assert "does not heed _lastUpdated" in fetched.reason
    assert (store.cursor("Observation") or "") > (before or "")
    assert held(store) == server.current()


def test_a_server_that_refuses_the_window_is_asked_for_everything(store: Store, server: ChangingServer) -> None:
    server.fetch(store)
    server.refuses = frozenset({"_lastUpdated"})
    server.wait(86_400)
    server.put("Observation", "o3", status="amended")
    fetched = row(server.fetch(store), "Observation")
    assert (fetched.complete, fetched.received) == (True, 30)
    assert "refused _lastUpdated" in fetched.reason


def test_a_server_whose_clock_went_back_is_asked_for_everything(store: Store, server: ChangingServer) -> None:
    """Its clock was a year ahead when we asked last; what it stamps now lies before our cursor."""
    server.wait(365 * 86_400)
    server.fetch(store)
    server.wait(-365 * 86_400)
    server.put("Observation", "o3", status="amended")
    fetched = row(server.fetch(store), "Observation")
    assert (fetched.complete, fetched.stored) == (True, 1)
    assert "clock went back" in fetched.reason
    server.wait(86_400)
    assert row(server.fetch(store), "Observation").received <= 1


def test_a_moment_lost_to_whole_seconds_is_no_clock_that_went_back(store: Store, server: ChangingServer) -> None:
    """A bulk export tells its time to the millisecond, the next answer's Date header only to the second."""
    server.fetch(store, horizon_s=0)
    server.wait(-1)
    server.put("Observation", "o3", status="amended")
    fetched = row(server.fetch(store, horizon_s=0), "Observation")
    assert (fetched.complete, fetched.stored, fetched.reason) == (True, 1, "")


def test_a_server_that_tells_no_time_is_asked_for_everything(store: Store, server: ChangingServer) -> None:
    def without_date(request: httpx.Request) -> httpx.Response | None:
        path, query = request.url.path.removeprefix("/fhir/"), request.url.query.decode()
        answer = server._answer(path, query)
        del answer.headers["Date"]
        return answer

    for _ in range(2):
        server.before = [without_date] * 20
        assert row(server.fetch(store), "Observation").received == 30
    assert store.cursors("Observation") == {}


def test_everything_is_fetched_again_when_that_is_asked_for(store: Store, server: ChangingServer) -> None:
    server.fetch(store)
    server.wait(86_400)
    fetched = row(server.fetch(store, manner=Manner(full=True)), "Observation")
    assert (fetched.received, fetched.duplicate) == (30, 30)
    assert row(server.fetch(store), "Observation").received == 0


def test_another_question_is_asked_from_the_beginning(store: Store, server: ChangingServer) -> None:
    """First for one patient, then for everybody: what was never asked for is not up to date."""
    server.fetch(store, ["p1"])
    assert {record.person for record in store.of_type("Observation")} == {"p1"}
    server.wait(86_400)
    server.fetch(store).require_complete()
    assert held(store) == server.current()


def test_a_chain_that_broke_is_read_again_and_one_that_ended_is_not(store: Store, server: ChangingServer) -> None:
    def break_on_page_three(request: httpx.Request) -> httpx.Response | None:
        if "_at=20" in str(request.url):
            raise httpx.ConnectError("")
        return None

    server.before = [break_on_page_three] * 50
    with pytest.raises(NotReadyError):
        server.fetch(store, concurrency=1)
    assert store.cursor("Patient") is not None
    assert store.cursor("Observation") is None
    last = store.last_run()
    assert last is not None
    assert last != store.last_complete_run()
    assert [one.complete for one in store.ledger(last) if one.stream == "Observation"] == [False]
    server.before = []
    fetched = server.fetch(store)
    fetched.require_complete()
    assert row(fetched, "Patient").received == 0
    assert held(store) == server.current()


def test_people_have_windows_of_their_own_and_new_ones_get_their_history(store: Store, server: ChangingServer) -> None:
    server.fetch(store, ["p1"])
    server.wait(86_400)
    server.put("Observation", "late", subject={"reference": "Patient/p1"})
    server.wait(3600)
    fetched = row(server.fetch(store, ["p1", "p2"], manner=Manner(accept_deletions=True)), "Observation")
    assert (fetched.complete, fetched.stored, fetched.duplicate) == (True, 16, 0)
    assert held(store) == server.current()


def test_a_server_that_must_be_asked_person_by_person_is_so_from_window_to_window(
    store: Store, server: ChangingServer
) -> None:
    server.whole_type = False
    server.fetch(store, ["p1", "p2"]).require_complete()
    assert held(store) == server.current()
    server.wait(86_400)
    server.put("Observation", "late", subject={"reference": "Patient/p2"})
    server.wait(3600)
    fetched = row(server.fetch(store, ["p1", "p2"]), "Observation")
    assert (fetched.received, fetched.stored) == (1, 1)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_lost_although_the_index_of_the_server_lags_by_two_minutes(seed: int, tmp_path: Path) -> None:
    """A day of random changes and random nights, as in the field notes on servers whose index is not the truth."""
    draw = random.Random(seed)
    server = ChangingServer(lag_s=120)
    server.put("Patient", "p1")
    with Store.open(tmp_path / "s.sqlite", BASE) as store:
        for _ in range(15):
            for _ in range(draw.randrange(6)):
                server.put("Observation", f"o{draw.randrange(200)}", status=draw.choice(["final", "amended"]))
                server.wait(draw.uniform(0, 90))
            server.wait(draw.choice([1, 30, 60, 300]))
            server.fetch(store).require_complete()
        server.wait(1000)
        server.fetch(store).require_complete()
        assert held(store) == server.current()


def test_the_lag_of_the_index_would_lose_something_without_the_overlap(tmp_path: Path) -> None:
    """What the test above would say if the windows only touched each other."""
    lost: dict[str, Any] = {}
    for seed in range(3):
        draw = random.Random(seed)
        server = ChangingServer(lag_s=120)
        with Store.open(tmp_path / f"{seed}.sqlite", BASE) as store:
            for night in range(15):
                server.put("Observation", f"o{night}")
                server.wait(draw.uniform(0, 110))
                server.fetch(store, overlap_s=0, horizon_s=0, sweep_every=1000)
            server.wait(1000)
            server.fetch(store, overlap_s=0, horizon_s=0, sweep_every=1000)
            lost |= {f"{seed} {key}": one for key, one in server.current().items() if key not in held(store)}
    assert lost
