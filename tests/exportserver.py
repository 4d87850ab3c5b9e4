"""A bulk export server on a real socket that does what the specification says, except where a test orders otherwise.

`files` are its files by name, `Patient.1` holding Patients; whoever wants a fault puts raw answers into `instead` under
`kickoff`, `status` or the name of a file: each is sent once, in order, before the server comes to its senses.
"""

from __future__ import annotations

import json
import socket
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from faultserver import FaultServer, Request, Script, answer, parsed

Json = dict[str, Any]
NOW = "Date: Sun, 22 Nov 2026 02:00:00 GMT"
TRANSACTION_TIME = "2026-11-22T01:59:00.000Z"
_FHIR, _JSON, _NDJSON = (f"Content-Type: application/{kind}" for kind in ("fhir+json", "json", "fhir+ndjson"))


def resource(type: str, id: str, **elements: object) -> Json:
    about = {} if type == "Patient" else {"subject": {"reference": "Patient/p1"}}
    return {"resourceType": type, "id": id, **about, **elements}


def ndjson(resources: Iterable[object], end: str = "\n") -> bytes:
    return "".join(json.dumps(one) + end for one in resources).encode()


def outcome(severity: str, code: str, text: str = "") -> Json:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code, "diagnostics": text}]}


def refuses(status: str, *issues: Json, headers: Iterable[str] = ()) -> bytes:
    body = json.dumps(issues[0]).encode() if issues else b""
    return answer(body, _FHIR, *headers, status=status)


def running(*headers: str) -> bytes:
    """The export is still running."""
    return answer(b"", NOW, *headers, status="202 Accepted")


def deletion(*references: str) -> Json:
    entries = [{"request": {"method": "DELETE", "url": reference}} for reference in references]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def two_patients() -> dict[str, bytes]:
    return {
        "Patient.1": ndjson([resource("Patient", "p1"), resource("Patient", "p2")]),
        "Observation.1": ndjson([resource("Observation", f"o{n}") for n in range(3)]),
    }


@dataclass
class ExportServer:
    """`polls` is how often it says that it still works. `change` may spoil the manifest before it is sent.

    With `exports` it refuses an order for any other type, and names the first of them.
    """

    files: dict[str, bytes] = field(default_factory=two_patients)
    polls: int = 1
    counts: bool = True
    exports: tuple[str, ...] = ()
    transaction_time: str = TRANSACTION_TIME
    manifest_headers: tuple[str, ...] = ()
    change: Callable[[Json], object] = lambda manifest: None
    instead: defaultdict[str, list[bytes | Script]] = field(default_factory=lambda: defaultdict(list))
    routes: dict[str, Callable[[Request], bytes]] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    jobs: int = 0
    alive: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> ExportServer:
        self._wire = FaultServer(self._serve).__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.__exit__()

    @property
    def origin(self) -> str:
        return self._wire.origin

    @property
    def base_url(self) -> str:
        return self._wire.base_url

    def asked_for(self, part: str, method: str = "") -> list[Request]:
        """The requests whose address holds `part`."""
        return [one for one in self.asked if part in one.target and method in ("", one.method)]

    @property
    def kickoffs(self) -> list[Request]:
        return self.asked_for("$export")

    @property
    def deletes(self) -> list[Request]:
        return self.asked_for("/jobs/", "DELETE")

    def downloads(self, name: str = "") -> list[Request]:
        return self.asked_for(f"/files/{name}")

    def _serve(self, received: bytes, connection: socket.socket) -> None:
        request = parsed(received)
        self.asked.append(request)
        path = urlsplit(request.target).path
        name = self._name(path)
        if self.instead[name]:
            wrong = self.instead[name].pop(0)
            connection.sendall(wrong) if isinstance(wrong, bytes) else wrong(connection)
            return
        connection.sendall(self._answer(request, path, name))

    def _name(self, path: str) -> str:
        if path.endswith("$export"):
            return "kickoff"
        return "status" if "/jobs/" in path else path.rsplit("/", 1)[-1]

    def _answer(self, request: Request, path: str, name: str) -> bytes:
        if path in self.routes:
            return self.routes[path](request)
        if name == "kickoff" and (missing := self._not_exported(request)):
            said = f'The requested resource type "{missing[0]}" is not available on this server'
            return refuses("400 Bad Request", outcome("error", "processing", said))
        if name == "kickoff":
            self.jobs += 1
            self.alive[f"/fhir/jobs/{self.jobs}"] = self.polls
            return answer(b"", f"Content-Location: {self.base_url}/jobs/{self.jobs}", NOW, status="202 Accepted")
        if name == "status":
            return self._status(request, path)
        if path.startswith("/files/") and name in self.files:
            return answer(self.files[name], _NDJSON)
        return refuses("404 Not Found", outcome("error", "not-found"))

    def _not_exported(self, request: Request) -> list[str]:
        asked = parse_qs(urlsplit(request.target).query).get("_type", [""])[0].split(",")
        return [type for type in asked if self.exports and type not in self.exports]

    def _status(self, request: Request, path: str) -> bytes:
        if path not in self.alive:
            return refuses("404 Not Found", outcome("error", "not-found"))
        if request.method == "DELETE":
            del self.alive[path]
            return answer(b"", status="202 Accepted")
        if self.alive[path] > 0:
            self.alive[path] -= 1
            return running("Retry-After: 5", "X-Progress: 40%")
        return answer(json.dumps(self.manifest()).encode(), _JSON, NOW, *self.manifest_headers)

    def manifest(self) -> Json:
        listed: Mapping[str, list[Json]] = {"output": [], "deleted": [], "error": []}
        for name, content in self.files.items():
            type = name.partition(".")[0]
            entry: Json = {"type": type, "url": f"{self.origin}/files/{name}"}
            if self.counts:
                entry["count"] = len([line for line in content.splitlines() if line.strip()])
            listed[type if type in ("deleted", "error") else "output"].append(entry)
        manifest = {
            "transactionTime": self.transaction_time,
            "request": f"{self.base_url}/$export",
            "requiresAccessToken": True,
            **listed,
        }
        self.change(manifest)
        return manifest
