"""A small FHIR server as a function: versions, conditions, transactions, and ways to misbehave."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
from fakehttp import Wire, transport_to

from fhir_adapter.ehr.capability import Capability, TypeCapability
from fhir_adapter.ehr.transport import Transport

Resource = dict[str, Any]


class Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class FakeFhir:
    """`history` holds every version of everything; what it may do is told by the flags, what it does wrong by
    hooks.
    """

    update_create: bool = True
    conditional: bool = True
    transactions: bool = True
    claims_transactions: bool | None = None
    stores_provenance: bool = True
    history: dict[str, list[Resource]] = field(default_factory=dict)
    before: list[Callable[[httpx.Request], httpx.Response | None]] = field(default_factory=list)
    after: list[Callable[[httpx.Request, httpx.Response], httpx.Response]] = field(default_factory=list)
    on_store: Callable[[Resource], Resource] = lambda resource: resource
    stale_reads: int = 0
    _ids: int = 100

    def connect(self) -> tuple[Transport, Wire]:
        return transport_to(self)

    @property
    def capability(self) -> Capability:
        offered = TypeCapability(
            search=True,
            read=True,
            create=True,
            update=True,
            update_create=self.update_create,
            conditional_create=self.conditional,
            conditional_update=self.conditional,
        )
        types = ["Measure", "MeasureReport", "StructureDefinition", *(["Provenance"] if self.stores_provenance else [])]
        claims = self.transactions if self.claims_transactions is None else self.claims_transactions
        return Capability("4.0.1", "Fake", dict.fromkeys(types, offered), claims)

    def versions(self, type: str) -> int:
        return sum(len(versions) for key, versions in self.history.items() if key.startswith(f"{type}/"))

    def count(self, type: str) -> int:
        return sum(key.startswith(f"{type}/") for key in self.history)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.before and (answer := self.before.pop(0)(request)):
            return answer
        answer = self._answer(request)
        if request.method != "GET" and self.after:
            answer = self.after.pop(0)(request, answer)
        return answer

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = urlsplit(str(request.url))
        relative = unquote(path.path).removeprefix("/fhir").strip("/")
        try:
            if request.method == "GET":
                return self._read(relative) if "/" in relative else self._search(relative, path.query)
            body = json.loads(request.content)
            if not relative:
                return self._transaction(body)
            url = relative + (f"?{path.query}" if path.query else "")
            status, stored = self._write(
                request.method,
                url,
                body,
                request.headers.get("if-match", ""),
                request.headers.get("if-none-exist", ""),
            )
            return respond(status, stored)
        except Refused as refused:
            return respond(refused.status)

    def _read(self, key: str) -> httpx.Response:
        versions = self.history.get(key)
        if not versions:
            raise Refused(404)
        if self.stale_reads and len(versions) > 1:
            self.stale_reads -= 1
            return respond(200, versions[-2])
        return respond(200, versions[-1])

    def _matching(self, type: str, query: str) -> list[Resource]:
        wanted = dict(parse_qsl(query))
        current = [versions[-1] for key, versions in self.history.items() if key.startswith(f"{type}/")]
        return [resource for resource in current if all(has(resource, k, v) for k, v in wanted.items())]

    def _search(self, type: str, query: str) -> httpx.Response:
        entries = [{"resource": r, "search": {"mode": "match"}} for r in self._matching(type, query)]
        return respond(200, {"resourceType": "Bundle", "type": "searchset", "entry": entries})

    def _write(self, method: str, url: str, body: Resource, if_match: str, if_none: str) -> tuple[int, Resource]:
        target, _, query = url.partition("?")
        type = target.split("/")[0]
        if method == "POST":
            if if_none and (same := self._matching(type, if_none)):
                return (200, same[0]) if len(same) == 1 else self._refuse(412)
            return 201, self._store(f"{type}/{self._new_id()}", body)
        if query:
            same = self._matching(type, query) if self.conditional else self._refuse(412)
            if len(same) > 1:
                self._refuse(412)
            return 200, self._store(f"{type}/{same[0]['id'] if same else self._new_id()}", body)
        if target not in self.history and not self.update_create:
            self._refuse(405)
        if if_match and if_match != f'W/"{len(self.history.get(target, []))}"':
            self._refuse(412)
        assert body["id"] == target.split("/")[1]
        return 200, self._store(target, body)

    def _refuse(self, status: int) -> Any:
        raise Refused(status)

    def _new_id(self) -> str:
        self._ids += 1
        return str(self._ids)

    def _store(self, key: str, body: Resource) -> Resource:
        type, id = key.split("/")
        assert body["resourceType"] == type
        versions = self.history.setdefault(key, [])
        plain = {k: v for k, v in self.on_store(body).items() if k != "meta"}
        stored = {**plain, "id": id, "meta": {"versionId": str(len(versions) + 1)}}
        if not versions or {**versions[-1], "meta": None} != {**stored, "meta": None}:
            versions.append(stored)
        return versions[-1]

    def _transaction(self, bundle: Resource) -> httpx.Response:
        if not self.transactions:
            raise Refused(405)
        assert bundle["type"] == "transaction"
        before = {key: list(versions) for key, versions in self.history.items()}
        try:
            answers = [self._entry(entry) for entry in bundle["entry"]]
        except Refused:
            self.history = before
            raise
        places = {e["fullUrl"]: a["response"]["location"] for e, a in zip(bundle["entry"], answers, strict=True)}
        for location in places.values():
            self.history[location][-1] = rewrite(self.history[location][-1], places)
        return respond(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": answers})

    def _entry(self, entry: Resource) -> Resource:
        request = entry["request"]
        status, stored = self._write(
            request["method"],
            unquote(request["url"]),
            entry["resource"],
            request.get("ifMatch", ""),
            unquote(request.get("ifNoneExist", "")),
        )
        version = stored["meta"]["versionId"]
        location = f"{stored['resourceType']}/{stored['id']}"
        return {"response": {"status": str(status), "location": location, "etag": f'W/"{version}"'}}


def rewrite(value: Any, places: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {k: places.get(v, v) if k == "reference" else rewrite(v, places) for k, v in value.items()}
    return [rewrite(v, places) for v in value] if isinstance(value, list) else value


def has(resource: Resource, param: str, value: str) -> bool:
    if param == "identifier":
        identifiers = resource.get("identifier", [])
        listed = identifiers if isinstance(identifiers, list) else [identifiers]
        return value in [f"{i['system']}|{i['value']}" for i in listed]
    if param == "target":
        return value in [target["reference"] for target in resource.get("target", [])]
    return resource.get(param) == value


def respond(status: int, body: Resource | None = None) -> httpx.Response:
    version = (body or {}).get("meta", {}).get("versionId")
    headers = {"ETag": f'W/"{version}"'} if version else {}
    return httpx.Response(status, headers=headers, content=json.dumps(body or {}, default=float).encode())
