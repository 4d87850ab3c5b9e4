"""Ways to log in besides a signed assertion; what must hold for all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from client_site import ES384, WANTED, Site, refused
from smartserver import SECRET, smart_server

from fhir_adapter.credentials import AuthSettings
from fhir_adapter.ehr.auth import authentication
from fhir_adapter.ehr.auth.flow import Fixed, ServerAuth
from fhir_adapter.ehr.failures import Forbidden
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import AccessError, FhirAdapterError, UsageError


@pytest.mark.parametrize("methods", [("client_secret_basic",), ("client_secret_post",)])
def test_a_secret_is_sent_in_the_way_that_the_server_says(methods: tuple[str, ...], site: Site) -> None:
    with smart_server(methods=methods) as server:
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
