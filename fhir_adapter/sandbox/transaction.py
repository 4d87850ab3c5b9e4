"""Transaction and batch Bundles.

A transaction is done in the order of FHIR R4: deletions, creations, updates, reads; and all of it is stored
or nothing. Before anything is written every entry gets its final id, and references to other entries follow:
`urn:uuid:` and other fullUrls, and conditional references such as `Patient?identifier=a|b`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from fhir_adapter.fhir.canonical import Json
from fhir_adapter.sandbox.exchange import Call, Reply, read_condition
from fhir_adapter.sandbox.outcome import Refused
from fhir_adapter.sandbox.references import Rewriter
from fhir_adapter.sandbox.repository import Version, written

if TYPE_CHECKING:
    from fhir_adapter.sandbox.service import Service

_HEADERS = {"ifMatch": "if-match", "ifNoneExist": "if-none-exist", "ifNoneMatch": "if-none-match"}
_STATUS = {200: "200 OK", 201: "201 Created", 204: "204 No Content", 304: "304 Not Modified"}
# How many parts an address may have: Type, Type/id, Type/id/_history, Type/id/_history/version.
_PATH_LENGTHS = {"DELETE": (2,), "POST": (1,), "PUT": (1, 2), "GET": (1, 2, 3, 4)}
_RESTFUL = re.compile(r"https?://.*/([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})")


@dataclass(slots=True)
class _Step:
    """One entry: where it stands in the Bundle, the call it makes, the id it gets, what it found instead."""

    number: int
    full_url: str
    call: Call
    id: str = ""
    found: bool = False

    @property
    def type(self) -> str:
        return self.call.path[0] if self.call.path else ""

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"


def run_bundle(service: Service, call: Call) -> dict[str, Json]:
    """Serve a Bundle sent to the base; `Refused` when a transaction cannot be done as a whole."""
    payload = call.payload
    if not isinstance(payload, dict) or payload.get("resourceType") != "Bundle":
        raise Refused(400, "invalid", "only a Bundle can be sent to this address")
    kind, entries = payload.get("type"), payload.get("entry", [])
    if kind not in ("transaction", "batch") or not isinstance(entries, list):
        raise Refused(400, "invalid", "only a transaction or a batch can be sent to this address")
    steps = [_read_step(service, call, number, entry) for number, entry in enumerate(entries)]
    if kind == "batch":
        replies = [service.answer(step.call) for step in steps]
    else:
        with service.repository.all_or_nothing():
            replies = _run_transaction(service, steps)
    answers = [_answer(call, step.call, reply) for step, reply in zip(steps, replies, strict=True)]
    return {"resourceType": "Bundle", "type": f"{kind}-response", "entry": answers}


def _read_step(service: Service, call: Call, number: int, entry: Json) -> _Step:
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(request, dict):
        raise Refused(400, "required", f"entry {number}: there is no request")
    method, url = request.get("method"), request.get("url")
    if not isinstance(method, str) or not isinstance(url, str):
        raise Refused(400, "required", f"entry {number}: the request has no method or no url")
    address, _, query = url.removeprefix(service.base).partition("?")
    path = tuple(unquote(part) for part in address.strip("/").split("/") if part)
    headers = {header: str(request[name]) for name, header in _HEADERS.items() if name in request}
    headers |= {"prefer": call.headers["prefer"]} if "prefer" in call.headers else {}
    pairs = parse_qsl(query, keep_blank_values=True)
    return _Step(number, str(entry.get("fullUrl", "")), Call(method, path, pairs, headers, entry.get("resource")))


def _run_transaction(service: Service, steps: Sequence[_Step]) -> list[Reply]:
    by_method: dict[str, list[_Step]] = {"DELETE": [], "POST": [], "PUT": [], "GET": []}
    replies: dict[int, Reply] = {}
    for step in steps:
        with _blamed(step):
            if len(step.call.path) not in _PATH_LENGTHS.get(step.call.method, ()):
                raise Refused(405, "not-supported", "this is not offered in a transaction")
            service.check_type(step.type)
            by_method[step.call.method].append(step)
    for step in by_method["DELETE"]:
        with _blamed(step):
            replies[step.number] = service.dispatch(step.call)
    writes = by_method["POST"] + by_method["PUT"]
    _name(service, steps, writes)
    rewriter = Rewriter(service.matches, _final_references(writes))
    for step in writes:
        with _blamed(step):
            replies[step.number] = _write(service, step, rewriter)
    for step in by_method["GET"]:
        with _blamed(step):
            replies[step.number] = service.dispatch(step.call)
    return [replies[step.number] for step in steps]


@contextmanager
def _blamed(step: _Step) -> Iterator[None]:
    """A refusal says which entry caused it."""
    try:
        yield
    except Refused as refused:
        raise Refused(refused.status, refused.code, f"entry {step.number}: {refused.text}") from None


def _name(service: Service, steps: Sequence[_Step], writes: Sequence[_Step]) -> None:
    """Give every write its id; no resource may be changed by two entries."""
    taken = {"/".join(step.call.path) for step in steps if step.call.method == "DELETE"}
    created: dict[tuple[str, str], str] = {}
    for step in sorted(writes, key=lambda step: step.call.method == "POST"):
        with _blamed(step):
            if step.call.method == "PUT":
                _name_update(service, step)
            else:
                _name_creation(service, step, taken, created)
            if not step.found and step.reference in taken:
                raise Refused(400, "invalid", "another entry changes the same resource")
            taken.add(step.reference)


def _name_update(service: Service, step: _Step) -> None:
    stated = step.call.resource(step.type).get("id")
    if len(step.call.path) == 2:
        step.id = step.call.path[1]
        if stated != step.id:
            raise Refused(400, "invalid", "the id in the resource is not the id in the address")
        return
    existing = service.matches(step.type, step.call.query)
    if existing and stated not in (None, existing[0].id):
        raise Refused(400, "invalid", "the id in the resource is not the id of the resource found")
    step.id = existing[0].id if existing else str(stated or service.repository.free_id(step.type))


def _name_creation(service: Service, step: _Step, taken: set[str], created: dict[tuple[str, str], str]) -> None:
    """Two creations under one condition are one: the second finds what the first made."""
    step.call.resource(step.type)
    condition = step.call.headers.get("if-none-exist", "")
    if (step.type, condition) in created:
        step.id, step.found = created[step.type, condition], True
        return
    existing = service.matches(step.type, read_condition(step.type, condition)) if condition else []
    if existing:
        step.id, step.found = existing[0].id, True
    while not step.id or (not step.found and step.reference in taken):
        step.id = service.repository.free_id(step.type)
    if condition:
        created[step.type, condition] = step.id


def _final_references(writes: Sequence[_Step]) -> dict[str, str]:
    """Where each fullUrl leads once everything is stored; a relative reference follows its fullUrl."""
    final = {step.full_url: step.reference for step in writes if step.full_url}
    for step in writes:
        if (found := _RESTFUL.fullmatch(step.full_url)) and found.group(1) != step.reference:
            final[found.group(1)] = step.reference
    return final


def _write(service: Service, step: _Step, rewriter: Rewriter) -> Reply:
    current = service.repository.current(step.type, step.id)
    if step.found and current:
        return service.stored(step.call, current, 200)
    call = replace(step.call, payload=rewriter.rewrite(step.call.payload))
    if call.method == "POST":
        return service.create(step.type, step.id, call)
    return service.put(step.type, step.id, call.resource(step.type), call)


def _answer(outer: Call, call: Call, reply: Reply) -> dict[str, Json]:
    """One entry of the response, with the resource when it was read or asked for."""
    answer: dict[str, Json] = {"response": _response(reply)}
    if reply.status >= 400:
        answer["response"] = {"status": str(reply.status), "outcome": reply.body}
    elif reply.body is not None and (call.method == "GET" or outer.returns == "representation"):
        answer["resource"] = reply.body
    return answer


def _response(reply: Reply) -> dict[str, Json]:
    response: dict[str, Json] = {"status": _STATUS.get(reply.status, str(reply.status))}
    if isinstance(reply.version, Version) and reply.version.resource is not None:
        response["location"] = reply.version.location
        response["etag"] = reply.version.etag
        response["lastModified"] = written(reply.version.moment)
    return response
