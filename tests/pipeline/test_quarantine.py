"""What was set aside, looked at again."""

from __future__ import annotations

import pytest
from changingserver import ChangingServer, held, row

from fhir_adapter.fhir import validate
from fhir_adapter.fhir.validate import Verdict
from fhir_adapter.pipeline.fetching import quarantine
from fhir_adapter.pipeline.fetching.landing import Retried
from fhir_adapter.pipeline.fetching.manner import Manner
from fhir_adapter.store import Store

AGAIN = Manner(retry_quarantine=True)
REASON = "code-not-in-value-set"


@pytest.fixture
def odd(store: Store, server: ChangingServer) -> ChangingServer:
    """Two results with a status that FHIR does not know were fetched, and time went by."""
    for id in ("odd-1", "odd-2"):
        server.put("Observation", id, status="no-such-status")
    server.wait(3600)
    server.fetch(store).require_complete()
    assert [one.id for one in store.quarantine()] == ["odd-1", "odd-2"]
    server.wait(86_400)
    return server


def test_what_is_still_wrong_everywhere_stays(odd: ChangingServer, store: Store) -> None:
    fetched = odd.fetch(store, manner=AGAIN)
    fetched.require_complete()
    assert fetched.retried == (Retried("Observation", REASON, 0, 0, 0, 2),)
    assert len(store.quarantine()) == 2


def test_what_the_server_has_corrected_or_lost_is_settled(odd: ChangingServer, store: Store) -> None:
    """Both happened long ago by the clock of the server, so no window would show them."""
    odd.now -= 86_400 * 2
    odd.put("Observation", "odd-1", status="final")
    odd.delete("Observation", "odd-2")
    odd.now += 86_400 * 2
    fetched = odd.fetch(store, manner=AGAIN)
    fetched.require_complete()
    assert fetched.retried == (Retried("Observation", REASON, 0, 1, 1, 0),)
    assert store.quarantine() == []
    assert held(store) == odd.current()
    assert (row(fetched, "quarantine").received, row(fetched, "quarantine").stored) == (1, 1)


def test_what_newer_software_understands_is_used_without_asking_anybody(
    odd: ChangingServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "check", lambda record: Verdict(True))
    monkeypatch.setattr("fhir_adapter.pipeline.fetching.landing.check", lambda record: Verdict(True))
    fetched = odd.fetch(store, manner=AGAIN)
    assert fetched.retried == (Retried("Observation", REASON, 2, 0, 0, 0),)
    assert not any("odd-" in one for one in odd.asked)
    assert held(store) == odd.current()


def test_nothing_is_looked_at_again_unless_asked_for(odd: ChangingServer, store: Store) -> None:
    fetched = odd.fetch(store)
    assert fetched.retried == ()
    assert "quarantine" not in {one.stream for one in fetched.ledger}


def test_the_same_bytes_are_not_checked_twice(
    store: Store, server: ChangingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate is the slow part; what it let through once it lets through again."""
    checked: list[str] = []

    def check(record: validate.Record) -> Verdict:
        checked.append(record.reference)
        return validate.check(record)

    monkeypatch.setattr("fhir_adapter.pipeline.fetching.landing.check", check)
    server.fetch(store)
    assert len(checked) == 32
    server.put("Observation", "o3", status="amended")
    server.fetch(store, manner=Manner(full=True)).require_complete()
    assert checked[32:] == ["Observation/o3"]
