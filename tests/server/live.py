"""A FHIR server under test: what it says of itself, and how tests look at and change what it holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fhir_adapter.ehr.transport import Answer, Transport
from fhir_adapter.errors import ServerRefused

Resource = dict[str, Any]
FRESH = {"Cache-Control": "no-cache"}


@dataclass(frozen=True)
class Live:
    """One server. `is_ours`: it was started for these tests and holds nothing else; `config` is a settings file with
    what it takes to get in.
    """

    name: str
    transport: Transport
    is_ours: bool
    config: Path | None = None

    def __repr__(self) -> str:
        return self.name

    @property
    def base_url(self) -> str:
        return self.transport.base_url

    @property
    def source(self) -> tuple[object, ...]:
        """The options of a command that name this server."""
        return ("--server", self.base_url, *(("--config", self.config) if self.config else ()))

    # What it says it can do

    @cached_property
    def statement(self) -> Resource:
        (rest,) = self.read("metadata")["rest"]
        found: Resource = rest
        return found

    def offered(self, type: str) -> Resource:
        """What its CapabilityStatement says about a type."""
        return next((one for one in self.statement["resource"] if one["type"] == type), {})

    def has_operation(self, name: str, type: str = "") -> bool:
        where = self.offered(type) if type else self.statement
        return any(one["name"].lstrip("$") == name for one in where.get("operation", []))

    def keeps_history(self, type: str) -> bool:
        """Does it tell what happened to all resources of a type, deletions among it?"""
        return any(one["code"] == "history-type" for one in self.offered(type).get("interaction", []))

    @cached_property
    def pages(self) -> bool:
        """Does it go on after the first page? One that does not keeps the rest to itself."""
        bundle = self.read("Observation?_count=1")
        assert len(bundle["entry"]) == 1, "this needs a server that holds more than one Observation"
        return any(link["relation"] == "next" for link in bundle.get("link", []))

    # What it holds

    def read(self, path: str) -> Resource:
        found: Resource = json.loads(self.transport.get(path, headers=FRESH).body)
        return found

    def search(self, type: str, **params: str) -> list[Resource]:
        """Every match on the first page; for searches with few matches."""
        bundle = json.loads(self.transport.get(type, params={"_count": "100", **params}, headers=FRESH).body)
        return [entry["resource"] for entry in bundle.get("entry", [])]

    def history(self, place: str) -> list[Resource]:
        """Every version of one resource."""
        return [entry["resource"] for entry in self.read(f"{place}/_history").get("entry", []) if "resource" in entry]

    # Changing it

    def put(self, resource: Resource, headers: Mapping[str, str] | None = None) -> Answer:
        place = f"{resource['resourceType']}/{resource['id']}"
        return self.transport.put(place, json.dumps(resource).encode(), headers)

    def post(self, resource: Resource) -> Resource:
        """Make a resource; the server's own copy of it."""
        answer = self.transport.post(resource["resourceType"], json.dumps(resource).encode())
        place = answer.headers["location"].partition("/_history")[0].split("/")[-2:]
        return self.read("/".join(place))

    def delete(self, place: str) -> None:
        self.transport.delete(place)

    def status_of_operation(self, path: str, resource: Resource) -> int:
        return status_of(lambda: self.transport.post(path, json.dumps(resource).encode()))


def status_of(send: Callable[[], Answer]) -> int:
    """The HTTP status with which a request ends."""
    try:
        return send().status
    except ServerRefused as refused:
        return refused.status


@dataclass(frozen=True)
class People:
    """Invented patients on a server. `ids` is a file with their ids there, `files` a folder with the same records, and
    `places` says where each of our `Type/id` is, unless it is there under its own name.
    """

    live: Live
    ids: Path
    files: Path
    places: Mapping[str, str]

    @property
    def source(self) -> tuple[object, ...]:
        """The options of a command that reads these people and nobody else."""
        return (*self.live.source, "--patients", self.ids, "--page-size", 1000)

    @property
    def widest_source(self) -> tuple[object, ...]:
        """The options of a command that reads everybody, if nobody else is there and pages can be followed."""
        return self.live.source if self.live.is_ours and self.live.pages else self.source

    def record(self, key: str) -> Resource:
        """A record as the server holds it now."""
        return self.live.read(self.places.get(key, key))
