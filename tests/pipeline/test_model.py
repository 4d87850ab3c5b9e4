"""Whatever happens on the server and to the runs: once it is quiet, the store holds what the server holds."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import httpx
from changingserver import BASE, ChangingServer, held
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from fhir_adapter.errors import FhirAdapterError
from fhir_adapter.pipeline.fetching.manner import Manner
from fhir_adapter.store import Store

PEOPLE = st.sampled_from(["p1", "p2", "p3"])
RESULTS = st.sampled_from([f"o{number}" for number in range(6)])
SECONDS = st.sampled_from([1, 60, 140, 700, 86_400])


class Nights(RuleBasedStateMachine):
    """A hospital at work, and somebody who fetches from it now and then."""

    @initialize(lag_s=st.sampled_from([0, 120]), history=st.booleans(), whole_type=st.booleans(), listed=st.booleans())
    def begin(self, lag_s: int, history: bool, whole_type: bool, listed: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.server = ChangingServer(lag_s=lag_s, history=history, whole_type=whole_type, page_size=2)
        self.people = ("p1", "p2", "p3") if listed else ()
        self.store = Store.open(Path(self.folder.name) / "landing.sqlite", BASE)
        for person in ("p1", "p2", "p3"):
            self.server.put("Patient", person)

    @rule(id=RESULTS, person=PEOPLE, status=st.sampled_from(["final", "amended"]))
    def write(self, id: str, person: str, status: str) -> None:
        self.server.put("Observation", id, status=status, subject={"reference": f"Patient/{person}"})

    @rule(id=RESULTS)
    def delete(self, id: str) -> None:
        self.server.delete("Observation", id)

    @rule(old=PEOPLE, new=PEOPLE)
    def merge(self, old: str, new: str) -> None:
        self.server.merge(old, new)

    @rule(seconds=SECONDS)
    def wait(self, seconds: int) -> None:
        self.server.wait(seconds)

    @rule(full=st.booleans())
    def fetch(self, full: bool) -> None:
        self.server.fetch(self.store, self.people, Manner(full, accept_deletions=True), sweep_every=3)

    @rule(good=st.integers(0, 12), gone=st.booleans())
    def fetch_until_the_server_fails(self, good: int, gone: bool) -> None:
        """It answers so often, and then no more: with an error, or not at all."""

        def fails(_: httpx.Request) -> httpx.Response:
            if gone:
                raise httpx.ConnectError("")
            return httpx.Response(500)

        self.server.before = [lambda _: None] * (1 + good) + [fails] * 40
        with suppress(FhirAdapterError):
            self.server.fetch(self.store, self.people, Manner(accept_deletions=True), sweep_every=3)
        self.server.before = []

    @rule()
    def become_quiet(self) -> None:
        """Nothing happens for a while; then as many runs as it takes until every type was asked for in full once."""
        for _ in range(3):
            self.server.wait(3600)
            fetched = self.server.fetch(self.store, self.people, Manner(accept_deletions=True), sweep_every=3)
            fetched.require_complete()
        assert held(self.store) == self.server.current()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.become_quiet()
            self.store.close()
            self.folder.cleanup()


TestNights = Nights.TestCase
TestNights.settings = settings(
    max_examples=8, stateful_step_count=10, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
