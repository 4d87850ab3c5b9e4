"""Bodies of a known length, read from the socket without a detour.

httpcore hands every piece of a body to h11, which copies it three times to say in the end that it is a piece of a
body: a fifth of what a page of a search costs. Of a body that has its length in the head, h11 has to know only how much
came. Everything else goes its usual way: heads, chunks, what came together with the head, and the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from ssl import SSLContext
from typing import Protocol

import httpcore

_PIECE = 1 << 19  # about what the kernel holds for a connection: few large pieces cost less than many small ones
_IDLE_S = 5.0


class _Counter(Protocol):
    """What h11 keeps about such a body: how many bytes are to come."""

    _remaining: int


class Connections(httpcore.ConnectionPool):
    """At most `most` connections, over `network`."""

    def __init__(self, context: SSLContext, most: int, network: httpcore.NetworkBackend) -> None:
        super().__init__(context, max_connections=most, max_keepalive_connections=most, keepalive_expiry=_IDLE_S)
        self._context, self._network = context, network

    def create_connection(self, origin: httpcore.Origin) -> httpcore.ConnectionInterface:
        return _Connection(origin, self._context, _IDLE_S, network_backend=self._network)


class _Connection(httpcore.HTTPConnection):
    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        response = super().handle_request(request)
        counter = self._counter()
        if counter is None:
            return response
        body = _CountedBody(response, counter, request.extensions.get("timeout", {}).get("read"))
        return httpcore.Response(
            response.status, headers=response.headers, content=body, extensions=response.extensions
        )

    def _counter(self) -> _Counter | None:
        """None for any other body, and where h11 or httpcore look different inside: they promise nothing."""
        state = getattr(self._connection, "_h11_state", None)
        reader: _Counter | None = getattr(state, "_reader", None)
        return reader if hasattr(reader, "_remaining") else None


class _CountedBody:
    def __init__(self, response: httpcore.Response, counter: _Counter, timeout_s: float | None) -> None:
        self._response, self._counter, self._timeout_s = response, counter, timeout_s
        self._network: httpcore.NetworkStream = response.extensions["network_stream"]

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._response.iter_stream():  # only one: what came with the head, or the first that came after it
            yield piece
            yield from self._rest()

    def _rest(self) -> Iterator[bytes]:
        while left := self._counter._remaining:
            piece = self._network.read(min(left, _PIECE), self._timeout_s)
            if not piece:
                return  # cut short, which is for h11 to say
            self._counter._remaining -= len(piece)
            yield piece

    def close(self) -> None:
        self._response.close()
