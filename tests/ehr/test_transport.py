"""One request and its repetitions, against a fake server."""

from __future__ import annotations

import logging
from pathlib import Path

import httpx
import pytest
from fakehttp import BASE, in_turn, ok, refusal, transport_to

from fhir_adapter.ehr.failures import Exhausted, Forbidden, Unconfirmed
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import (
    AccessError,
    ForeignUrl,
    NotReadyError,
    ServerRefused,
    Unreachable,
    UsageError,
)

DATE = {"Date": "Wed, 21 Oct 2026 07:28:00 GMT"}


def test_a_good_answer_comes_back_whole() -> None:
    transport, wire = transport_to(in_turn(ok({"a": 1}, {"ETag": 'W/"3"'})))
    answer = transport.get("Observation", params={"_count": "2", "code": "sys|a b"})
    assert (answer.status, answer.body, answer.headers["etag"]) == (200, b'{"a": 1}', 'W/"3"')
    assert wire.urls == [f"{BASE}/Observation?_count=2&code=sys%7Ca%20b"]
    assert wire.requests[0].headers["accept-encoding"] == "gzip"
    assert wire.requests[0].headers["accept"] == "application/fhir+json"


def test_an_address_that_is_already_encoded_is_asked_as_it_is() -> None:
    transport, wire = transport_to(in_turn(ok()))
    link = f"{BASE}?_getpages=a%2Fb%7Cc&x=1+2&bundletype=searchset"
    transport.get(link)
    assert wire.urls == [link]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("wish", "seconds"), [("120", 120), ("Wed, 21 Oct 2026 07:29:30 GMT", 90), ("Wed, 21 Oct 2026 07:29:30", 90)]
)
def test_a_server_that_asks_for_patience_gets_it(status: int, wish: str, seconds: float) -> None:
    transport, wire = transport_to(in_turn(refusal(status, headers={"Retry-After": wish, **DATE}), ok()))
    assert transport.get("metadata").retries == 1
    assert seconds <= wire.waits[0] <= seconds * 1.1


@pytest.mark.parametrize("wish", ["-5", "1.5", "abc", ""])
def test_a_wish_that_cannot_be_understood_means_our_own_backoff(wish: str) -> None:
    transport, wire = transport_to(in_turn(refusal(429, headers={"Retry-After": wish}), ok()))
    transport.get("metadata")
    assert 0 < wire.waits[0] <= 2


def test_a_wait_beyond_the_deadline_ends_at_once_and_can_be_continued_later() -> None:
    transport, wire = transport_to(in_turn(refusal(503, headers={"Retry-After": "99999999999"})))
    with pytest.raises(NotReadyError) as caught:
        transport.get("metadata")
    assert (caught.value.exit_code, wire.waits, len(wire.requests)) == (4, [], 1)
    assert "again later" in caught.value.hint


def test_a_server_that_keeps_asking_for_patience_is_bounded_by_the_deadline() -> None:
    transport, wire = transport_to(in_turn(refusal(429, headers={"Retry-After": "50"})), deadline_s=200, max_tries=2)
    with pytest.raises(NotReadyError):
        transport.get("metadata")
    assert len(wire.waits) == 3


def test_five_failures_in_a_row_are_survived() -> None:
    transport, wire = transport_to(in_turn(*[refusal(500)] * 5, ok()))
    assert transport.get("metadata").retries == 5
    assert len(wire.requests) == 6


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_server_that_fails_for_ever_is_given_up(status: int) -> None:
    transport, wire = transport_to(in_turn(refusal(status)), max_tries=4)
    with pytest.raises(Exhausted, match=f"HTTP {status}"):
        transport.get("metadata")
    assert len(wire.requests) == 4


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout(""), httpx.ReadError(""), httpx.RemoteProtocolError(""), httpx.WriteError("")]
)
def test_a_connection_that_breaks_is_tried_again(error: Exception) -> None:
    transport, _ = transport_to(in_turn(error, ok()))
    assert transport.get("metadata").retries == 1


def test_an_address_where_nobody_ever_answered_is_given_up_soon() -> None:
    transport, wire = transport_to(in_turn(httpx.ConnectError("")), max_tries=9)
    with pytest.raises(Unreachable, match="cannot be reached") as caught:
        transport.get("metadata")
    assert (len(wire.requests), caught.value.exit_code) == (2, 4)


def test_a_server_that_answered_before_is_given_all_tries() -> None:
    transport, wire = transport_to(in_turn(ok(), httpx.ConnectError("")), max_tries=5)
    transport.get("metadata")
    with pytest.raises(Unreachable):
        transport.get("metadata")
    assert len(wire.requests) == 1 + 5


def test_a_useless_answer_is_asked_for_again() -> None:
    transport, _ = transport_to(in_turn(ok("half"), ok("whole")))
    answer = transport.get("metadata", judge=lambda answer: "cut short" if answer.body == b'"half"' else "")
    assert (answer.body, answer.retries) == (b'"whole"', 1)


