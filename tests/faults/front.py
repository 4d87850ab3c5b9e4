"""A front of a well-behaved FHIR server that misbehaves on chosen requests, on a real socket.

Everything is passed on to the server behind and back, with the addresses rewritten, except where a trick was ordered.
A trick gets the exchange and answers it as badly as it likes.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urljoin, urlsplit

from faultserver import FaultServer, Request, Script, answer, parsed

Json = dict[str, Any]
FHIR = "Content-Type: application/fhir+json"


@dataclass(frozen=True)
class Asked:
    """A request as the front saw it: for which type, which page of it, when by the clock of the test."""

    request: Request
    type: str
    page: int
    at: float

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.request.target).query) | parse_qs(self.request.body.decode("utf-8", "replace"))

    @property
    def is_count(self) -> bool:
        """Does it ask how many there are, and for no page?"""
        return self.query.get("_summary") == ["count"] or self.query.get("_count") == ["0"]


@dataclass(frozen=True)
class Exchange:
    """One request that a trick has to deal with."""

    asked: Asked
    connection: socket.socket
    front: Front

    def truth(self) -> bytes:
        """The body that the server behind answers with; it has done then what was asked of it."""
        return self.front.ask(self.asked.request)[2]


Trick = Callable[[Exchange], None]


@dataclass
class _Order:
    tricks: list[Trick]
    wanted: Callable[[Asked], bool]
    for_ever: bool

    def take(self, asked: Asked) -> Trick | None:
        if not self.tricks or not self.wanted(asked):
            return None
        return self.tricks[0] if self.for_ever and len(self.tricks) == 1 else self.tricks.pop(0)


@dataclass
class Front:
    """Use it in a `with` block. `asked` is the log; `clock` stamps it."""

    behind: str
    clock: Callable[[], float] = lambda: 0.0
    tls: ssl.SSLContext | None = None
    asked: list[Asked] = field(default_factory=list)
    _orders: list[_Order] = field(default_factory=list)
    _pages: dict[str, tuple[str, int]] = field(default_factory=dict)
    _other_names: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._server = FaultServer(self._handle, self.tls)

    def __enter__(self) -> Front:
        self._server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.__exit__(*error)

    @property
    def base_url(self) -> str:
        return self._server.base_url

    @property
    def origin(self) -> str:
        return self._server.origin

    @property
    def connections(self) -> int:
        """How often anybody came, with a request or not."""
        return self._server.connections

    def on(self, type: str, *tricks: Trick, page: int = 0, for_ever: bool = False) -> None:
        """Meet requests for a page of this type (counted from 1; 0 is any) with these tricks, one after the other."""

        def wanted(asked: Asked) -> bool:
            return asked.type == type and asked.page > 0 and page in (0, asked.page)

        self.when(wanted, *tricks, for_ever=for_ever)

    def when(self, wanted: Callable[[Asked], bool], *tricks: Trick, for_ever: bool = False) -> None:
        """Meet these requests with these tricks, one after the other; the last one `for_ever`, or the truth again."""
        self._orders.append(_Order(list(tricks), wanted, for_ever))

    def heal(self) -> None:
        """Behave from now on."""
        self._orders.clear()

    def pages(self, type: str) -> list[int]:
        """The pages of a type in the order in which they were asked for."""
        return [asked.page for asked in self.asked if asked.type == type and asked.page]

    def _handle(self, received: bytes, connection: socket.socket) -> None:
        with self._lock:
            asked = self._understood(parsed(received))
            self.asked.append(asked)
            trick = next((trick for order in self._orders if (trick := order.take(asked))), tells_the_truth)
        with suppress(OSError):
            trick(Exchange(asked, connection, self))

    def _understood(self, request: Request) -> Asked:
        if request.target in self._pages:
            return Asked(request, *self._pages[request.target], self.clock())
        parts = [part for part in urlsplit(request.target).path.split("/")[2:] if part and part != "_search"]
        type = parts[0] if parts else ""
        asked = Asked(request, type, 1, self.clock())
        is_page = len(parts) == 1 and type != "metadata" and not asked.is_count and request.method in ("GET", "POST")
        return asked if is_page else Asked(request, type, 0, self.clock())

    def ask(self, request: Request) -> tuple[int, list[tuple[str, str]], bytes]:
        """Pass a request on; the answer of the server behind, in our own name."""
        behind = urlsplit(self.behind)
        connection = http.client.HTTPConnection(behind.netloc, timeout=60)
        headers = {name: text for name, text in request.headers.items() if name not in ("host", "accept-encoding")}
        try:
            target = self._renamed(self._other_names.get(request.target, request.target), back=True)
            connection.request(request.method, target, request.body or None, headers)
            response = connection.getresponse()
            body = self._renamed(response.read())
            kept = [(name, self._renamed(text)) for name, text in response.getheaders() if name.lower() in _PASSED_ON]
            return response.status, kept, body
        finally:
            connection.close()

    def _renamed(self, text: Any, *, back: bool = False) -> Any:
        names = f"http://{urlsplit(self.behind).netloc}", self.origin
        old, new = reversed(names) if back else names
        return text.replace(old.encode(), new.encode()) if isinstance(text, bytes) else text.replace(old, new)

    def remember_next(self, asked: Asked, body: bytes) -> None:
        """Know the next page by its link, whatever it looks like."""
        with suppress(ValueError, AttributeError, TypeError):
            for link in json.loads(body).get("link", []):
                if link.get("relation") == "next" and asked.page:
                    target = urljoin(f"{self.origin}{asked.request.target}", link["url"]).removeprefix(self.origin)
                    self._pages.setdefault(target, (asked.type, asked.page + 1))

    def known_as(self, target: str, other: str) -> None:
        """From now on `other` is another name for the request target `target`."""
        self._other_names[other] = target


_PASSED_ON = {"content-type", "etag", "last-modified", "location", "date", "content-location", "retry-after"}


# Tricks


def tells_the_truth(exchange: Exchange) -> None:
    status, headers, body = exchange.front.ask(exchange.asked.request)
    exchange.front.remember_next(exchange.asked, body)
    lines = [f"{name}: {text}" for name, text in headers]
    exchange.connection.sendall(answer(body, *lines, status=f"{status} {http.client.responses.get(status, 'Other')}"))


def says(status: str, *headers: str, body: bytes | Json | list[Any] | str | None = b"") -> Trick:
    """An answer that has nothing to do with the server behind."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def trick(exchange: Exchange) -> None:
        exchange.front.remember_next(exchange.asked, content)
        exchange.connection.sendall(answer(content, *headers, status=status))

    return trick


