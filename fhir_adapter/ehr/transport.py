"""The one place that opens a connection: URL policy, deadline, retries, safe decompression.

A caller asks for something and gets a whole answer with a 2xx status, or one exception of the tree in
`errors.py`. Nothing of a request's query or of any body ever reaches a log line or an exception.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import msgspec

from fhir_adapter.ehr.arriving import ArrivingFile, Download
from fhir_adapter.ehr.attempt import Failure, Limits, Reach, Sink, explain, send
from fhir_adapter.ehr.deadline import DeadlineTransport
from fhir_adapter.ehr.failures import Busy, Exhausted, Unconfirmed
from fhir_adapter.ehr.retry import Backoff
from fhir_adapter.ehr.tls import ClientCertificate, trust
from fhir_adapter.ehr.url_policy import FilePolicy, UrlPolicy, origin_of_host
from fhir_adapter.errors import NotReadyError, Unreachable

Params = Mapping[str, str] | Sequence[tuple[str, str]]
Judge = Callable[["Answer"], str]

_log = logging.getLogger(__name__)
_LATER = "Run the same command again later; it continues where it stopped."
_FIRST_CONTACT_TRIES = 2  # a mistyped address should say so soon
_MAX_FILE_BYTES = 1 << 40  # a file goes to the disk, not into memory: this only stops what never ends
_FILE = "application/fhir+ndjson"
_REFUSALS = frozenset({400, 401, 403})
_FORM = "application/x-www-form-urlencoded"
_HEADERS = {"Accept": "application/fhir+json", "Accept-Encoding": "gzip", "User-Agent": "fhir-adapter"}


class Answer(msgspec.Struct, frozen=True):
    """A whole answer with a 2xx status. `headers` have lower-case names; `url` is where it came from."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    retries: int = 0

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes)"


class Form(msgspec.Struct, frozen=True):
    """What is sent as a form, with the headers that go along. It may hold credentials, so it never shows itself."""

    fields: Mapping[str, str]
    headers: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return "Form(...)"


