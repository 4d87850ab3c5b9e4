"""The life of a token: used while it is good, renewed in time, shared by all threads."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest
from client_site import ES384, Site, refused
from faultserver import answer, fault_server, sends
from smartserver import smart_server

from fhir_adapter.ehr.auth import Wanted
from fhir_adapter.ehr.auth.flow import Renewed, ServerAuth
from fhir_adapter.ehr.auth.token import Token
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import AccessError


@pytest.mark.parametrize(
    ("lifetime", "still_used_s", "renewed_s"),
    [(300, 230, 241), ("300", 230, 241), (3600, 3530, 3541), (None, 230, 241), ("soon", 230, 241), (40, 19, 21)],
)
def test_a_token_is_renewed_before_it_expires(
    lifetime: object, still_used_s: float, renewed_s: float, site: Site
) -> None:
    with smart_server(ES384, lifetime=lifetime) as server, site.reach(server) as transport:
        for passed_s, tokens in ((0, 1), (still_used_s, 1), (renewed_s, 2)):
            site.passed_s = passed_s
            server.habits.clock_ahead_s = passed_s
            transport.get("Patient")
            assert len(server.tokens) == tokens


@pytest.mark.parametrize("lifetime", [0, "0", -5])
def test_a_token_without_a_life_is_used_once_and_asked_for_each_time(lifetime: object, site: Site) -> None:
    with smart_server(ES384, lifetime=lifetime) as server, site.reach(server) as transport:
        for _ in range(3):
            transport.get("Patient")
    assert len(server.token_requests) == 3


def test_every_assertion_is_used_once(site: Site) -> None:
    with smart_server(ES384, lifetime=0) as server, site.reach(server) as transport:
        for _ in range(3):
            transport.get("Patient")
    assert len({claims["jti"] for claims in server.claims}) == 3


@pytest.mark.parametrize("lifetime", ["1e400", 10**30, "1e9"])
def test_no_token_is_used_for_longer_than_a_day(lifetime: object, site: Site) -> None:
    with smart_server(ES384, lifetime=lifetime) as server, site.reach(server) as transport:
        transport.get("Patient")
        site.passed_s = server.habits.clock_ahead_s = 90_000
        transport.get("Patient")
    assert len(server.tokens) == 2


def test_a_token_refused_early_is_replaced_once_and_the_request_repeated(site: Site) -> None:
    with smart_server(ES384, uses=2) as server, site.reach(server) as transport:
        statuses = [transport.get("Patient").status for _ in range(5)]
    assert statuses == [200] * 5
    assert len(server.tokens) == 3
    assert [path for _, path, _ in server.fhir_requests].count("Patient") == 5 + 2


def test_a_server_that_accepts_no_token_is_asked_twice(site: Site) -> None:
    with smart_server(ES384, refuses_all=401) as server, site.reach(server) as transport:
        assert "did not accept the credentials (HTTP 401)" in refused(transport)
    assert len(server.token_requests) == 2
    assert [path for _, path, _ in server.fhir_requests].count("Patient") == 2


def test_a_write_is_repeated_with_a_fresh_token(site: Site) -> None:
    publishing = Wanted((), ("Patient",))
    with smart_server(ES384, uses=1) as server, site.reach(server, publishing) as transport:
        for id in ("a", "b"):
            transport.put(f"Patient/{id}", json.dumps({"resourceType": "Patient", "id": id}).encode())
    assert len(server.tokens) == 2
    assert len(server.service.repository.find("Patient", ())) == 2


def test_the_body_of_a_refusal_is_not_read(site: Site) -> None:
    """It may have no end; what counts is the answer to the second try."""
    endless = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 999999999\r\n\r\nno"

    def refuses_then_waits(connection: socket.socket) -> None:
        connection.sendall(endless)
        connection.recv(1)

    tokens = iter("ab")
    with fault_server(refuses_then_waits, sends(answer(b"{}"))) as server:
        source = Renewed(lambda: Token(next(tokens), time.time() + 100))
        with Transport(server.base_url, auth=ServerAuth(server.base_url, source), timeout_s=5) as transport:
            assert transport.get("x").body == b"{}"


# Many threads


def test_threads_that_need_a_token_at_once_share_one(site: Site) -> None:
    with smart_server(ES384) as server, site.reach(server) as transport, ThreadPoolExecutor(8) as pool:
        for answered in [pool.submit(transport.get, "Patient") for _ in range(24)]:
            assert answered.result().status == 200
    assert len(server.token_requests) == 1


REQUEST = ("GET", "https://ehr.example/fhir/Patient")


@dataclass
class Asking:
    """One request of one thread, answered by hand; `header` is what it is sent with, empty when it is over."""

    auth: ServerAuth

    def __post_init__(self) -> None:
        self._flow = self.auth.sync_auth_flow(httpx.Request(*REQUEST))
        self.header = next(self._flow).headers["authorization"]

    def answered(self, status: int) -> None:
        try:
            self.header = self._flow.send(httpx.Response(status)).headers["authorization"]
        except StopIteration:
            self.header = ""


def minting() -> ServerAuth:
    numbers = iter(range(1, 100))
    return ServerAuth(REQUEST[1], Renewed(lambda: Token(str(next(numbers)), 1e12), now=lambda: 0.0))


def test_a_second_token_that_is_refused_ends_it() -> None:
    asking = Asking(minting())
    asking.answered(401)
    assert asking.header == "Bearer 2"
    asking.answered(401)
    assert asking.header == ""


def test_a_second_token_that_let_others_in_does_not_end_it() -> None:
    """Another thread has used it up: that says nothing against the next one."""
    auth = minting()
    asking = Asking(auth)
    for renewed in range(2, 7):
        asking.answered(401)
        assert asking.header == f"Bearer {renewed}"
        other = Asking(auth)
        assert other.header == asking.header
        other.answered(200)
    asking.answered(401)
    assert asking.header == "", "it has an end all the same"


def test_threads_whose_token_was_refused_at_once_share_the_next() -> None:
    minted: list[str] = []
    together = threading.Barrier(6)

    def mint() -> Token:
        minted.append(str(len(minted)))
        return Token(minted[-1], 1e12)

    source = Renewed(mint, now=lambda: 0.0)

    def work() -> str:
        header = source.header()
        together.wait(10)
        return source.header(refused=header)

    with ThreadPoolExecutor(6) as pool:
        headers = {done.result() for done in [pool.submit(work) for _ in range(6)]}
    assert (minted, headers) == (["0", "1"], {"Bearer 1"})


def test_threads_that_wait_for_a_token_share_a_failure() -> None:
    """Six threads and one wrong secret are one failed login, not six: accounts are locked for less."""
    asked: list[int] = []
    waiting, go_on = threading.Barrier(6), threading.Event()

    def mint() -> Token:
        asked.append(1)
        go_on.wait(10)
        raise AccessError("no")

    source = Renewed(mint)

    def work() -> str:
        waiting.wait(10)
        with pytest.raises(AccessError):
            source.header()
        return "refused"

    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(work) for _ in range(6)]
        threading.Timer(0.3, go_on.set).start()
        assert [one.result() for one in done] == ["refused"] * 6
    assert len(asked) == 1
