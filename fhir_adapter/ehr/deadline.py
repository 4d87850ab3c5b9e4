"""A wall-clock limit on one request, from the first packet to the last.

httpx limits each read, so a server that sends one byte now and then, in the head or in the body, holds a
client for ever. Here every single wait on the socket is cut to what is left until the deadline of the thread
that waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ssl import SSLContext

import httpcore
import httpx

from fhir_adapter.ehr.counted_body import Connections

_current = threading.local()


class DeadlinePassed(httpcore.ReadTimeout):
    """The request as a whole took too long."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Requests made inside, by this thread, must be over after `seconds`; an earlier deadline outside still
    holds.
    """
    outer: float | None = getattr(_current, "at", None)
    at = time.monotonic() + seconds
    _current.at = at if outer is None else min(at, outer)
    try:
        yield
    finally:
        _current.at = outer


def _left(timeout: float | None) -> float | None:
    """The time this wait may take, in seconds: what was asked for, cut to what is left."""
    at: float | None = getattr(_current, "at", None)
    if at is None:
        return timeout
    left = at - time.monotonic()
    if left <= 0:
        raise DeadlinePassed("deadline passed")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._backend.connect_tcp(host, port, _left(timeout), local_address, socket_options))


class DeadlineTransport(httpx.HTTPTransport):
    """httpx's own HTTP/1.1 transport on connections that know the deadline."""

    def __init__(self, context: SSLContext, max_connections: int) -> None:
        super().__init__(verify=context, http1=True, http2=False, trust_env=False)
        self._pool = Connections(context, max_connections, _Backend())
