"""Credentials on every request to one server, and on no request to any other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import Protocol

import httpx

from fhir_adapter.ehr.auth.grant import Grant
from fhir_adapter.ehr.auth.token import Token
from fhir_adapter.errors import FhirAdapterError

_MOST_RENEWALS = 5  # for one request


class Source(Protocol):
    """Where the `Authorization` header comes from."""

    def header(self, refused: str = "") -> str:
        """The header to send; another one, if that can be had, than `refused`, which the server did not accept."""
        ...


class Fixed:
    """One header that never changes."""

    def __init__(self, header: str) -> None:
        self._header = header

    def header(self, refused: str = "") -> str:
        return self._header


class Reread:
    """A header that others may renew in its file while we work."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._header = read()

    def header(self, refused: str = "") -> str:
        if refused:
            self._header = self._read()
        return self._header


class Renewed:
    """Tokens, each used by all threads until it grows old; one thread gets a new one while the others wait."""

    def __init__(self, mint: Callable[[], Token], now: Callable[[], float] = time.time) -> None:
        self._mint, self._now = mint, now
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._rounds = 0
        self._failure: FhirAdapterError | None = None

    def header(self, refused: str = "") -> str:
        before = self._rounds
        with self._lock:
            if self._failure and self._rounds != before:
                raise self._failure  # whoever waited for it shares the outcome, also a bad one
            token = self._token
            if token is None or self._now() >= token.fresh_until or _header(token) == refused:
                token = self._new()
            return _header(token)

    def _new(self) -> Token:
        try:
            self._token, self._failure = self._mint(), None
        except FhirAdapterError as failure:
            self._token, self._failure = None, failure
            raise
        finally:
            self._rounds += 1
        return self._token


def _header(token: Token) -> str:
    return f"Bearer {token.value}"


class ServerAuth(httpx.Auth):
    """For httpx: the source's header for one origin; after a 401 once more with another header, if there is one.

    A new header that is refused too ends it, unless others were let in meanwhile: then it is not the credentials that
    are wrong, tokens only die young here.
    """

    def __init__(self, base_url: str, source: Source, grant: Grant | None = None) -> None:
        self._origin = _origin(httpx.URL(base_url))
        self._source, self._grant = source, grant
        self._let_in: httpx.Request | None = None  # the last one

    def __repr__(self) -> str:
        return "ServerAuth(...)"

    @property
    def granted_scopes(self) -> frozenset[str]:
        """What the last token allows; empty before the first, and where there are no tokens."""
        return self._grant.granted_scopes if self._grant else frozenset()

    @property
    def denied_types(self) -> frozenset[str]:
        """The resource types wanted for which the last token gives no permission; empty as above."""
        return self._grant.denied_types if self._grant else frozenset()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if _origin(request.url) != self._origin:
            yield request
            return
        header, let_in_before = self._source.header(), self._let_in
        for renewals in range(_MOST_RENEWALS + 1):
            request.headers["Authorization"] = header
            response = yield request
            if response.status_code != httpx.codes.UNAUTHORIZED:
                self._let_in = request
                return
            if renewals == _MOST_RENEWALS or (renewals and self._let_in is let_in_before):
                return
            refused, header = header, self._source.header(refused=header)
            if header == refused:
                return
            _discard(response)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _discard(response: httpx.Response) -> None:
    """Nothing reads the body of an answer that is asked for again; httpx would, without any limit."""
    unread, response.stream = response.stream, httpx.ByteStream(b"")
    if isinstance(unread, httpx.SyncByteStream):
        unread.close()
