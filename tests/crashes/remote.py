"""A FHIR server in a process of its own, that can be put back to how it was."""

from __future__ import annotations

import copy
import json
import multiprocessing
from collections.abc import Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

from fhir_adapter.sandbox import Sandbox
from fhir_adapter.sandbox.repository import Version

Resource = dict[str, Any]
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class RemoteServer:
    """A server for the time of a `with` block; its process is forked before the block begins."""

    def __init__(self, types: Sequence[str]) -> None:
        self._ours, theirs = multiprocessing.Pipe()
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(target=_serve, args=(theirs, types), daemon=True)

    def __enter__(self) -> RemoteServer:
        self._process.start()
        self.base_url: str = self._ours.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def put(self, resources: Sequence[Resource]) -> None:
        """Store these as they are."""
        self._ask("put", resources)

    def let_it_be_today(self) -> None:
        """What was stored so far was stored long ago."""
        self._ask("today")

    def delete(self, type: str, id: str) -> None:
        self._ask("delete", type, id)

    def save(self, name: str) -> None:
        """Keep the state of the server under a name."""
        self._ask("save", name)

    def restore(self, name: str) -> None:
        """Be again as at that time."""
        self._ask("restore", name)

    def documents(self) -> list[tuple[str, int, str]]:
        """Every resource as `Type/id`, its version, and what it says but for stamps."""
        found: list[tuple[str, int, str]] = self._ask("documents")
        return found

    def _ask(self, *order: object) -> Any:
        self._ours.send(order)
        return self._ours.recv()


def _serve(orders: Connection, types: Sequence[str]) -> None:
    moment = _LONG_AGO
    with Sandbox(types=types, clock=lambda: moment) as sandbox:
        repository, saved = sandbox.service.repository, {}
        orders.send(sandbox.base_url)
        while True:
            answer: object = None
            match orders.recv():
                case "put", resources:
                    for one in resources:
                        repository.put(one["resourceType"], one["id"], one)
                case "delete", type, id:
                    repository.delete(type, id)
                case ("today",):
                    moment = datetime.now(UTC)
                case "save", name:
                    saved[name] = copy.deepcopy(repository.__dict__)
                case "restore", name:
                    repository.__dict__.update(copy.deepcopy(saved[name]))
                case ("documents",):
                    answer = sorted(_told(one) for type in types for one in repository.find(type, ()))
            orders.send(answer)


def _told(version: Version) -> tuple[str, int, str]:
    resource = {**(version.resource or {}), "meta": None}
    return version.reference, version.number, json.dumps(resource, sort_keys=True, default=str)
