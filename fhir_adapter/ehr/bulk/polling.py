"""Asking how an export gets on, as often as the server wants to be asked, until its manifest is there."""

from __future__ import annotations

import re
import time

from fhir_adapter.ehr.bulk.waiting import Waiting
from fhir_adapter.ehr.failures import Busy, Exhausted
from fhir_adapter.ehr.json_text import looks_like_markup
from fhir_adapter.ehr.outcome import codes_of, read_issues
from fhir_adapter.ehr.retry import SHORTEST_S, parse_http_date, parse_retry_after
from fhir_adapter.ehr.transport import Answer, Transport
from fhir_adapter.errors import ServerRefused
from fhir_adapter.progress import Progress

LONGEST_POLL_S = 300.0  # servers in the field ask for hours, or for instants in milliseconds, where minutes would do
_OWN_LONGEST_POLL_S = 60.0
_ACCEPTED, _TOO_MANY_REQUESTS = 202, 429
_GONE = frozenset({404, 410})
_TRANSIENT = frozenset({"transient", "timeout", "throttled", "lock-error", "no-store"})
_JSON = {"Accept": "application/json"}
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s?%")
_PART = re.compile(r"(\d{1,12})\s?(?:/|of|out of)\s?(\d{1,12})", re.IGNORECASE)
_LONGEST_PROGRESS = 100
_STILL = "The export is still running on the server"


class Gone(Exception):
    """The server does not know the export, or not these files of it, any more: it has to be ordered anew."""


class ExportFailed(ServerRefused):
    """The server gave the export up."""


def wait_for_manifest(transport: Transport, url: str, waiting: Waiting, progress: Progress) -> Answer:
    """The answer with the manifest.

    `Gone` when the server does not know the export, `ExportFailed` when it failed, `NotReadyError` when it still
    runs at the end of `waiting`.
    """
    polls = 0
    while True:
        try:
            answer = _ask(transport, url)
        except Busy as busy:
            waiting.wait(busy.seconds, _STILL)
            continue
        if _status(answer) != _ACCEPTED:
            return answer
        progress.waiting("the export", share_done(answer.headers.get("x-progress", "")))
        waiting.wait(next_poll_s(answer, polls), _STILL)
        polls += 1


def _ask(transport: Transport, url: str) -> Answer:
    try:
        answer = transport.get(url, headers=_JSON, judge=_judge)
    except ServerRefused as refused:
        if refused.status in _GONE:
            raise Gone from None
        raise _failed(refused.status, refused.issues) from None
    except Exhausted as exhausted:
        if exhausted.status == _TOO_MANY_REQUESTS:
            raise Busy(exhausted.message, exhausted.hint, LONGEST_POLL_S) from None
        if exhausted.issues and not _is_transient(exhausted.issues):
            raise _failed(exhausted.status, exhausted.issues) from None
        raise
    status = _status(answer)
    if status in _GONE:
        raise Gone
    issues = codes_of(read_issues(answer.body))
    if status >= 400 or (status != _ACCEPTED and issues):
        raise _failed(status, issues)
    return answer


def _judge(answer: Answer) -> str:
    """An answer that says nothing about the export is asked for again."""
    status = _status(answer)
    if status == _ACCEPTED:
        return ""
    if looks_like_markup(answer.body) or not answer.body.strip():
        return "what came is not the status of an export; it looks like a login or maintenance page"
    if _is_transient(codes_of(read_issues(answer.body))):
        return "the server cannot tell the status of the export now"
    return ""


def _status(answer: Answer) -> int:
    """The status of the export itself, which some servers tell apart from that of the answer."""
    separate = re.match(r"\s*([1-5]\d\d)\b", answer.headers.get("x-export-status", ""))
    return int(separate.group(1)) if separate else answer.status


def _is_transient(issues: tuple[str, ...]) -> bool:
    return bool(_TRANSIENT & set(issues))


def _failed(status: int, issues: tuple[str, ...]) -> ExportFailed:
    said = ", ".join([f"HTTP {status}", *issues])
    return ExportFailed(
        f"The server could not carry out the export ({said}).",
        "The next run orders it anew; if that fails as well, set `bulk` to `off`, and the data are searched for.",
        status=status,
        issues=issues,
    )


def next_poll_s(answer: Answer, polls: int) -> float:
    """Seconds until the next question: as the server asks within reason, else longer each time."""
    now = parse_http_date(answer.headers.get("date")) or time.time()
    asked = parse_retry_after(answer.headers.get("retry-after"), now)
    if asked is None:
        return min(_OWN_LONGEST_POLL_S, SHORTEST_S * 2.0 ** min(polls, 16))
    return min(LONGEST_POLL_S, max(SHORTEST_S, asked))


def share_done(text: str) -> float | None:
    """How much of the export is done, from 0 to 1, if the server's words hold a percentage or a count.

    The words themselves are free text, which may hold anything, and are not shown.
    """
    text = text[:_LONGEST_PROGRESS]
    if percent := _PERCENT.search(text):
        share = float(percent.group(1)) / 100
    elif part := _PART.search(text):
        share = int(part.group(1)) / max(1, int(part.group(2)))
    else:
        return None
    return share if share <= 1 else None
