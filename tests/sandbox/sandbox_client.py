"""An ordinary HTTP client that speaks FHIR to a sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx

FhirJson = dict[str, Any]
Opened = Callable[..., AbstractContextManager["Fhir"]]


class Fhir:
    """What a test says to a server, in as few words as possible."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.http = httpx.Client(base_url=base_url + "/", trust_env=False, timeout=30)

    def get(self, path: str, *, prefer: str = "", **headers: str) -> httpx.Response:
        return self.http.get(path, headers=self._headers(prefer, headers))

    def put(self, path: str, resource: object, *, prefer: str = "", **headers: str) -> httpx.Response:
        return self.http.put(path, content=json.dumps(resource), headers=self._headers(prefer, headers))

    def post(self, path: str, resource: object, *, prefer: str = "", **headers: str) -> httpx.Response:
        return self.http.post(path, content=json.dumps(resource), headers=self._headers(prefer, headers))

    def store(self, *resources: FhirJson) -> None:
        """Each under its own id."""
        for resource in resources:
            path = f"{resource['resourceType']}/{resource['id']}"
            assert self.put(path, resource).status_code in (200, 201)

    def ids(self, path: str, *, prefer: str = "") -> list[str]:
        """The ids on the first page of a search."""
        return ids_of(self.get(path, prefer=prefer).json())

    def pages(self, path: str) -> Iterator[FhirJson]:
        """Every page of a search, following `next`."""
        url: str | None = path
        while url:
            page = self.get(url).json()
            yield page
            url = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)

    @staticmethod
    def _headers(prefer: str, headers: dict[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return {"content-type": "application/fhir+json"} | ({"prefer": prefer} if prefer else {}) | named


def ids_of(bundle: FhirJson, mode: str = "match") -> list[str]:
    entries = bundle.get("entry", [])
    return [entry["resource"]["id"] for entry in entries if entry["search"]["mode"] == mode]
