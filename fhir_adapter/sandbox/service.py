"""The interactions of a FHIR server: a `Call` in, a `Reply` out."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from fhir_adapter.fhir.canonical import Json
from fhir_adapter.sandbox.capability import capability_statement
from fhir_adapter.sandbox.exchange import Call, Reply, read_condition
from fhir_adapter.sandbox.export import JOBS, Exporting, Exports
from fhir_adapter.sandbox.export_order import read_since
from fhir_adapter.sandbox.outcome import Refused, operation_outcome
from fhir_adapter.sandbox.query import Pairs, read_query
from fhir_adapter.sandbox.repository import Clock, Repository, Resource, Version
from fhir_adapter.sandbox.search import Pages, Paging
from fhir_adapter.sandbox.transaction import run_bundle

ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_ETAG = re.compile(r'(?:W/)?"([^"]*)"')


class Service:
    """A FHIR R4 server in memory; `answer` may be called from any thread."""

    def __init__(
        self,
        base: str,
        paging: Paging,
        types: Sequence[str],
        clock: Clock | None = None,
        exporting: Exporting | None = None,
    ) -> None:
        self.base = base
        self._paging = paging
        self._exporting = exporting or Exporting()
        self._clock = clock
        self._types = frozenset(types)
        self._capability = capability_statement(base, sorted(types))
        self._lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Forget everything that was ever stored."""
        with self._lock:
            self.repository = Repository(self._clock) if self._clock else Repository()
            self._pages = Pages(self.repository, self.base, self._paging)
            self._exports = Exports(self.repository, self.base, sorted(self._types), self._exporting)

    def answer(self, call: Call) -> Reply:
        """Serve one request; what cannot be served is an OperationOutcome with its status."""
        try:
            with self._lock:
                return self.dispatch(call)
        except Refused as refused:
            return Reply(refused.status, operation_outcome(refused.code, refused.text))
        except RecursionError:
            return Reply(400, operation_outcome("too-costly", "the content is nested too deeply"))

    def dispatch(self, call: Call) -> Reply:
        """Serve one request inside the lock; raises `Refused`."""
        match call.path:
            case ("$export",) | ("Patient", "$export") | ("Group", _, "$export"):
                return self._exports.start(call)
            case (name, *_) if name == JOBS:
                return self._exports.answer(call)
        if call.path and call.path != ("metadata",):
            self.check_type(call.path[0])
        match call.method, call.path:
            case "GET", ("metadata",):
                return Reply(200, self._capability)
            case "GET", () if token := dict(call.query).get("_page"):
                return Reply(200, self._pages.next(token))
            case "POST", ():
                return Reply(200, run_bundle(self, call))
            case ("GET", (type,)) | ("POST", (type, "_search")):
                return self._search(type, call)
            case "POST", (type,):
                return self._create(type, call)
            case "PUT", (type,):
                return self._update_by_query(type, call)
            case "GET", (type, "_history"):
                return self._history(call, type)
            case "GET", (type, id):
                return self._read(call, type, id)
            case "PUT", (type, id):
                return self._update(type, id, call)
            case "DELETE", (type, id):
                return self._delete(call, type, id)
            case "GET", (type, id, "_history"):
                return self._history(call, type, id)
            case "GET", (type, id, "_history", number):
                return self._read(call, type, id, number)
        raise Refused(405, "not-supported", "this server does not offer this interaction")

    def check_type(self, type: str) -> None:
        if type not in self._types:
            raise Refused(404, "not-supported", "this server has no such resource type")

    def matches(self, type: str, pairs: Pairs) -> list[Version]:
        """What a condition finds; a condition must be understood in full."""
        query = read_query(type, pairs, self.base)
        if query.ignored or not query.criteria:
            raise Refused(400, "not-supported", "a condition must consist of parameters this server supports")
        found = self.repository.find(type, query.criteria)
        if len(found) > 1:
            raise Refused(412, "multiple-matches", f"the condition matches {len(found)} resources")
        return found

    def _search(self, type: str, call: Call) -> Reply:
        query = read_query(type, call.query, self.base)
        if query.ignored and call.strict:
            raise Refused(400, "not-supported", f"not supported for {type}: {', '.join(query.ignored)}")
        return Reply(200, self._pages.search(query))

    def _history(self, call: Call, type: str, id: str = "") -> Reply:
        query = read_query(type, [pair for pair in call.query if pair[0] == "_count"], self.base)
        path = f"{type}/{id}/_history" if id else f"{type}/_history"
        asked = dict(call.query).get("_since")
        since = read_since(asked).start if asked else datetime.min.replace(tzinfo=UTC)
        versions = [one for one in self.repository.history(type, id) if one.moment >= since]
        return Reply(200, self._pages.history(versions, path, query.page_size))

    def _read(self, call: Call, type: str, id: str, number: str = "") -> Reply:
        version = self.repository.read(type, id, number)
        known = _ETAG.findall(call.headers.get("if-none-match", ""))
        if str(version.number) in known:
            return Reply(304, None, _version_headers(version), version)
        return Reply(200, version.resource, _version_headers(version), version)

    def _create(self, type: str, call: Call) -> Reply:
        call.resource(type)
        condition = call.headers.get("if-none-exist")
        if condition and (found := self.matches(type, read_condition(type, condition))):
            return self.stored(call, found[0], 200)
        return self.create(type, self.repository.free_id(type), call)

    def create(self, type: str, id: str, call: Call) -> Reply:
        """Store a new resource under an id that is free."""
        version, _ = self.repository.put(type, id, call.resource(type), "POST")
        return self.stored(call, version, 201)

    def _update(self, type: str, id: str, call: Call) -> Reply:
        resource = call.resource(type)
        if resource.get("id") != id:
            raise Refused(400, "invalid", "the id in the resource is not the id in the address")
        return self.put(type, id, resource, call)

    def _update_by_query(self, type: str, call: Call) -> Reply:
        resource = call.resource(type)
        found = self.matches(type, call.query)
        stated = resource.get("id")
        if found and stated is not None and stated != found[0].id:
            raise Refused(400, "invalid", "the id in the resource is not the id of the resource found")
        id = found[0].id if found else stated or self.repository.free_id(type)
        return self.put(type, str(id), resource, call)

    def put(self, type: str, id: str, resource: Resource, call: Call) -> Reply:
        """Store a version under this id, if the precondition holds."""
        if not ID.fullmatch(id):
            raise Refused(400, "value", "an id has 1 to 64 letters, digits, hyphens or dots")
        current = self.repository.current(type, id)
        self._check_precondition(call, current)
        version, _ = self.repository.put(type, id, resource)
        return self.stored(call, version, 200 if current else 201)

    def _check_precondition(self, call: Call, current: Version | None) -> None:
        """`If-Match` names the version the client has seen."""
        asked = call.headers.get("if-match")
        if asked and (current is None or str(current.number) not in _ETAG.findall(asked)):
            raise Refused(412, "conflict", "the resource is not at the version named by If-Match")

    def _delete(self, call: Call, type: str, id: str) -> Reply:
        self._check_precondition(call, self.repository.current(type, id))
        version = self.repository.delete(type, id)
        return Reply(204, None, {"ETag": version.etag} if version else {}, version)

    def stored(self, call: Call, version: Version, status: int) -> Reply:
        """The answer to a write, with as much of the resource as the client prefers."""
        headers = _version_headers(version) | {"Location": f"{self.base}/{version.location}"}
        body: Json = version.resource
        if call.returns == "minimal":
            body = None
        elif call.returns == "OperationOutcome":
            body = operation_outcome("informational", "stored", "information")
        return Reply(status, body, headers, version)


def _version_headers(version: Version) -> dict[str, str]:
    return {"ETag": version.etag, "Last-Modified": format_datetime(version.moment, usegmt=True)}