@pytest.mark.parametrize("status", [400, 404, 406, 409, 410, 412, 422, 501])
def test_a_refusal_is_not_asked_again_and_keeps_its_status_and_issue_code(status: int) -> None:
    transport, wire = transport_to(in_turn(refusal(status, "processing")))
    with pytest.raises(ServerRefused) as caught:
        transport.get("metadata")
    assert (caught.value.status, caught.value.issues, len(wire.requests)) == (status, ("processing",), 1)


def test_401_and_403_are_told_apart_and_both_end_with_exit_code_3() -> None:
    transport, _ = transport_to(in_turn(refusal(401), refusal(403, "forbidden")))
    with pytest.raises(AccessError, match="credentials"):
        transport.get("metadata")
    with pytest.raises(Forbidden, match="does not allow") as caught:
        transport.get("metadata")
    assert caught.value.exit_code == 3


def test_an_issue_code_that_is_not_fhir_is_not_repeated() -> None:
    transport, _ = transport_to(in_turn(refusal(400, "Jane Doe")))
    with pytest.raises(ServerRefused) as caught:
        transport.get("metadata")
    assert caught.value.issues == ("other",)


def test_redirects_within_the_server_are_followed_and_counted() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/new"):
            return ok()
        return httpx.Response(307, headers={"Location": "/fhir/new"})

    transport, _ = transport_to(handler)
    assert transport.get("old").url == f"{BASE}/new"


def test_endless_redirects_end() -> None:
    transport, wire = transport_to(in_turn(httpx.Response(302, headers={"Location": "?again"})))
    with pytest.raises(ForeignUrl, match="more than 5"):
        transport.get("old")
    assert len(wire.requests) == 6


@pytest.mark.parametrize("location", ["https://login.example/", "//login.example/x", "http://ehr.example/fhir/x", ""])
def test_a_redirect_elsewhere_is_refused_and_nothing_is_sent_there(location: str) -> None:
    transport, wire = transport_to(
        in_turn(httpx.Response(302, headers={"Location": location})), auth=httpx.BasicAuth("u", "secret")
    )
    with pytest.raises(ForeignUrl):
        transport.get("metadata")
    assert {request.url.host for request in wire.requests} == {"ehr.example"}


def test_every_request_to_the_server_carries_the_authentication() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        redirect = httpx.Response(307, headers={"Location": "/fhir/new"})
        return ok() if request.url.path.endswith("/new") else redirect

    transport, wire = transport_to(handler, auth=httpx.BasicAuth("user", "secret"))
    transport.get("old")
    assert ["authorization" in request.headers for request in wire.requests] == [True, True]


def test_a_write_that_did_not_arrive_is_sent_again() -> None:
    transport, wire = transport_to(in_turn(ok(), httpx.ConnectError(""), refusal(429), ok({"done": True})))
    transport.get("metadata")
    assert transport.put("Measure/a", b"{}").body == b'{"done": true}'
    assert [request.method for request in wire.requests] == ["GET", "PUT", "PUT", "PUT"]
    assert wire.requests[-1].headers["content-type"] == "application/fhir+json"


@pytest.mark.parametrize("lost", [httpx.ReadTimeout(""), httpx.ReadError(""), refusal(500), refusal(503), refusal(504)])
def test_a_write_that_may_have_arrived_is_never_repeated_blindly(lost: httpx.Response | Exception) -> None:
    transport, wire = transport_to(in_turn(lost))
    with pytest.raises(Unconfirmed):
        transport.post("", b"{}")
    assert len(wire.requests) == 1


def test_a_write_is_not_redirected() -> None:
    transport, wire = transport_to(in_turn(httpx.Response(307, headers={"Location": "/fhir/new"})))
    with pytest.raises(ServerRefused):
        transport.put("Measure/a", b"{}")
    assert len(wire.requests) == 1


def test_no_query_and_no_body_reaches_a_log_or_an_exception(caplog: pytest.LogCaptureFixture) -> None:
    canary = "CANARY-7f3a"
    with caplog.at_level(logging.DEBUG):
        transport, _ = transport_to(in_turn(refusal(503), httpx.Response(500, content=canary.encode())))
        with pytest.raises(Exhausted) as caught:
            transport.get("Patient", params={"name": canary})
    said = f"{caught.value!r} {caught.value.hint} {caplog.text} {caught.value.__cause__}"
    assert canary not in said
    assert "asking again" in caplog.text


def test_an_answer_shows_no_content_when_it_is_printed() -> None:
    transport, _ = transport_to(in_turn(ok("CANARY")))
    assert repr(transport.get("metadata")) == "Answer(200, 8 bytes)"


@pytest.mark.parametrize("name", ["ca.pem", "missing.pem"])
def test_a_certificate_file_that_cannot_be_read_is_said_before_any_request(tmp_path: Path, name: str) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    with pytest.raises(UsageError, match="certificate authority"):
        Transport(BASE, ca_file=tmp_path / name)
