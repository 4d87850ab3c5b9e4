"""The manifest: which files an export consists of, as the server lists them, taken at its word in nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from typing import Literal
from urllib.parse import urljoin

import msgspec

from fhir_adapter.ehr.json_text import UNREADABLE, looks_like_markup, without_bom
from fhir_adapter.ehr.retry import parse_http_date
from fhir_adapter.ehr.transport import Answer, Transport
from fhir_adapter.errors import IncompleteError
from fhir_adapter.fhir.resource_types import R4_TYPES

Kind = Literal["output", "deleted", "error"]

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_COUNT = re.compile(rb'"?(\d{1,12})"?')
_TYPES = frozenset(R4_TYPES)
_MAX_PAGES = 10_000
_JSON = {"Accept": "application/json"}


class Listed(msgspec.Struct, frozen=True):
    """A file as the manifest lists it: where it is, what it holds, how many (None: it does not say)."""

    kind: Kind
    type: str
    url: str
    count: int | None


class Manifest(msgspec.Struct, frozen=True):
    """All pages of a manifest. `authorised`: its files are given to nobody without credentials.

    `valid_s` is for how long its links work, in seconds from now (None: it does not say).
    """

    transaction_time: str
    authorised: bool
    files: tuple[Listed, ...]
    valid_s: float | None = None


class _File(msgspec.Struct):
    type: str = ""
    url: str = ""
    count: msgspec.Raw = msgspec.Raw(b"null")


class _Link(msgspec.Struct):
    relation: str = ""
    url: str = ""


class _Page(msgspec.Struct):
    transactionTime: str = ""
    requiresAccessToken: bool | None = None
    outputOrganizedBy: str | None = None
    output: list[_File] | None = None
    deleted: list[_File] | None = None
    error: list[_File] | None = None
    outcome: list[_File] | None = None  # the name of `error` in the version to come
    link: list[_Link] | None = None


_decoder = msgspec.json.Decoder(_Page, strict=False)


def fetch_manifest(transport: Transport, first: Answer) -> Manifest:
    """The whole manifest that begins with the answer `first`.

    `IncompleteError` when it cannot be trusted, `ServerRefused` when the server does not give all of its pages.
    """
    pages: list[tuple[_Page, Answer]] = []
    visited = {first.url}
    answer: Answer | None = first
    while answer is not None:
        pages.append((_read(answer), answer))
        answer = _next(transport, *pages[-1], visited)
    times = {page.transactionTime for page, _ in pages}
    if len(times) > 1:
        raise _unusable("its pages are of different transactionTimes")
    return Manifest(
        times.pop(),
        any(page.requiresAccessToken is not False for page, _ in pages),
        tuple(_without_repetition(file for page, answer in pages for file in _files(page, answer.url))),
        min((valid for _, answer in pages if (valid := _valid_s(answer)) is not None), default=None),
    )


def _read(answer: Answer) -> _Page:
    try:
        page = _decoder.decode(without_bom(answer.body))
    except UNREADABLE:
        raise _unusable("it is not the JSON of a manifest") from None
    if not _INSTANT.fullmatch(page.transactionTime):
        raise _unusable("it has no transactionTime, so that nobody knows of when its data are")
    if page.outputOrganizedBy:
        raise _unusable("its files are organized by a resource, which was not asked for")
    return page


def _next(transport: Transport, page: _Page, answer: Answer, visited: set[str]) -> Answer | None:
    url = next((link.url for link in page.link or () if link.relation == "next"), None)
    if url is None:
        return None
    url = transport.policy.resolve(url, answer.url)
    if url in visited or len(visited) >= _MAX_PAGES:
        raise _unusable("its pages have no end")
    visited.add(url)
    return transport.get(url, headers=_JSON, judge=_judge)


def _judge(answer: Answer) -> str:
    return "a page came instead of a part of the manifest" if looks_like_markup(answer.body) else ""


def _files(page: _Page, base: str) -> Iterator[Listed]:
    for file in page.output or ():
        if file.type not in _TYPES:
            raise _unusable("it lists a file of a type that FHIR R4 does not have")
        yield _listed("output", file.type, file, base)
    for file in page.deleted or ():
        yield _listed("deleted", "Bundle", file, base)
    for file in (*(page.error or ()), *(page.outcome or ())):
        yield _listed("error", "OperationOutcome", file, base)


def _listed(kind: Kind, type: str, file: _File, base: str) -> Listed:
    if not file.url:
        raise _unusable("it lists a file without an address")
    try:
        url = urljoin(base, file.url)
    except ValueError:
        raise _unusable("it lists an address that is not a valid URL") from None
    counted = _COUNT.fullmatch(bytes(file.count).strip())
    return Listed(kind, type, url, int(counted.group(1)) if counted else None)


def _without_repetition(files: Iterable[Listed]) -> Iterator[Listed]:
    """A file listed twice is one file; listed as two different things it is neither."""
    seen: dict[str, Listed] = {}
    for file in files:
        known = seen.setdefault(file.url, file)
        if known is file:
            yield file
        elif known != file:
            raise _unusable("it lists one file as two different ones")


def _valid_s(answer: Answer) -> float | None:
    expires = parse_http_date(answer.headers.get("expires"))
    if expires is None:
        return None
    return expires - (parse_http_date(answer.headers.get("date")) or time.time())


def _unusable(reason: str) -> IncompleteError:
    return IncompleteError(
        f"The export is incomplete: its manifest cannot be used, because {reason}.",
        "Nothing is published from it; the next run orders a new export.",
    )
