"""One attempt at one request: send, follow redirects, read the whole body or say why not."""

from __future__ import annotations

import enum
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from fhir_adapter.ehr.deadline import deadline
from fhir_adapter.ehr.decompression import Decoder, decoder_for, file_decoder_for
from fhir_adapter.ehr.failures import Broken, Oversized, TooBig
from fhir_adapter.ehr.outcome import Issue, codes_of, read_issues
from fhir_adapter.ehr.refusal import not_accepted, not_allowed
from fhir_adapter.ehr.retry import parse_http_date, parse_retry_after
from fhir_adapter.ehr.tls import verification_problem
from fhir_adapter.ehr.url_policy import UrlPolicy
from fhir_adapter.errors import ForeignUrl, ServerRefused

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_TOO_MANY_REQUESTS = 429
_TEMPORARY = frozenset({408, 421, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524, 525, 527, 529})
_ERROR_BODY_BYTES = 1 << 20
_ERROR_BODY_S = 10.0

Sink = Callable[[bytes], object]


class Reach(enum.Enum):
    """How far an attempt came: what decides whether a write may be repeated."""

    NOT_CONNECTED = "not connected"
    SENT = "sent"


@dataclass(frozen=True)
class Limits:
    """The limits of one attempt: seconds per wait, bytes and ratio of the body, bytes per second."""

    timeout_s: float
    max_body_bytes: int
    max_ratio: float
    min_rate: float


@dataclass(frozen=True)
class Failure:
    """An attempt without a usable answer. `reason` is a phrase of ours; `retry_after_s` is what the server
    asked for; `status` and `issues` (codes) are those of an HTTP error, if it was one.
    """

    reason: str
    reach: Reach
    retry_after_s: float | None = None
    not_processed: bool = False
    may_pass: bool = True
    status: int = 0
    issues: tuple[str, ...] = ()


