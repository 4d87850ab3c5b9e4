"""An authorisation server in trouble, and clocks that differ."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from client_site import ES384, WANTED, Site, refused
from smartserver import smart_server

from fhir_adapter.errors import NotReadyError


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
