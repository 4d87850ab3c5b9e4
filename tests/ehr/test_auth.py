"""Getting and using tokens, against an authorisation server that checks everything, on real sockets."""

from __future__ import annotations

import json
import logging
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from faultserver import answer, fault_server, sends
from joserfc import jws
from smartserver import CLIENT, SECRET, SmartServer, smart_server

from fhir_adapter.credentials import AuthSettings
from fhir_adapter.ehr import transport as transport_module
from fhir_adapter.ehr.auth import Wanted, authentication
from fhir_adapter.ehr.auth.flow import Fixed, Renewed, ServerAuth
from fhir_adapter.ehr.auth.key import SigningKey, new_key
from fhir_adapter.ehr.auth.token import Token
from fhir_adapter.ehr.failures import Forbidden
from fhir_adapter.ehr.retry import Backoff
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import AccessError, FhirAdapterError, ForeignUrl, NotReadyError, UsageError

WANTED = Wanted(("Patient", "Observation", "Condition"))
KEYS = {"RS384": new_key("RS384"), "ES384": new_key("ES384")}
ES384 = KEYS["ES384"]


@pytest.fixture(autouse=True)
def nobody_to_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here speaks TLS, and reading the authorities of this machine for each connection takes its time."""
    monkeypatch.setattr(transport_module, "trust", lambda *_: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


class Site:
    """One client of the server: what it was told, how long it waited, what time it thinks it is."""

    def __init__(self, folder: Path, key: SigningKey = ES384) -> None:
        self.said: list[str] = []
        self.waits: list[float] = []
        self.passed_s = 0.0
        self.key_file = folder / "key.pem"
        self.key_file.write_bytes(key.private_pem())
        self.key_file.chmod(0o600)

    def now(self) -> float:
        return time.time() + self.passed_s

    def reach(self, server: SmartServer, wanted: Wanted = WANTED, **settings: Any) -> Transport:
        given = {"method": "smart", "client_id": CLIENT, **settings}
        if given["method"] == "smart":
            given.setdefault("key_file", self.key_file)
        connect = partial(
            Transport, sleep=self.waits.append, backoff=Backoff(rng=random.Random(1)), max_tries=3, timeout_s=5
        )
        auth = authentication(
            AuthSettings(**given), server.fhir_url, wanted, connect, say=self.said.append, now=self.now
        )
        return connect(server.fhir_url, auth=auth)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def refused(transport: Transport, kind: type[FhirAdapterError] = AccessError) -> str:
    with pytest.raises(kind) as problem:
        transport.get("Patient")
    return f"{problem.value.message} {problem.value.hint}"


# The first token


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_a_key_of_either_kind_gets_a_token_that_opens_the_server(algorithm: str, tmp_path: Path) -> None:
    with smart_server(KEYS[algorithm]) as server, Site(tmp_path, KEYS[algorithm]).reach(server) as transport:
        assert transport.get("Patient").status == 200
    (claims,) = server.claims
    assert set(claims) == {"iss", "sub", "aud", "exp", "jti"}
    header = jws.extract_compact(server.assertions[0].encode()).headers()
    assert header == {"alg": algorithm, "kid": KEYS[algorithm].key_id, "typ": "JWT"}


def test_nothing_is_asked_before_the_first_request(site: Site) -> None:
    with smart_server(ES384) as server, site.reach(server):
        assert (server.token_requests, server.fhir_requests) == ([], [])


def test_one_token_serves_many_requests(site: Site) -> None:
    with smart_server(ES384) as server, site.reach(server) as transport:
        for _ in range(5):
            transport.get("Patient")
    assert len(server.token_requests) == 1


def test_of_several_keys_the_one_that_the_server_takes_signs(site: Site) -> None:
    keys = [key.key.as_dict(private=True, kid=key.key_id) for key in KEYS.values()]
    site.key_file.write_text(json.dumps({"keys": keys}), encoding="utf-8")
    with smart_server(*KEYS.values(), algorithms=("ES384",)) as server, site.reach(server) as transport:
        transport.get("Patient")
    assert jws.extract_compact(server.assertions[0].encode()).headers()["alg"] == "ES384"


def test_a_key_that_the_server_does_not_take_is_said_before_anything_is_signed(site: Site) -> None:
    with smart_server(ES384, algorithms=("RS384",)) as server, site.reach(server) as transport:
        said = refused(transport, UsageError)
    assert "(ES384)" in said
    assert "--algorithm" in said
    assert server.token_requests == []


def test_the_token_address_may_stand_in_the_capability_statement(site: Site) -> None:
    with smart_server(ES384, discovery="metadata") as server, site.reach(server) as transport:
        transport.get("Patient")
    assert server.asked_scopes() == [[f"system/{type}.read" for type in WANTED.read]]


def test_the_token_address_may_stand_in_the_settings(site: Site) -> None:
    with smart_server(ES384, discovery="none") as server, site.reach(server, token_url=server.token_url) as transport:
        transport.get("Patient")
    assert len(server.tokens) == 1


def test_a_server_that_names_no_token_address_is_said(site: Site) -> None:
    with smart_server(ES384, discovery="none") as server, site.reach(server) as transport:
        assert "`token_url`" in refused(transport)


@pytest.mark.parametrize(
    "address", ["http://ehr.example/token", "ftp://ehr.example/token", "https://u:p@ehr.example/t"]
)
def test_a_token_address_that_is_not_safe_gets_nothing(address: str, site: Site) -> None:
    with smart_server(ES384, token_endpoint=address) as server, site.reach(server) as transport:
        assert "not safe" in refused(transport, ForeignUrl)
    assert server.assertions == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/t", "https://localhost/t", "https://169.254.169.254/latest"])
def test_a_server_elsewhere_cannot_send_us_into_our_own_machine(address: str) -> None:
    configuration = httpx.Response(200, json={"token_endpoint": address})
    connect = partial(Transport, wire=httpx.MockTransport(lambda _: configuration))
    settings = AuthSettings.model_validate({"method": "client_credentials", "client_id": "a", "secret": "b"})
    auth = authentication(settings, "https://ehr.example/fhir", WANTED, connect, say=print)
    with connect("https://ehr.example/fhir", auth=auth) as transport:
        assert "into this machine" in refused(transport, ForeignUrl)


def test_a_token_address_beside_the_server_may_be_relative(site: Site) -> None:
    with smart_server(ES384, token_endpoint="../oauth/token") as server, site.reach(server) as transport:
        assert "(HTTP 401)" in refused(transport)
        assert ("POST", "oauth/token", "") in server.fhir_requests


# Scopes


@pytest.mark.parametrize(
    ("capabilities", "right"),
    [(("permission-v2",), "rs"), (("permission-v1",), "read"), (("permission-v1", "permission-v2"), "rs")],
)
def test_scopes_are_spelled_as_the_server_understands_them(
    capabilities: tuple[str, ...], right: str, site: Site
) -> None:
    habits: dict[str, Any] = {"capabilities": capabilities}
    with smart_server(ES384, **habits) as server, site.reach(server) as transport:
        transport.get("Patient")
    assert server.asked_scopes() == [[f"system/{type}.{right}" for type in WANTED.read]]


def test_the_settings_may_name_the_scopes(site: Site) -> None:
    with smart_server(ES384) as server, site.reach(server, scopes=("system/*.rs",)) as transport:
        transport.get("Patient")
        assert transport.denied_types == set()
    assert server.asked_scopes() == [["system/*.rs"]]


def test_publishing_asks_for_writing(site: Site) -> None:
    publishing = Wanted((), ("MeasureReport",))
    with smart_server(ES384) as server, site.reach(server, publishing) as transport:
        transport.get("MeasureReport")
    assert server.asked_scopes() == [["system/MeasureReport.crus"]]


def test_a_scope_that_spoils_the_request_is_left_out_as_the_server_lists_it(site: Site) -> None:
    listed = ("system/Patient.rs", "system/Condition.rs")
    habits: dict[str, Any] = {"scopes_supported": listed, "unknown_scopes": ("system/Observation.rs",)}
    with smart_server(ES384, **habits) as server, site.reach(server) as transport:
        transport.get("Patient")
        assert transport.denied_types == {"Observation"}
        site.passed_s = server.habits.clock_ahead_s = 1000
        transport.get("Patient")
    assert server.asked_scopes() == [list(WANTED.scopes(2)), list(listed), list(listed)]
    assert site.said == ["not authorised, so left out: Observation"]


@pytest.mark.parametrize("listed", [(), ("system/*.rs",)])
def test_a_scope_that_spoils_the_request_is_found_by_asking_for_each(listed: tuple[str, ...], site: Site) -> None:
    habits: dict[str, Any] = {"scopes_supported": listed, "unknown_scopes": ("system/Observation.rs",)}
    with smart_server(ES384, **habits) as server, site.reach(server) as transport:
        transport.get("Patient")
        assert transport.denied_types == {"Observation"}
    assert server.asked_scopes()[-1] == ["system/Patient.rs", "system/Condition.rs"]
    assert len(server.token_requests) == 1 + 3 + 1


def test_when_no_scope_is_left_that_is_said(site: Site) -> None:
    with smart_server(ES384, unknown_scopes=WANTED.scopes(2)) as server, site.reach(server) as transport:
        assert "invalid_scope" in refused(transport)


def test_what_is_silently_not_granted_is_denied_too(site: Site) -> None:
    with smart_server(ES384, not_granted=("system/Condition.rs",)) as server, site.reach(server) as transport:
        transport.get("Patient")
        assert transport.denied_types == {"Condition"}
    assert site.said == ["not authorised, so left out: Condition"]


def test_a_server_that_does_not_say_what_it_grants_grants_what_was_asked(site: Site) -> None:
    with smart_server(ES384, says_scope=False) as server, site.reach(server) as transport:
        transport.get("Patient")
        assert transport.denied_types == set()
    assert site.said == []


def test_a_forbidden_type_is_named_with_its_scope(site: Site) -> None:
    with (
        smart_server(ES384, forbidden_types=("Observation",)) as server,
        site.reach(server) as transport,
        pytest.raises(Forbidden, match=r"system/Observation\.rs") as problem,
    ):
        transport.get("Observation?_count=1")
    assert problem.value.exit_code == 3
    assert len(server.token_requests) == 1


# A token's life


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


@pytest.mark.parametrize("lifetime", [1e400, 10**30, "1e9"])
def test_no_token_is_used_for_longer_than_a_day(lifetime: object, site: Site) -> None:
    answers: list[Any] = []
    if lifetime == 1e400:  # JSON of its own kind: Python's writer would call it Infinity
        lifetime = "1e400"
    with smart_server(ES384, lifetime=lifetime, answers=answers) as server, site.reach(server) as transport:
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


# A token server in trouble


def test_a_refusal_is_final_at_first_contact(site: Site) -> None:
    answers = [(400, {"error": "invalid_client"})]
    with smart_server(ES384, answers=answers) as server, site.reach(server) as transport:
        said = refused(transport)
    assert "(invalid_client)" in said
    assert "public key" in said
    assert (len(server.token_requests), site.waits) == (1, [])


def test_a_refusal_of_a_client_that_was_known_before_is_tried_again(site: Site) -> None:
    with smart_server(ES384) as server, site.reach(server) as transport:
        transport.get("Patient")
        site.passed_s = server.habits.clock_ahead_s = 290
        server.habits.answers += [(400, {"error": "invalid_request"}), (400, {})]
        transport.get("Patient")
        assert (len(server.tokens), len(site.waits)) == (2, 2)
        site.passed_s = server.habits.clock_ahead_s = 580
        server.habits.answers += [(400, {"error": "invalid_request"})] * 3
        assert "(invalid_request)" in refused(transport)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_token_server_that_is_busy_is_asked_again_with_a_new_assertion(status: int, site: Site) -> None:
    with smart_server(ES384, answers=[(status, {})]) as server, site.reach(server) as transport:
        transport.get("Patient")
    assert (len(server.tokens), len(set(server.assertions)), len(site.waits)) == (1, 2, 1)


def test_a_token_server_that_stays_broken_is_said_and_can_be_tried_later(site: Site) -> None:
    with smart_server(ES384, answers=[(500, {})] * 3) as server, site.reach(server) as transport:
        said = refused(transport, NotReadyError)
    assert "authorisation server" in said
    assert "HTTP 500" in said


def test_a_token_server_that_cannot_be_reached_is_not_mistaken_for_the_fhir_server(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with smart_server(ES384, token_endpoint=f"{address}/token") as server, site.reach(server) as transport:
        said = refused(transport, NotReadyError)
    assert f"authorisation server gives no token. The server at {address} cannot be reached" in said


def test_a_redirect_of_a_token_request_is_not_followed(site: Site) -> None:
    with smart_server(ES384, answers=[(307, {})]) as server, site.reach(server) as transport:
        server.habits.headers["Location"] = f"{server.fhir_url}/Patient"
        assert "(HTTP 307)" in refused(transport)
    assert len(server.token_requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"access_token": ""},
        {"access_token": None},
        {"access_token": 5},
        {"access_token": "a b"},
        {"access_token": "a\r\nX-Injected: yes"},
        {"access_token": "a", "token_type": "mac"},
        [],
    ],
    ids=str,
)
def test_an_answer_without_a_usable_token_is_said(body: Any, site: Site) -> None:
    with smart_server(ES384, answers=[(200, body)]) as server, site.reach(server) as transport:
        assert "not with a bearer token" in refused(transport)


@pytest.mark.parametrize("body", [{"access_token": "t"}, {"access_token": "t", "scope": None, "expires_in": None}])
def test_what_an_answer_may_leave_out_is_not_missed(body: dict[str, object], site: Site) -> None:
    with smart_server(ES384, answers=[(200, body)]) as server, site.reach(server) as transport:
        server.tokens["t"], server.used["t"] = WANTED.scopes(2), 0
        assert transport.get("Patient").status == 200


# Clocks


@pytest.mark.parametrize(
    ("server_ahead_s", "way"), [(600, "behind"), (-600, "ahead of")], ids=["we are behind", "we are ahead"]
)
def test_a_wrong_clock_is_named_with_its_seconds(server_ahead_s: float, way: str, site: Site) -> None:
    with smart_server(ES384, clock_ahead_s=server_ahead_s) as server, site.reach(server) as transport:
        said = refused(transport)
    assert any(f"clock is {seconds} s {way} the server's" in said for seconds in (599, 600, 601))
    assert "NTP" in said


def test_a_refusal_with_clocks_that_agree_says_nothing_of_clocks(site: Site) -> None:
    with smart_server(ES384, answers=[(401, {"error": "invalid_client"})]) as server, site.reach(server) as transport:
        assert "clock" not in refused(transport)


@pytest.mark.parametrize("ahead_s", [-55, 200])
def test_clocks_that_differ_a_little_do_not_matter(ahead_s: float, site: Site) -> None:
    with smart_server(ES384, clock_ahead_s=ahead_s) as server, site.reach(server) as transport:
        assert transport.get("Patient").status == 200


# Other methods


@pytest.mark.parametrize("methods", [("client_secret_basic",), ("client_secret_post",), ()])
def test_a_secret_is_sent_in_the_way_that_the_server_says(methods: tuple[str, ...], site: Site) -> None:
    with smart_server(methods=methods or ("client_secret_basic",)) as server:
        with site.reach(server, method="client_credentials", secret=SECRET) as transport:
            transport.get("Patient")
        assert len(server.token_requests) == 1


def test_a_server_that_does_not_say_how_gets_the_secret_in_the_other_way_too(site: Site) -> None:
    with smart_server(methods=("client_secret_post",), discovery="metadata", lifetime=0) as server:
        with site.reach(server, method="client_credentials", secret=SECRET, scopes=("system/*.read",)) as transport:
            transport.get("Patient")
            transport.get("Patient")
        assert ["client_secret" in request for request in server.token_requests] == [False, True, True]


def test_a_server_that_knows_no_smart_is_not_asked_for_its_scopes(site: Site) -> None:
    with smart_server(methods=("client_secret_basic",), discovery="none") as server:
        with (
            site.reach(server, method="client_credentials", secret=SECRET, token_url=server.token_url) as transport,
            pytest.raises(Forbidden),
        ):
            transport.get("Patient")
        assert server.asked_scopes() == [[]]


def test_a_wrong_secret_is_said(site: Site) -> None:
    with (
        smart_server(methods=("client_secret_basic",)) as server,
        site.reach(server, method="client_credentials", secret="wrong-secret") as transport,
    ):
        said = refused(transport)
    assert "(invalid_client)" in said
    assert "wrong-secret" not in said


def echoing(requests: list[httpx.Request]) -> Callable[[str], Transport]:
    def wire(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, content=b"{}")

    return partial(Transport, wire=httpx.MockTransport(wire))


BASE = "https://ehr.example/fhir"


def test_user_and_password_go_with_every_request(tmp_path: Path) -> None:
    requests: list[httpx.Request] = []
    secret = tmp_path / "password"
    secret.write_text("pass: word\n", encoding="utf-8")
    secret.chmod(0o600)
    settings = AuthSettings(method="basic", username="night", password_file=secret)
    connect = echoing(requests)
    auth = authentication(settings, BASE, WANTED, connect, say=print)
    with Transport(BASE, auth=auth, wire=httpx.MockTransport(lambda r: requests.append(r) or httpx.Response(200))) as t:
        t.get("Patient")
    assert requests[0].headers["authorization"] == "Basic bmlnaHQ6cGFzczogd29yZA=="


def test_a_token_from_a_file_is_read_again_when_it_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n", encoding="utf-8")
    file.chmod(0o600)
    seen: list[str] = []

    def wire(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200 if seen[-1] == "Bearer new" else 401)

    settings = AuthSettings(method="bearer", token_file=file)
    auth = authentication(settings, BASE, WANTED, echoing([]), say=print)
    with Transport(BASE, auth=auth, wire=httpx.MockTransport(wire)) as transport:
        with pytest.raises(AccessError):
            transport.get("Patient")
        assert seen == ["Bearer old"]
        file.write_text("new\n", encoding="utf-8")
        assert transport.get("Patient").status == 200
    assert seen == ["Bearer old", "Bearer old", "Bearer new"]


def test_without_a_method_nothing_is_sent() -> None:
    assert authentication(AuthSettings(), BASE, WANTED, echoing([]), say=print) is None


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"method": "smart"}, "key_file"),
        ({"method": "smart", "key": "a"}, "client_id"),
        ({"method": "client_credentials", "client_id": "a"}, "secret_file"),
        ({"method": "client_credentials", "client_id": "a", "secret": "b", "secret_file": "c"}, "secret_file"),
        ({"method": "basic", "password": "b"}, "username"),
        ({"method": "basic", "username": "a:b", "password": "b"}, "username"),
        ({"method": "basic", "username": "a"}, "password_file"),
        ({"method": "bearer"}, "token_file"),
        (
            {"method": "smart", "client_id": "a", "key": ES384.private_pem().decode(), "token_url": "http://a.example"},
            "token_url",
        ),
    ],
)
def test_what_a_method_lacks_is_named(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(UsageError, match=rf"`{key}`.*\[publish_auth\]"):
        authentication(
            AuthSettings.model_validate(settings), BASE, WANTED, echoing([]), say=print, section="publish_auth"
        )


@pytest.mark.parametrize("token", ["two words", "two\nlines", "Bearer abc", "nön-ascii"])
def test_a_token_that_would_break_a_header_is_refused_unsaid(token: str) -> None:
    settings = AuthSettings.model_validate({"method": "bearer", "token": token})
    with pytest.raises(UsageError) as problem:
        authentication(settings, BASE, WANTED, echoing([]), say=print)
    assert token not in f"{problem.value.message}{problem.value.hint}"


# Only to whom they belong


def test_credentials_go_to_their_origin_alone() -> None:
    auth = ServerAuth(BASE, Fixed("Bearer canary"))
    for url, goes in (
        (f"{BASE}/Patient", True),
        ("https://ehr.example:443/other", True),
        ("https://ehr.example:8443/fhir/Patient", False),
        ("http://ehr.example/fhir/Patient", False),
        ("https://files.ehr.example/fhir", False),
        ("https://ehr.example.evil.example/fhir", False),
    ):
        request = next(auth.sync_auth_flow(httpx.Request("GET", url)))
        assert ("authorization" in request.headers) is goes, url


# Secrets stay secret


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


@pytest.mark.parametrize("trouble", ["none", "401", "400", "500", "html"])
def test_no_secret_reaches_a_log_a_message_or_a_repr(
    trouble: str, site: Site, everything_logged: pytest.LogCaptureFixture
) -> None:
    answers: dict[str, list[Any]] = {
        "400": [(400, {"error": "invalid_client", "error_description": SECRET})],
        "500": [(500, {})] * 3,
        "html": [(200, {"access_token": "canary token"})],
    }
    habits = {"answers": answers.get(trouble, []), "refuses_all": 401 if trouble == "401" else 0}
    shown: list[str] = []
    with (
        smart_server(ES384, **habits, methods=("client_secret_basic", "private_key_jwt")) as server,
        site.reach(server) as smart,
        site.reach(server, method="client_credentials", secret=SECRET) as oauth,
    ):
        for transport in (smart, oauth):
            try:
                shown.append(repr(transport.get("Patient")))
            except FhirAdapterError as problem:
                shown += [repr(problem), str(problem), problem.message, problem.hint, repr(problem.__cause__)]
            shown += [repr(transport), repr(transport._auth), repr(vars(transport))]
    shown += [record.getMessage() for record in everything_logged.records] + site.said
    shown.append(repr(AuthSettings.model_validate({"secret": SECRET, "token": "canary", "password": "canary"})))
    secrets = [SECRET, "canary", ES384.key.as_dict(private=True)["d"], *server.tokens, *server.assertions]
    assert [secret for secret in secrets if any(str(secret) in text for text in shown)] == []
