"""Whose records are there: members who join and leave, and Patients who turn out to be one person."""

from __future__ import annotations

from changingserver import ChangingServer, held, row

from fhir_adapter.pipeline.fetching.manner import Manner
from fhir_adapter.store import Store

ACCEPTED = Manner(accept_deletions=True)


def people_in(store: Store) -> set[str]:
    return {record.id for record in store.of_type("Patient")}


def with_many(server: ChangingServer, count: int = 12) -> list[str]:
    """More patients, each with one result; their ids."""
    ids = [f"q{number}" for number in range(count)]
    for id in ids:
        server.put("Patient", id)
        server.put("Observation", f"of-{id}", subject={"reference": f"Patient/{id}"})
    server.wait(3600)
    return ids


def test_a_patient_merged_with_somebody_on_the_list_is_fetched_too(store: Store, server: ChangingServer) -> None:
    server.put("Patient", "new", link=[{"other": {"reference": "Patient/old"}, "type": "replaces"}])
    server.merge("old", "new")
    server.put("Observation", "before", subject={"reference": "Patient/old"})
    server.fetch(store, ["new"]).require_complete()
    assert people_in(store) == {"new", "old"}
    assert "Observation/before" in held(store)


def test_mergers_are_followed_in_both_directions_over_several_patients(store: Store, server: ChangingServer) -> None:
    for number in range(5):
        server.merge(f"m{number}", f"m{number + 1}")
    server.put("Patient", "m5", link=[{"other": {"reference": "Patient/m4"}, "type": "replaces"}])
    server.fetch(store, ["m2"]).require_complete()
    assert people_in(store) == {"m2", "m3", "m4", "m5"}


def test_links_that_form_a_circle_end(store: Store, server: ChangingServer) -> None:
    server.merge("a", "b")
    server.merge("b", "a")
    server.fetch(store, ["a"]).require_complete()
    assert people_in(store) == {"a", "b"}


def test_links_that_never_end_are_incomplete(store: Store, server: ChangingServer) -> None:
    for number in range(30):
        server.merge(f"m{number}", f"m{number + 1}")
    fetched = server.fetch(store, ["m0"])
    assert not fetched.complete
    assert "mergers" in row(fetched, "Patient").reason


def test_a_link_to_nobody_and_one_to_another_server_ask_for_nobody_else(store: Store, server: ChangingServer) -> None:
    elsewhere = {"other": {"reference": "https://other.example/fhir/Patient/p2"}, "type": "replaces"}
    see_also = {"other": {"reference": "Patient/p2"}, "type": "seealso"}
    nobody = {"other": {"reference": "Patient/nobody"}, "type": "replaced-by"}
    server.put("Patient", "p1", link=[elsewhere, see_also, nobody])
    server.fetch(store, ["p1"]).require_complete()
    assert people_in(store) == {"p1"}


def test_a_merger_that_happens_between_two_runs_is_followed_and_kept(store: Store, server: ChangingServer) -> None:
    server.fetch(store, ["p1"])
    server.wait(86_400)
    server.put("Patient", "p1", link=[{"other": {"reference": "Patient/p2"}, "type": "replaces"}])
    for _ in range(3):
        server.wait(86_400)
        server.fetch(store, ["p1"], sweep_every=1).require_complete()
        assert held(store) == server.current()


def test_everybody_needs_no_second_look_at_links(store: Store, server: ChangingServer) -> None:
    server.merge("p1", "nobody")
    server.fetch(store).require_complete()
    assert not any("_id=" in one for one in server.asked)


def test_who_leaves_the_list_leaves_the_store_and_comes_back_whole(store: Store, server: ChangingServer) -> None:
    ids = with_many(server)
    server.fetch(store, ids)
    server.wait(86_400)
    fetched = server.fetch(store, ids[:-1])
    fetched.require_complete()
    assert people_in(store) == set(ids[:-1])
    assert f"Observation/of-{ids[-1]}" not in held(store)
    assert [row(fetched, type).swept for type in ("Patient", "Observation")] == [1, 1]
    server.wait(86_400)
    server.fetch(store, ids).require_complete()
    assert people_in(store) == set(ids)
    assert f"Observation/of-{ids[-1]}" in held(store)


def test_a_list_that_suddenly_lost_most_of_its_people_is_not_believed(store: Store, server: ChangingServer) -> None:
    ids = with_many(server)
    server.fetch(store, ids)
    server.wait(86_400)
    fetched = server.fetch(store, ids[:3])
    assert not fetched.complete
    assert "9 of 12 people" in row(fetched, "Patient").reason
    assert people_in(store) == set(ids)
    server.fetch(store, ids[:3], manner=ACCEPTED).require_complete()
    assert people_in(store) == set(ids[:3])


def test_a_record_that_moves_to_another_patient_goes_with_them(store: Store, server: ChangingServer) -> None:
    server.fetch(store, ["p1", "p2"])
    server.wait(86_400)
    server.put("Observation", "o2", subject={"reference": "Patient/p2"})
    server.wait(3600)
    server.fetch(store, ["p1", "p2"]).require_complete()
    assert {one.person for one in store.of_type("Observation") if one.id == "o2"} == {"p2"}


def test_a_record_that_moves_out_of_the_population_is_gone_with_the_next_sweep(
    store: Store, server: ChangingServer
) -> None:
    server.fetch(store, ["p1"], sweep_every=1)
    server.wait(86_400)
    server.put("Observation", "o2", subject={"reference": "Patient/p2"})
    server.wait(3600)
    server.fetch(store, ["p1"], sweep_every=1).require_complete()
    assert "Observation/o2" not in held(store)
