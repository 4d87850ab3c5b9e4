"""A loopback server that breaks on purpose, byte by byte, as no fake transport can.

Each connection is handed to the next script; a script is a function that gets the socket, after the request was
read, and does to it what it likes. The last script is repeated. `FaultServer` itself takes any function that gets the
request as well.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Script = Callable[[socket.socket], None]
Handler = Callable[[bytes, socket.socket], None]

GZIP = "Content-Encoding: gzip"


@dataclass
class FaultServer:
    """`requests` are the requests received, as they came; `connections` counts whoever came at all.

    With `tls` it speaks https; who does not is counted and gets nothing.
    """

    handler: Handler
    tls: ssl.SSLContext | None = None
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    requests: list[bytes] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    connections: int = 0

    @property
    def origin(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.listener.getsockname()[1]}"

    @property
    def base_url(self) -> str:
        return f"{self.origin}/fhir"

    def serve(self) -> None:
        while not self.stopped.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, raw: socket.socket) -> None:
        raw.settimeout(10)
        with suppress(OSError), self._greeted(raw) as connection:  # who goes away early is often the point
            if received := read_request(connection):
                self.requests.append(received)
                self.handler(received, connection)

    def _greeted(self, raw: socket.socket) -> socket.socket:
        return self.tls.wrap_socket(raw, server_side=True) if self.tls else raw

    def __enter__(self) -> FaultServer:
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@contextmanager
def fault_server(*scripts: Script) -> Iterator[FaultServer]:
    """A server that follows the scripts, one for each connection."""
    left = list(scripts)

    def handler(_: bytes, connection: socket.socket) -> None:
        script = left.pop(0) if len(left) > 1 else left[0]
        script(connection)

    with FaultServer(handler) as server:
        yield server


@dataclass(frozen=True)
class Request:
    """A request taken apart; `headers` have lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def parsed(received: bytes) -> Request:
    """A request as it came, taken apart."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    fields = (line.partition(":") for line in lines)
    return Request(method, target, {name.strip().lower(): value.strip() for name, _, value in fields}, body)


def read_request(connection: socket.socket) -> bytes:
    """The head and, where a length is given, the body."""
    received = b""
    while b"\r\n\r\n" not in received:
        try:
            piece = connection.recv(65_536)
        except OSError:
            return received
        if not piece:
            return received
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    missing = int(lengths[0]) - len(body) if lengths else 0
    while missing > 0 and (piece := connection.recv(65_536)):
        received += piece
        missing -= len(piece)
    return received


# Answers


def answer(body: bytes, *headers: str, length: int | None = None, status: str = "200 OK") -> bytes:
    """A whole HTTP answer; `length` lies about the length of the body, -1 leaves it out."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers]
    if length != -1:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(body: bytes, *headers: str, ended: bool = True, size: int = 1 << 30) -> bytes:
    """A chunked answer in chunks of `size`; without its last chunk when not `ended`."""
    head = "\r\n".join(["HTTP/1.1 200 OK", "Connection: close", "Transfer-Encoding: chunked", *headers]).encode()
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts)
    return head + b"\r\n\r\n" + chunks + (b"0\r\n\r\n" if ended else b"")


def bomb(megabytes: int) -> bytes:
    """A gzip member of so many megabytes of nothing."""
    packer = zlib.compressobj(wbits=31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


# Scripts


def sends(data: bytes) -> Script:
    """Exactly these bytes, then the end of the connection."""

    def script(connection: socket.socket) -> None:
        connection.sendall(data)

    return script


def drips(data: bytes, every_s: float) -> Script:
    """One byte at a time."""

    def script(connection: socket.socket) -> None:
        for position in range(len(data)):
            connection.sendall(data[position : position + 1])
            time.sleep(every_s)

    return script


def resets(data: bytes) -> Script:
    """These bytes, then a reset instead of an end."""

    def script(connection: socket.socket) -> None:
        connection.sendall(data)
        time.sleep(0.05)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return script


def is_silent(connection: socket.socket) -> None:
    """Takes the request and never answers: waits until the client has gone."""
    connection.settimeout(5)
    with suppress(OSError):
        connection.recv(1)
