"""A FHIR server as a function that answers searches truthfully, except for the lies it is told to tell."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote

import httpx

Resource = dict[str, Any]
READ = ("Patient", "Condition", "MedicationAdministration", "Medication", "Procedure", "Observation", "AdverseEvent")
PARAMS = {
    "Patient": ("_id",),
    "Medication": ("code",),
    "AdverseEvent": ("subject", "event", "date"),
    "MedicationAdministration": ("patient", "code", "effective-time"),
}
_KNOWN = {"_count", "_summary", "_lastUpdated", "_id", "_offset", "_include", "_elements", "_total", "_sort"}
_FOREIGN = "https://elsewhere.example/fhir"


class Refused(Exception):
    """An HTTP status instead of an answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class LyingServer:
    """`lies` are words looked up below. `people` are Patients p1, p2, ...; each has `each` resources of every type."""

    lies: set[str] = field(default_factory=set)
    base: str = "https://ehr.example/fhir"
    people: int = 3
    each: int = 4
    more: dict[str, Resource] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)
    statement: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        try:
            status, body, headers = self._answer(request)
        except Refused as refused:
            status, body, headers = refused.status, {"resourceType": "OperationOutcome", "issue": []}, {}
        content = json.dumps(body).encode()
        return httpx.Response(status, headers={**self.headers, **headers}, content=content)

    @property
    def changes(self) -> list[httpx.Request]:
        """Requests that could have changed something."""
        return [one for one in self.asked if one.method != "GET" and not one.url.path.endswith("_search")]

    def _answer(self, request: httpx.Request) -> tuple[int, Any, dict[str, str]]:
        path = request.url.path.removeprefix(httpx.URL(self.base).path).strip("/")
        query = parse_qsl(request.url.query.decode(), keep_blank_values=True)
        if path == "metadata":
            return 200, self._metadata(), {}
        if path in self.more:
            return 200, self.more[path], {}
        if path.endswith("$export"):
            return 202, {}, {"Content-Location": f"{self.base}/status/1"}
        if path.endswith("_history"):
            return 200, self._history(path.split("/")[0]), {}
        if request.method == "POST" and path.endswith("/_search"):
            return 200, self._by_post(path.split("/")[0], request), {}
        if request.method == "GET" and path in READ:
            return 200, self._search(path, query, strict="strict" in request.headers.get("prefer", "")), {}
        if request.method == "DELETE":
            return 204, {}, {}
        raise Refused(404)

    def _metadata(self) -> Resource:
        types = [self._type(type) for type in READ if f"no-{type}" not in self.lies]
        rest = {"mode": "server", "resource": types, "interaction": [{"code": "transaction"}], **self.rest}
        software = {"name": "Some Server", "version": "1.0"}
        head = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "software": software}
        return {**head, "rest": [rest], **self.statement}

    def _type(self, type: str) -> Resource:
        interactions = ["read", "search-type"] + ([] if "offers-no-history" in self.lies else ["history-type"])
        names = [*PARAMS.get(type, ("patient", "code", "category", "date")), "_id"]
        names += [] if "lists-no-since" in self.lies else ["_lastUpdated"]
        return {
            "type": type,
            "interaction": [{"code": code} for code in interactions],
            "searchParam": [{"name": name} for name in names],
            "searchInclude": ["MedicationAdministration:medication"] if type == "MedicationAdministration" else [],
        }

    def _resources(self, type: str) -> list[Resource]:
        everybody = [f"p{number}" for number in range(1, self.people + 1)]
        if type == "Patient":
            return [{"resourceType": type, "id": id} for id in everybody]
        if type == "Medication":
            return [{"resourceType": type, "id": f"m{number}"} for number in range(self.each)]
        return [
            {"resourceType": type, "id": f"{id}-{number}", "subject": {"reference": f"Patient/{id}"}}
            for id in everybody
            for number in range(self.each)
        ]

    def _by_post(self, type: str, request: httpx.Request) -> Resource:
        if "refuses-post" in self.lies:
            raise Refused(405)
        query = parse_qsl(request.content.decode(), keep_blank_values=True)
        found = self._search(type, query, strict=True)
        return {**found, "entry": [], "total": 0} if "post-finds-nothing" in self.lies else found

    def _search(self, type: str, query: list[tuple[str, str]], *, strict: bool) -> Resource:
        asked = dict(query)
        self._check_allowed(type, asked)
        found = self._matching(type, asked)
        own = [(name, value) for name, value in query if name in self._known(type)]
        if len(own) < len(query):
            if strict and not {"ignores-unknown", "drops-unknown", "empties-unknown"} & self.lies:
                raise Refused(400)
            own = query if "ignores-unknown" in self.lies else own
            found = [] if "empties-unknown" in self.lies else found
        return self._page(type, asked, found, own)

    def _check_allowed(self, type: str, asked: dict[str, str]) -> None:
        if f"forbids-{type}" in self.lies:
            raise Refused(403)
        if f"lacks-{type}" in self.lies:
            raise Refused(404)
        if f"breaks-{type}" in self.lies:
            raise Refused(422)
        by_person = {"patient", "subject", "_id"} & asked.keys()
        if "needs-patient" in self.lies and type not in ("Patient", "Medication") and not by_person:
            raise Refused(400)
        if "needs-category" in self.lies and type == "Observation" and not {"category", "code"} & asked.keys():
            raise Refused(400)

    def _known(self, type: str) -> set[str]:
        return {*_KNOWN, *PARAMS.get(type, ("patient", "code", "category", "date"))}

    def _matching(self, type: str, asked: dict[str, str]) -> list[Resource]:
        found = self._resources(type)
        person = asked.get("patient", asked.get("subject", ""))
        if person and "ignores-patient" not in self.lies:
            found = [one for one in found if one["subject"]["reference"] == person]
        if "_id" in asked and "ignores-patient" not in self.lies:
            found = [one for one in found if one["id"] in asked["_id"].split(",")]
        since = asked.get("_lastUpdated", "")
        if since and f"since-is-empty-{type}" in self.lies:
            return []
        return [] if since.startswith("gt2") and f"ignores-since-{type}" not in self.lies else found

    def _page(self, type: str, asked: dict[str, str], found: list[Resource], own: list[tuple[str, str]]) -> Resource:
        size = len(found) if "ignores-count" in self.lies else int(asked.get("_count", 10))
        start = int(asked.get("_offset", 0))
        total = len(found) + 2 if f"counts-too-much-{type}" in self.lies and found else len(found)
        links = [{"relation": "self", "url": f"{self.base}/{type}?{_query(own)}"}]
        if asked.get("_summary") == "count" and "ignores-summary" not in self.lies:
            return {"resourceType": "Bundle", "type": "searchset", "total": total, "link": links}
        if start + size < len(found) and "has-no-next" not in self.lies:
            links.append({"relation": "next", "url": self._next(type, own, start + size)})
        entries = [{"resource": one, "search": {"mode": "match"}} for one in found[start : start + size]]
        if "_include" in asked and entries and "includes-nothing" not in self.lies:
            entries.append({"resource": {"resourceType": "Medication", "id": "m1"}, "search": {"mode": "include"}})
        bundle = {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries}
        return bundle if "counts-nothing" in self.lies else {**bundle, "total": total}

    def _next(self, type: str, own: list[tuple[str, str]], offset: int) -> str:
        if "next-is-gone" in self.lies:
            return f"{self.base}/gone"
        base = _FOREIGN if "next-leads-away" in self.lies else self.base
        offset = 0 if "next-is-first" in self.lies else offset
        kept = [(name, value) for name, value in own if name != "_offset"]
        return f"{base}/{type}?{_query([*kept, ('_offset', str(offset))])}"

    def _history(self, type: str) -> Resource:
        if "has-no-history" in self.lies:
            raise Refused(501)
        kind = "searchset" if "history-is-a-search" in self.lies else "history"
        return {"resourceType": "Bundle", "type": kind, "entry": []}


def _query(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)


@contextmanager
def on_loopback(server: LyingServer) -> Iterator[str]:
    """The same server on a real socket; its base address."""

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            url = f"http://{self.headers['host']}{self.path}"
            answer = server(httpx.Request(self.command, url, headers=dict(self.headers), content=body))
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = do_DELETE = _pass_on

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server.base = f"http://127.0.0.1:{listening.server_port}/fhir"
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.base
        finally:
            listening.shutdown()
            thread.join()