def does(script: Script) -> Trick:
    """Something with the socket; the server behind is not asked."""
    return lambda exchange: script(exchange.connection)


def framed(frame: Callable[[bytes], bytes]) -> Trick:
    """The true body, in an HTTP answer that `frame` makes of it."""
    return then(lambda body: lambda connection: connection.sendall(frame(body)))


def then(script: Callable[[bytes], Script]) -> Trick:
    """The server behind has done what was asked; what becomes of its body is for the script."""

    def trick(exchange: Exchange) -> None:
        body = exchange.truth()
        exchange.front.remember_next(exchange.asked, body)
        script(body)(exchange.connection)

    return trick


def changed(change: Callable[[Json], object]) -> Trick:
    """The true Bundle with a change: `change` alters it in place, or returns what is sent instead."""

    def trick(exchange: Exchange) -> None:
        bundle = json.loads(exchange.truth())
        instead = change(bundle)
        body = json.dumps(bundle if instead is None else instead).encode()
        exchange.front.remember_next(exchange.asked, body)
        exchange.connection.sendall(answer(body, FHIR))

    return trick


def with_text(old: bytes, new: bytes) -> Trick:
    """The true body with a piece of its text replaced, once."""
    return framed(lambda body: answer(_replaced(body, old, new), FHIR))


def _replaced(body: bytes, old: bytes, new: bytes) -> bytes:
    assert old in body, "the page does not hold what the trick wants to replace"
    return body.replace(old, new, 1)


def with_next(link: Callable[[Exchange], str]) -> Trick:
    """The true page with another next link."""

    def trick(exchange: Exchange) -> None:
        url = link(exchange)
        changed(lambda bundle: bundle.__setitem__("link", [{"relation": "next", "url": url}]))(exchange)

    return trick


def renamed_next(link: Callable[[str], str]) -> Trick:
    """The true page, its next link spelled in another way: `link` gets the query of the true one."""

    def trick(exchange: Exchange) -> None:
        bundle = json.loads(exchange.truth())
        for one in bundle["link"]:
            if one["relation"] == "next":
                true, one["url"] = urlsplit(one["url"]), link(urlsplit(one["url"]).query)
                other = urlsplit(urljoin(exchange.front.base_url + "/Observation", one["url"]))
                exchange.front.known_as(f"{true.path}?{true.query}", f"{other.path}?{other.query}")
        says("200 OK", FHIR, body=bundle)(exchange)

    return trick


def ignores(*names: str) -> Trick:
    """The truth about a question without these parameters."""

    def trick(exchange: Exchange) -> None:
        parts = urlsplit(exchange.asked.request.target)
        kept = [pair for pair in parse_qsl(parts.query) if pair[0] not in names]
        less = replace(exchange.asked.request, target=parts._replace(query=urlencode(kept)).geturl())
        tells_the_truth(replace(exchange, asked=replace(exchange.asked, request=less)))

    return trick


def repeated(trick: Trick, times: int) -> list[Trick]:
    return [trick] * times
