"""Bulk export and search: the store holds the same by either way, and the one goes on where the other was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from whole_runs import bundles, put, resource, resources, server_with

from fhir_adapter.errors import AccessError
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline import Manner, fetch_only
from fhir_adapter.pipeline.fetching.landing import Fetched
from fhir_adapter.progress import Progress
from fhir_adapter.sandbox import Sandbox
from fhir_adapter.sandbox.exchange import Reply
from fhir_adapter.sandbox.export import Exporting, Exports
from fhir_adapter.sandbox.outcome import Refused
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

STARTED = "2026-11-22T02:00:00Z"
MEMBERS = ["SYN-01", "SYN-02", "SYN-03"]
LAB = next(f"Observation/{one['id']}" for one in resources(bundles("SYN-02")) if one["resourceType"] == "Observation")


@dataclass
class Site:
    """A server, an output folder, and what is asked for."""

    sandbox: Sandbox
    out: Path
    asks: dict[str, Any] = field(default_factory=dict)

    def fetch(self, manner: Manner | None = None, **more: Any) -> dict[str, Any]:
        """The ledger of one run, by stream."""
        settings = Settings(server=self.sandbox.base_url, out=self.out, **{**self.asks, **more})
        fetched: Fetched = fetch_only(settings, STARTED, Progress(), manner or Manner())
        return {one.stream: one for one in fetched.ledger}

    def held(self) -> dict[str, bytes]:
        with Store.reopen(OutputFolder(self.out).store) as store:
            return {record.reference: record.body for record in store.current()}


class Clock:
    """The clock of the server stands at yesterday until it is told to go on."""

    def __init__(self) -> None:
        self.behind = timedelta(days=1)

    def __call__(self) -> datetime:
        return datetime.now(UTC) - self.behind

    def catch_up(self) -> None:
        self.behind = timedelta()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with server_with(bundles(*MEMBERS, "shared"), clock=clock, exporting=Exporting(polls=0, file_resources=40)) as one:
        clock.catch_up()
        yield one


@pytest.fixture
def bulk(sandbox: Sandbox, tmp_path: Path) -> Site:
    return Site(sandbox, tmp_path / "bulk", {"bulk": "system"})


@pytest.fixture
def rest(sandbox: Sandbox, tmp_path: Path) -> Site:
    return Site(sandbox, tmp_path / "rest")


def group_of(sandbox: Sandbox, members: list[str]) -> None:
    entities = [{"entity": {"reference": f"Patient/{id}"}} for id in members]
    put(sandbox.base_url, {"resourceType": "Group", "id": "g", "type": "person", "actual": True, "member": entities})


def test_export_and_search_hold_the_same(bulk: Site, rest: Site) -> None:
    exported, searched = bulk.fetch(), rest.fetch()
    assert bulk.held() == rest.held()
    assert exported["Observation"].stored == searched["Observation"].stored > 0


def test_the_next_export_brings_what_changed_alone(bulk: Site, sandbox: Sandbox) -> None:
    bulk.fetch()
    put(sandbox.base_url, {**resource(LAB), "status": "amended"})
    ledger = bulk.fetch()
    assert (ledger["Observation"].received, ledger["Observation"].stored) == (1, 1)
    assert ledger["Patient"].received == 0


def test_an_export_tells_what_was_deleted(bulk: Site, sandbox: Sandbox) -> None:
    bulk.fetch()
    sandbox.service.repository.delete(*LAB.split("/"))
    ledger = bulk.fetch()
    assert ledger["export"].deleted == 1
    assert LAB not in bulk.held()


@pytest.mark.parametrize("first", ["bulk", "rest"])
def test_one_way_goes_on_where_the_other_was(first: str, bulk: Site, rest: Site, sandbox: Sandbox) -> None:
    site, other = (bulk, {"bulk": "off"}) if first == "bulk" else (rest, {"bulk": "system"})
    site.fetch()
    put(sandbox.base_url, {**resource(LAB), "status": "amended"})
    ledger = site.fetch(**other)
    assert (ledger["Observation"].received, ledger["Observation"].stored) == (1, 1)


def test_members_who_join_a_group_bring_their_history_and_who_leaves_goes(sandbox: Sandbox, tmp_path: Path) -> None:
    site = Site(sandbox, tmp_path / "out", {"bulk": "group", "group": "g"})
    group_of(sandbox, MEMBERS[:2])
    site.fetch()
    assert {key for key in site.held() if key.startswith("Patient/")} == {"Patient/SYN-01", "Patient/SYN-02"}
    group_of(sandbox, MEMBERS[1:])
    site.fetch()
    alone = Site(sandbox, tmp_path / "alone", {"group": "g"})
    alone.fetch()
    assert {key for key in site.held() if key.startswith("Patient/")} == {"Patient/SYN-02", "Patient/SYN-03"}
    assert site.held() == alone.held()


def test_a_server_that_takes_no_orders_is_searched_where_that_is_left_to_us(
    bulk: Site, rest: Site, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Reply:
        raise Refused(403, "forbidden", "not you")

    monkeypatch.setattr(Exports, "start", lambda *_: refuse())
    with pytest.raises(AccessError):
        bulk.fetch()
    assert bulk.fetch(bulk="auto")["Patient"].complete
    rest.fetch()
    assert bulk.held() == rest.held()
