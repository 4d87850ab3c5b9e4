"""Searches and histories: results in pages, with links that mean nothing to the client."""

from __future__ import annotations

import random
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec

from fhir_adapter.fhir.canonical import Json
from fhir_adapter.sandbox.moments import Span
from fhir_adapter.sandbox.outcome import Refused, operation_outcome
from fhir_adapter.sandbox.parameters import Parameter
from fhir_adapter.sandbox.query import Query
from fhir_adapter.sandbox.repository import Repository, Resource, Version, written

_encoder = msgspec.json.Encoder(decimal_format="number")
_ALWAYS = frozenset({"resourceType", "id", "meta"})
_SUBSETTED: Json = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_RETAINED = 1000  # results kept for their next pages; older ones answer 410, as on other servers


def encode(value: Json) -> bytes:
    """JSON as it goes out: decimals with the digits they came with."""
    return _encoder.encode(value)


@dataclass(frozen=True, slots=True)
class Paging:
    """How results are cut.

    `overlap` entries are sent again at the top of the next page, as happens on servers whose rows shift;
    `shuffle_seed` puts the matches into another, repeatable order.
    """

    page_size: int = 50
    max_page_size: int = 500
    overlap: int = 0
    shuffle_seed: int | None = None


@dataclass(frozen=True, slots=True)
class _Result:
    kind: str
    versions: Sequence[Version]
    size: int
    total: int | None
    includes: tuple[Parameter, ...]
    self_link: str
    warnings: tuple[str, ...]
    elements: frozenset[str] = frozenset()


class Pages:
    """Results of searches, kept until their pages have been fetched or newer ones push them out."""

    def __init__(self, repository: Repository, base: str, paging: Paging) -> None:
        self._repository = repository
        self._base = base
        self._paging = paging
        self._results: OrderedDict[str, _Result] = OrderedDict()

    def search(self, query: Query) -> dict[str, Json]:
        """The first page of a search."""
        found = self._repository.find(query.type, query.criteria)
        self_link = f"{self._base}/{query.type}" + (f"?{urlencode(query.asked)}" if query.asked else "")
        if query.count_only or query.page_size == 0:
            return {"resourceType": "Bundle", "type": "searchset", "total": len(found), **_links(self_link)}
        result = _Result(
            kind="searchset",
            versions=self._ordered(found, query),
            size=self._size(query.page_size),
            total=len(found) if query.total else None,
            includes=query.includes,
            self_link=self_link,
            warnings=tuple(f"the parameter {name} is not supported and was ignored" for name in query.ignored),
            elements=query.elements,
        )
        return self._page(result, self._keep(result), 0)

    def history(self, versions: Sequence[Version], path: str, page_size: int | None) -> dict[str, Json]:
        """The first page of a history."""
        size, self_link = self._size(page_size), f"{self._base}/{path}"
        result = _Result("history", versions, size, len(versions), (), self_link, ())
        return self._page(result, self._keep(result), 0)

    def next(self, token: str) -> dict[str, Json]:
        """The page that an earlier `next` link leads to; `Refused` with 410 when it is no longer kept."""
        key, _, offset = token.partition(".")
        if key not in self._results or not (offset.isascii() and offset.isdigit()):
            raise Refused(410, "expired", "this page is no longer available; search again")
        return self._page(self._results[key], key, int(offset))

    def _size(self, asked: int | None) -> int:
        return max(1, min(asked or self._paging.page_size, self._paging.max_page_size))

    def _keep(self, result: _Result) -> str:
        key = uuid.uuid4().hex
        self._results[key] = result
        if len(self._results) > _RETAINED:
            self._results.popitem(last=False)
        return key

    def _ordered(self, found: list[Version], query: Query) -> list[Version]:
        if self._paging.shuffle_seed is not None:
            random.Random(self._paging.shuffle_seed).shuffle(found)  # noqa: S311 - an order, not a secret
        for parameter, descending in reversed(query.order):
            having = [version for version in found if version.keys.get(parameter.name)]
            lacking = [version for version in found if not version.keys.get(parameter.name)]
            having.sort(key=lambda version: _sort_key(version, parameter, descending), reverse=descending)
            found = having + lacking
        return found

    def _page(self, result: _Result, key: str, offset: int) -> dict[str, Json]:
        end = offset + result.size
        chosen = result.versions[offset:end]
        bundle: dict[str, Json] = {"resourceType": "Bundle", "type": result.kind}
        if result.total is not None:
            bundle["total"] = result.total
        following = end - min(self._paging.overlap, result.size - 1)
        more = f"{self._base}?{urlencode({'_page': f'{key}.{following}'})}" if end < len(result.versions) else ""
        bundle |= _links(result.self_link, more)
        if entries := self._entries(result, chosen, first=offset == 0):
            bundle["entry"] = entries
        return bundle

    def _entries(self, result: _Result, chosen: Sequence[Version], *, first: bool) -> list[Json]:
        if result.kind == "history":
            return [self._past(version) for version in chosen]
        included = self._included(result.includes, chosen)
        entries: list[Json] = [self._entry(version, "match", result.elements) for version in chosen]
        entries += [self._entry(version, "include", result.elements) for version in included]
        for text in result.warnings if first else ():
            outcome = operation_outcome("not-supported", text, "warning")
            entries.append({"resource": outcome, "search": {"mode": "outcome"}})
        return entries

    def _included(self, includes: tuple[Parameter, ...], chosen: Sequence[Version]) -> list[Version]:
        references = {
            str(key): None for version in chosen for wanted in includes for key in version.keys.get(wanted.name, ())
        }
        places = [reference.split("/") for reference in references if reference.count("/") == 1]
        there = {version.reference for version in chosen}
        found = [self._repository.current(type, id) for type, id in places]
        return [version for version in found if version and version.reference not in there]

    def _entry(self, version: Version, mode: str, elements: frozenset[str]) -> dict[str, Json]:
        return {
            "fullUrl": f"{self._base}/{version.reference}",
            "resource": _subset(version.resource, elements),
            "search": {"mode": mode},
        }

    def _past(self, version: Version) -> dict[str, Json]:
        entry: dict[str, Json] = {"fullUrl": f"{self._base}/{version.reference}"}
        if version.resource is not None:
            entry["resource"] = version.resource
        url = version.type if version.method == "POST" else version.reference
        status = {"DELETE": "204 No Content"}.get(version.method, "201 Created" if version.number == 1 else "200 OK")
        entry["request"] = {"method": version.method, "url": url}
        entry["response"] = {"status": status, "etag": version.etag, "lastModified": written(version.moment)}
        return entry


def _subset(resource: Resource | None, elements: frozenset[str]) -> Resource | None:
    """The resource with nothing but these elements, marked as a part of it."""
    if not elements or resource is None:
        return resource
    kept = {name: value for name, value in resource.items() if name in elements | _ALWAYS}
    meta = kept.get("meta")
    return kept | {"meta": {**(meta if isinstance(meta, dict) else {}), "tag": [_SUBSETTED]}}


def _links(self_link: str, more: str = "") -> dict[str, Json]:
    links = [{"relation": "self", "url": self_link}]
    if more:
        links.append({"relation": "next", "url": more})
    return {"link": links}


def _sort_key(version: Version, parameter: Parameter, descending: bool) -> str | tuple[object, ...]:
    keys = version.keys[parameter.name]
    spans = [key for key in keys if isinstance(key, Span)]
    if spans:
        return (max(span.end for span in spans),) if descending else (min(span.start for span in spans),)
    return str(keys[0]).lower()
