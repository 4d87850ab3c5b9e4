"""Long bodies: read past h11, and yet every byte of them counts."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import h11
import pytest
from faultserver import GZIP, Script, answer, chunked, fault_server, resets, sends

from fhir_adapter.ehr import counted_body
from fhir_adapter.ehr.retry import Backoff
from fhir_adapter.ehr.transport import Transport

LONG = random.Random(3).randbytes(3_000_000)  # no compression makes it short
PACKED = gzip.compress(LONG, 1)
NO_BACKOFF = Backoff(base_s=0.001, cap_s=0.002, rng=random.Random(1))
FRAMINGS = pytest.mark.parametrize(
    "data",
    [
        pytest.param(answer(LONG), id="length"),
        pytest.param(answer(LONG, length=-1), id="to the end"),
        pytest.param(chunked(LONG), id="chunks"),
        pytest.param(answer(PACKED, GZIP), id="gzip"),
        pytest.param(chunked(PACKED, GZIP), id="gzip in chunks"),
    ],
)


def received(*scripts: Script) -> tuple[bytes, int]:
    with fault_server(*scripts) as server, Transport(server.base_url, timeout_s=5.0, backoff=NO_BACKOFF) as transport:
        found = transport.get("x")
        return found.body, found.retries


@FRAMINGS
def test_a_long_body_is_whole_in_every_framing(data: bytes) -> None:
    assert received(sends(data)) == (LONG, 0)


@FRAMINGS
def test_a_long_body_is_whole_where_h11_looks_different_inside(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted_body._Connection, "_counter", lambda _: None)
    assert received(sends(data)) == (LONG, 0)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(sends(answer(LONG)[:-1]), id="all but a byte"),
        pytest.param(sends(answer(LONG)[:1_500_000]), id="half of it"),
        pytest.param(sends(answer(LONG, length=len(LONG) + 1)), id="a byte less than it says"),
        pytest.param(resets(answer(LONG)[:1_500_000]), id="reset on its way"),
        pytest.param(sends(answer(PACKED, GZIP)[:-1]), id="gzip without its last byte"),
    ],
)
def test_a_long_body_that_broke_is_thrown_away_and_asked_for_again(broken: Script) -> None:
    assert received(broken, sends(answer(LONG))) == (LONG, 1)


def test_what_follows_a_body_is_no_part_of_it_nor_of_the_next_answer() -> None:
    assert received(sends(answer(LONG) + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")) == (LONG, 0)


def test_a_connection_is_kept_for_the_next_body_and_h11_sees_little_of_either(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    receive_data = h11.Connection.receive_data

    def watched(connection: h11.Connection, data: bytes) -> None:
        seen.append(len(data))
        receive_data(connection, data)

    monkeypatch.setattr(h11.Connection, "receive_data", watched)
    with _long_answers() as (base_url, connections), Transport(base_url) as transport:
        assert [transport.get(name).body for name in ("a", "b", "c")] == [LONG] * 3
        assert (len(connections), transport.get("none").body) == (1, b"")
    assert sum(seen) < 3 * 200_000


@contextmanager
def _long_answers() -> Iterator[tuple[str, list[object]]]:
    connections: list[object] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            connections.append(self)

        def do_GET(self) -> None:
            body = b"" if self.path.endswith("none") else LONG
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/fhir", connections
        finally:
            server.shutdown()