class Transport:
    """One server, one client, shared by any number of threads.

    `timeout_s` bounds every single wait, `deadline_s` one request with all its repetitions and waits,
    `max_tries` the attempts that fail; a server that asks for patience (429, 503 with Retry-After) is bounded
    by the deadline alone. `max_body_bytes` and `max_ratio` bound an answer after decompression, `min_rate`
    (bytes per second, looked at after `timeout_s`) its slowness. A download may take `download_deadline_s`, from the
    server itself or, without credentials, from `download_hosts`. `client_certificate` is shown to a server
    that asks for one. `wire` replaces the network in tests.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: httpx.Auth | None = None,
        timeout_s: float = 60.0,
        deadline_s: float = 600.0,
        max_tries: int = 6,
        max_body_bytes: int = 256 << 20,
        max_ratio: float = 200.0,
        min_rate: float = 256.0,
        max_connections: int = 8,
        ca_file: Path | None = None,
        client_certificate: ClientCertificate | None = None,
        aliases: Sequence[str] = (),
        download_hosts: Sequence[str] = (),
        download_deadline_s: float = 21_600.0,
        sleep: Callable[[float], None] = time.sleep,
        backoff: Backoff | None = None,
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        for chatty in ("httpx", "httpcore"):  # their log lines hold whole queries
            logging.getLogger(chatty).setLevel(logging.WARNING)
        self.policy = UrlPolicy(base_url, aliases)
        self._auth = auth
        self._aliases, self._download_hosts = tuple(aliases), tuple(map(origin_of_host, download_hosts))
        self._deadline_s, self._download_deadline_s, self._max_tries = deadline_s, download_deadline_s, max_tries
        self._sleep, self._backoff = sleep, backoff or Backoff()
        self._reached = False
        self._limits = Limits(timeout_s, max_body_bytes, max_ratio, min_rate)
        self._client = httpx.Client(
            auth=auth,
            headers=_HEADERS,
            timeout=httpx.Timeout(timeout_s, pool=None),
            trust_env=False,
            follow_redirects=False,
            transport=wire or DeadlineTransport(trust(self.policy.base, ca_file, client_certificate), max_connections),
        )

    @property
    def base_url(self) -> str:
        """The server's address in its one spelling."""
        return self.policy.base

    @property
    def denied_types(self) -> frozenset[str]:
        """Resource types for which the credentials were given no permission; known once something was asked."""
        denied: frozenset[str] = getattr(self._auth, "denied_types", frozenset())
        return denied

    @property
    def granted_scopes(self) -> frozenset[str]:
        """What the credentials were given permission for, as the server spells it; known once something was asked."""
        granted: frozenset[str] = getattr(self._auth, "granted_scopes", frozenset())
        return granted

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(
        self,
        url_or_path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        judge: Judge | None = None,
    ) -> Answer:
        """Ask until there is a whole answer. `judge` may call an answer useless (a phrase why): it is asked
        for again.

        Raises `Unreachable`, `NotReadyError` (beyond the deadline), `Exhausted` (tries used up),
        `AccessError`, `ServerRefused` (any other 4xx), `ForeignUrl`, `TooBig`.
        """
        return self._ask(self._request("GET", self._address(url_or_path, params), headers), judge)

    def search(
        self,
        path: str,
        params: Params,
        *,
        post: bool = False,
        headers: Mapping[str, str] | None = None,
        judge: Judge | None = None,
    ) -> Answer:
        """As `get`; with `post` the parameters travel in the body of a POST, where no access log keeps them."""
        if not post:
            return self.get(path, params=params, headers=headers, judge=judge)
        form = {"Content-Type": _FORM, **(headers or {})}
        request = self._request("POST", self._address(f"{path}/_search", None), form, _encoded(params).encode())
        return self._ask(request, judge)

    def _ask(self, request: httpx.Request, judge: Judge | None) -> Answer:
        patience = _Patience(self._deadline_s)
        while True:
            answer = self._once(request, patience)
            if isinstance(answer, Answer) and judge and (useless := judge(answer)):
                answer = Failure(useless, Reach.SENT)
            if isinstance(answer, Answer):
                return answer
            self._wait(answer, patience)

    def download(
        self, url: str, target: Path, *, authorised: bool, headers: Mapping[str, str] | None = None
    ) -> Download:
        """Fetch a file, whole or not at all, undoing any compression; what was at `target` is replaced.

        Credentials go along only if `authorised`, and only to the configured server. Raises as `get`, and `DiskError`.
        """
        policy = FilePolicy(self.base_url, self._aliases, self._download_hosts, authorised=authorised)
        request = self._request("GET", policy.check(url), {"Accept": _FILE, **(headers or {})})
        patience = _Patience(self._download_deadline_s)
        while True:
            with ArrivingFile(target) as file:
                answer = self._once(request, patience, policy, file.take)
                if isinstance(answer, Answer):
                    return file.settle(proven=_is_framed(answer.headers))
            self._wait(answer, patience)

    def delete(self, url_or_path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """As `put`, without a body."""
        return self._write("DELETE", url_or_path, None, headers)

    def put(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Write once. What certainly did not arrive is repeated; any other loss raises `Unconfirmed`."""
        return self._write("PUT", path, body, headers)

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """As `put`."""
        return self._write("POST", path, body, headers)

    def submit(self, url: str, form: Callable[[], Form]) -> Answer:
        """Send a form, made anew for every attempt, until there is an answer; a refusal (400, 401, 403) is one."""
        patience = _Patience(self._deadline_s)
        while True:
            made = form()
            headers = {"Content-Type": _FORM, "Accept": "application/json", **made.headers}
            request = self._request("POST", self._address(url, None), headers, urlencode(made.fields).encode())
            answer = self._once(request, patience, answers=_REFUSALS)
            if isinstance(answer, Answer):
                return answer
            self._wait(answer, patience)

    def pause(self, failures: int) -> None:
        """Wait as after the `failures`-th failure in a row, for callers with a loop of their own."""
        self._sleep(self._backoff.wait(failures))

    def _write(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None) -> Answer:
        json = {**({"Content-Type": "application/fhir+json"} if body is not None else {}), **(headers or {})}
        request = self._request(method, self._address(path, None), json, body)
        patience = _Patience(self._deadline_s)
        while True:
            answer = self._once(request, patience)
            if isinstance(answer, Answer):
                return answer
            if answer.reach is Reach.SENT and not answer.not_processed:
                raise Unconfirmed(f"It is not known whether a write succeeded: {answer.reason}.", _LATER)
            self._wait(answer, patience)

    def _address(self, url_or_path: str, params: Params | None) -> str:
        url = self.policy.check(url_or_path) if "://" in url_or_path else self.policy.within(url_or_path)
        if not params:
            return url
        return f"{url}{'&' if '?' in url else '?'}{_encoded(params)}"

    def _request(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes | None = None
    ) -> httpx.Request:
        return self._client.build_request(method, url, headers=dict(headers or {}), content=body)

    def _once(
        self,
        request: httpx.Request,
        patience: _Patience,
        policy: UrlPolicy | None = None,
        sink: Sink | None = None,
        answers: frozenset[int] = frozenset(),
    ) -> Answer | Failure:
        limits = replace(self._limits, max_body_bytes=_MAX_FILE_BYTES) if sink else self._limits
        received = send(self._client, request, policy or self.policy, limits, patience.left_s, sink, answers)
        if isinstance(received, Failure):
            self._reached = self._reached or received.reach is Reach.SENT
            return received
        self._reached = True
        return Answer(received.status, received.headers, received.body, received.url, patience.failures)

    def _wait(self, failure: Failure, patience: _Patience) -> None:
        """Sleep until the next attempt makes sense, or say why there will be none."""
        patience.failures += 1
        asked = failure.retry_after_s
        patience.tries += 0 if asked else 1
        tries = self._max_tries if self._reached else min(self._max_tries, _FIRST_CONTACT_TRIES)
        if patience.tries >= tries or not failure.may_pass:
            raise self._given_up(failure, patience.failures)
        wait = self._backoff.obey(asked) if asked else self._backoff.wait(patience.tries)
        if wait >= patience.left_s:
            raise self._too_late(failure, patience)
        told = {"event": "retry", "facts": {"reason": failure.reason, "seconds": round(wait, 1)}}
        _log.info("%s; asking again in %.0f s", failure.reason, wait, extra=told)
        self._sleep(wait)
        patience.slept_s += wait

    def _given_up(self, failure: Failure, failures: int) -> NotReadyError:
        if failure.reach is Reach.SENT:
            said = f"The server gave no usable answer in {failures} attempts: {failure.reason}."
            return Exhausted(said, _LATER, status=failure.status, issues=failure.issues)
        return Unreachable(*explain(failure, self.base_url))

    def _too_late(self, failure: Failure, patience: _Patience) -> NotReadyError:
        if failure.reach is not Reach.SENT:
            return Unreachable(*explain(failure, self.base_url))
        asked = failure.retry_after_s
        said = (
            f"The server is not ready ({failure.reason}{f' and asks to wait {asked:.0f} s' if asked else ''}); "
            f"the limit for one request is {patience.deadline_s:.0f} s."
        )
        return Busy(said, _LATER, asked) if asked else NotReadyError(said, _LATER)


def _encoded(params: Params) -> str:
    pairs = list(params.items()) if isinstance(params, Mapping) else list(params)
    return urlencode(pairs, quote_via=quote)


def _is_framed(headers: Mapping[str, str]) -> bool:
    """Does HTTP, or the compression, tell where the body ends?"""
    framed = "content-length" in headers or headers.get("transfer-encoding", "").lower().endswith("chunked")
    return framed or headers.get("content-encoding", "identity").lower() != "identity"


class _Patience:
    """What is left of one request's time. Waits count even when a test's `sleep` takes no time."""

    def __init__(self, deadline_s: float) -> None:
        self._started, self.deadline_s = time.monotonic(), deadline_s
        self.slept_s = 0.0
        self.failures = self.tries = 0

    @property
    def left_s(self) -> float:
        return self.deadline_s - max(time.monotonic() - self._started, self.slept_s)
