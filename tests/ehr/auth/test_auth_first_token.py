"""The first token: where, with which key and for what it is asked, on real sockets."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from client_site import ES384, KEYS, WANTED, Site, refused
from joserfc import jws
from smartserver import smart_server

from fhir_adapter.credentials import AuthSettings
from fhir_adapter.ehr.auth import Wanted, authentication
from fhir_adapter.ehr.failures import Forbidden
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import ForeignUrl, UsageError


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