@dataclass(frozen=True)
class Received:
    """A whole answer with a 2xx status."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


def send(
    client: httpx.Client,
    request: httpx.Request,
    policy: UrlPolicy,
    limits: Limits,
    seconds: float,
    sink: Sink | None = None,
    answers: frozenset[int] = frozenset(),
) -> Received | Failure:
    """Make one attempt of at most `seconds`. A refusal raises, a hope for next time is a `Failure`.

    The body goes to `sink`, piece by piece, if there is one; only with `Received` was it whole.
    `answers` are statuses that the caller takes for an answer, beside 2xx.
    """
    try:
        with deadline(seconds):
            for _ in range(_MAX_REDIRECTS + 1):
                answer = _exchange(client, request, policy, limits, sink, answers)
                if isinstance(answer, Failure) or answer.status not in _REDIRECTS:
                    return answer
                request = _redirected(client, request, answer, policy)
    except httpx.HTTPError as error:
        return _failed(error)
    except Broken as broken:
        return Failure(broken.reason, Reach.SENT)
    except Oversized as oversized:
        raise TooBig(
            f"One answer of the server is too big: {oversized.reason}.",
            "Ask for smaller pages, or raise the limit in the settings if that is expected.",
        ) from None
    raise ForeignUrl(f"The server redirected more than {_MAX_REDIRECTS} times.")


def _exchange(
    client: httpx.Client,
    request: httpx.Request,
    policy: UrlPolicy,
    limits: Limits,
    sink: Sink | None,
    answers: frozenset[int],
) -> Received | Failure:
    known = policy.gets_credentials(str(request.url))
    response = client.send(request, stream=True) if known else client.send(request, stream=True, auth=None)
    try:
        status, headers = (
            response.status_code,
            {name.lower(): text for name, text in response.headers.items()},
        )
        answered = response.is_success or status in answers
        if answered or (status in _REDIRECTS and request.method == "GET"):
            body = _received_body(response, limits, sink) if answered else b""
            return Received(status, headers, body, str(response.url))
        return _refused(response, status, headers, policy.base)
    finally:
        response.close()


def _received_body(response: httpx.Response, limits: Limits, sink: Sink | None) -> bytes:
    if sink is None:
        return _read_body(response, limits)
    _take_body(response, limits, sink, file_decoder_for)
    return b""


def _read_body(response: httpx.Response, limits: Limits) -> bytes:
    parts: list[bytes] = []
    _take_body(response, limits, parts.append, decoder_for)
    return b"".join(parts)


def _take_body(
    response: httpx.Response, limits: Limits, sink: Sink, decoder_of: Callable[[str, int, float], Decoder]
) -> None:
    if response.status_code == httpx.codes.NO_CONTENT or response.headers.get("content-length") == "0":
        return
    encoding = response.headers.get("content-encoding", "")
    if response.is_stream_consumed and encoding:  # an auth flow that reads bodies has undone the encoding its own way
        raise Broken("a compressed body that was already read")
    decoder = decoder_of(encoding, limits.max_body_bytes, limits.max_ratio)
    started, count = time.monotonic(), 0
    for raw in [response.content] if response.is_stream_consumed else response.iter_raw():
        for piece in decoder.feed(raw):
            sink(piece)
        count += len(raw)
        elapsed = time.monotonic() - started
        if elapsed > limits.timeout_s and count < limits.min_rate * elapsed:
            raise Broken(f"slower than {limits.min_rate:.0f} bytes per second")
    decoder.finish()


def _refused(response: httpx.Response, status: int, headers: Mapping[str, str], base_url: str) -> Failure:
    """A `Failure` for what may pass; an exception for what will not."""
    if status in _TEMPORARY:
        now = parse_http_date(headers.get("date")) or time.time()
        wait = parse_retry_after(headers.get("retry-after"), now)
        busy = status == _TOO_MANY_REQUESTS
        codes = codes_of(_issues(response))
        return Failure(f"HTTP {status}", Reach.SENT, wait, not_processed=busy, status=status, issues=codes)
    issues = _issues(response)
    codes = codes_of(issues)
    said = f"HTTP {status}" + (f", {', '.join(codes)}" if codes else "")
    if status == httpx.codes.UNAUTHORIZED:
        raise not_accepted(response.request, said)
    if status == httpx.codes.FORBIDDEN:
        raise not_allowed(response.request, said, base_url)
    types = tuple(type for issue in issues for type in issue.types)
    raise ServerRefused(f"The server refused a request ({said}).", status=status, issues=codes, types=types)


def _issues(response: httpx.Response) -> tuple[Issue, ...]:
    """What the OperationOutcome of an error answer says, if its body can be had at all."""
    try:
        with deadline(_ERROR_BODY_S):
            limits = Limits(_ERROR_BODY_S, _ERROR_BODY_BYTES, 1000.0, 0.0)
            return read_issues(_read_body(response, limits))
    except (httpx.HTTPError, Broken, Oversized):
        return ()


def _redirected(client: httpx.Client, request: httpx.Request, answer: Received, policy: UrlPolicy) -> httpx.Request:
    target = policy.resolve(answer.headers.get("location", ""), answer.url)
    kept = {name: text for name, text in request.headers.items() if name not in ("host", "authorization", "cookie")}
    return client.build_request("GET", target, headers=kept)


def _failed(error: httpx.HTTPError) -> Failure:
    """A connection that was never made is told apart from one that broke."""
    if problem := verification_problem(error):
        return Failure(problem, Reach.NOT_CONNECTED, may_pass=False)
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return Failure("no connection in time", Reach.NOT_CONNECTED)
    if isinstance(error, httpx.ConnectError):
        return Failure(_connect_problem(error), Reach.NOT_CONNECTED)
    if isinstance(error, httpx.TimeoutException):
        return Failure("no answer in time", Reach.SENT)
    return Failure("the connection broke", Reach.SENT)


def _connect_problem(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, socket.gaierror):
            return "its host name is not known"
        if isinstance(error, ConnectionRefusedError):
            return "it refused the connection"
        error = error.__cause__ or error.__context__
    return "no connection could be made"


def explain(failure: Failure, base_url: str) -> tuple[str, str]:
    """Sentence and hint for a server that could not be reached."""
    return (
        f"The server at {base_url} cannot be reached: {failure.reason}.",
        "Check the address, that the server is running, and that this machine may connect to it.",
    )
