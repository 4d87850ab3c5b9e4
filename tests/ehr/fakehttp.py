"""A fake server made of one function, and a transport that talks to it without waiting."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from fhir_adapter.ehr.retry import Backoff
from fhir_adapter.ehr.transport import Transport

BASE = "https://ehr.example/fhir"
Handler = Callable[[httpx.Request], httpx.Response]


@dataclass
class Wire:
    """Records what was asked and how long was waited."""

    handler: Handler
    requests: list[httpx.Request] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.handler(request)

    @property
    def urls(self) -> list[str]:
        return [str(request.url) for request in self.requests]


def transport_to(handler: Handler, **options: Any) -> tuple[Transport, Wire]:
    """A `Transport` whose network is `handler` and whose waits take no time."""
    wire = Wire(handler)
    options.setdefault("backoff", Backoff(rng=random.Random(1)))
    transport = Transport(BASE, wire=httpx.MockTransport(wire), sleep=wire.waits.append, **options)
    return transport, wire


def in_turn(*answers: httpx.Response | Exception) -> Handler:
    """Answers one after the other; the last one is repeated."""
    left = list(answers)

    def handler(request: httpx.Request) -> httpx.Response:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        # A fresh copy: a body can be streamed only once.
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    return handler


def ok(value: object = None, headers: Mapping[str, str] | None = None) -> httpx.Response:
    return httpx.Response(200, headers=headers, content=json.dumps(value if value is not None else {}).encode())


def refusal(status: int, code: str = "", headers: Mapping[str, str] | None = None) -> httpx.Response:
    body = json.dumps(outcome(code)).encode() if code else b""
    return httpx.Response(status, headers=headers, content=body)


def outcome(code: str, severity: str = "error", text: str = "") -> dict[str, object]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code, "diagnostics": text}]}


def searchset(
    resources: Sequence[object],
    *,
    next: str | None = None,
    total: int | None = None,
    mode: str | None = "match",
) -> dict[str, Any]:
    """A page of search results."""
    search = {"search": {"mode": mode}} if mode else {}
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": resource, **search} for resource in resources],
    }
    if next is not None:
        bundle["link"] = [{"relation": "self", "url": BASE}, {"relation": "next", "url": next}]
    if total is not None:
        bundle["total"] = total
    return bundle


def observation(id: str, person: str = "p1", **more: object) -> dict[str, object]:
    return {"resourceType": "Observation", "id": id, "subject": {"reference": f"Patient/{person}"}, **more}
