"""A loopback server that breaks on purpose, byte by byte, as no fake transport can.

Each connection is handed to the next script; a script is a function that gets the request's bytes and the
socket and does to it what it likes. The last script is repeated.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Script = Callable[[socket.socket], None]


@dataclass
class FaultServer:
    """`requests` are the heads received, `scripts` what is done with them."""

    scripts: list[Script]
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    requests: list[bytes] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/fhir"

    def serve(self) -> None:
        while not self.stopped.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            head = read_request(connection)
            if not head:
                return
            self.requests.append(head)
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
            with suppress(OSError):  # the client went away, which is often the point
                script(connection)


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


@contextmanager
def fault_server(*scripts: Script) -> Iterator[FaultServer]:
    server = FaultServer(list(scripts))
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()


def sends(data: bytes) -> Script:
    """Exactly these bytes, then the end of the connection."""

    def script(connection: socket.socket) -> None:
        connection.sendall(data)

    return script


def answer(body: bytes, *headers: str, length: int | None = None, status: str = "200 OK") -> bytes:
    """A whole HTTP answer; `length` lies about the length of the body, -1 leaves it out."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers]
    if length != -1:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(body: bytes, *headers: str, ended: bool = True) -> bytes:
    """A chunked answer; without its last chunk when not `ended`."""
    head = "\r\n".join(["HTTP/1.1 200 OK", "Connection: close", "Transfer-Encoding: chunked", *headers]).encode()
    return head + b"\r\n\r\n" + f"{len(body):x}\r\n".encode() + body + b"\r\n" + (b"0\r\n\r\n" if ended else b"")


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
    """Takes the request and never answers."""
    time.sleep(5)
