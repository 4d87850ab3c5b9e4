"""What only a real socket can do: bodies cut, compressed badly, dripping, reset."""

from __future__ import annotations

import gzip
import json
import random
import socket
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from faultserver import GZIP, answer, chunked, drips, fault_server, is_silent, resets, sends

from fhir_adapter.ehr.failures import Exhausted, TooBig, Unconfirmed
from fhir_adapter.ehr.retry import Backoff
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import NotReadyError, Unreachable

BODY = json.dumps(
    {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": {"id": str(n)}} for n in range(60)]}
).encode()
NO_BACKOFF = Backoff(base_s=0.001, cap_s=0.002, rng=random.Random(1))


def reach(base_url: str, **options: Any) -> Transport:
    settings: dict[str, Any] = {"timeout_s": 2.0, "deadline_s": 20.0, "max_tries": 2, "backoff": NO_BACKOFF, **options}
    return Transport(base_url, **settings)


def test_a_whole_answer_is_received_in_every_framing() -> None:
    packed = gzip.compress(BODY)
    for data in (
        answer(BODY),
        answer(BODY, length=-1),
        chunked(BODY),
        answer(packed, GZIP),
        answer(packed, GZIP, length=-1),
        chunked(packed, GZIP),
        answer(zlib.compress(BODY), "Content-Encoding: deflate"),
        answer(zlib.compress(BODY)[2:-4], "Content-Encoding: deflate"),
    ):
        with fault_server(sends(data)) as server, reach(server.base_url) as transport:
            assert transport.get("x").body == BODY


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(sends(answer(BODY, length=len(BODY) + 1)), id="shorter than its Content-Length"),
        pytest.param(sends(chunked(BODY, ended=False)), id="chunked without an end"),
        pytest.param(sends(answer(BODY)[:-100]), id="cut in the body"),
        pytest.param(sends(answer(BODY)[:30]), id="cut in the head"),
        pytest.param(resets(answer(BODY)[:1000]), id="reset at byte 1000"),
        pytest.param(sends(b""), id="empty reply"),
        pytest.param(sends(b"\x00\xffgarbage\r\n\r\n"), id="garbage instead of a status line"),
        pytest.param(sends(answer(gzip.compress(BODY)[:-1], GZIP)), id="gzip without the end of its trailer"),
        pytest.param(sends(answer(BODY, GZIP)), id="plain body that is said to be gzip"),
        pytest.param(sends(answer(BODY, "Content-Encoding: br")), id="encoding nobody asked for"),
    ],
)
def test_a_broken_answer_is_thrown_away_and_asked_for_again(broken: Any) -> None:
    with fault_server(broken, sends(answer(BODY))) as server, reach(server.base_url) as transport:
        received = transport.get("x")
        assert (received.body, received.retries, len(server.requests)) == (BODY, 1, 2)


def test_a_broken_answer_for_ever_is_given_up_with_its_kind() -> None:
    with fault_server(sends(answer(BODY, GZIP))) as server, reach(server.base_url) as transport:
        with pytest.raises(Exhausted, match="not gzip, as its header says") as caught:
            transport.get("x")
        assert caught.value.exit_code == 4


def test_a_body_beyond_the_limit_is_not_read_to_its_end() -> None:
    data = answer(b"x" * 5_000_000)
    with (
        fault_server(sends(data)) as server,
        reach(server.base_url, max_body_bytes=1 << 20) as transport,
        pytest.raises(TooBig, match="more than 1048576 bytes"),
    ):
        transport.get("x")


@pytest.mark.parametrize("data", [answer(BODY), b"HTTP/1.1 200 OK\r\nX-Filler: " + b"x" * 10_000])
def test_a_drip_in_the_head_or_the_body_is_stopped_by_the_deadline(data: bytes) -> None:
    started = time.monotonic()
    with (
        fault_server(drips(data, 0.02)) as server,
        reach(server.base_url, deadline_s=0.6) as transport,
        pytest.raises(NotReadyError),
    ):
        transport.get("x")
    assert time.monotonic() - started < 3


def test_a_drip_is_given_up_for_another_try_when_it_is_too_slow() -> None:
    slow, good = drips(answer(BODY), 0.02), sends(answer(BODY))
    with fault_server(slow, good) as server, reach(server.base_url, timeout_s=0.3, min_rate=1000.0) as transport:
        assert transport.get("x").retries == 1


def test_a_deadline_of_one_request_does_not_touch_the_next() -> None:
    with fault_server(is_silent, sends(answer(BODY))) as server, reach(server.base_url, deadline_s=0.4) as transport:
        with pytest.raises(NotReadyError):
            transport.get("x")
        assert transport.get("x").body == BODY


def test_a_write_whose_answer_is_lost_is_reported_as_unconfirmed_and_not_repeated() -> None:
    with fault_server(resets(b""), sends(answer(b"{}"))) as server, reach(server.base_url) as transport:
        with pytest.raises(Unconfirmed):
            transport.put("Measure/a", b"{}")
        assert len(server.requests) == 1


def test_a_port_where_nobody_listens_is_said_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        reach(f"http://127.0.0.1:{port}/fhir") as transport,
        pytest.raises(Unreachable, match="it refused the connection") as caught,
    ):
        transport.get("metadata")
    assert caught.value.exit_code == 4


def test_a_host_name_that_does_not_exist_is_said() -> None:
    with (
        reach("https://ehr.invalid/fhir") as transport,
        pytest.raises(Unreachable, match="its host name is not known"),
    ):
        transport.get("metadata")


def test_proxies_and_passwords_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("default login user password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with fault_server(sends(answer(BODY))) as server, reach(server.base_url) as transport:
        assert transport.get("x").body == BODY
        assert b"authorization" not in server.requests[0].lower()


def test_a_reset_is_a_reset() -> None:
    """The harness itself: SO_LINGER 0 really sends RST, else the reset cases above prove nothing."""
    with fault_server(resets(b"")) as server:
        host, port = server.listener.getsockname()
        with socket.create_connection((host, port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                client.recv(1)
