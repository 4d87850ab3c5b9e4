"""A request and its answer, with no network in sight."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from fhir_adapter.fhir.canonical import Json
from fhir_adapter.sandbox.outcome import Refused
from fhir_adapter.sandbox.query import Pairs
from fhir_adapter.sandbox.repository import Resource, Version

_RETURN = re.compile(r"\breturn=(minimal|representation|OperationOutcome)\b")


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `path` below the base, `query` with a form's fields added, header names in lower case."""

    method: str
    path: tuple[str, ...]
    query: Pairs = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    payload: Json = None

    @property
    def strict(self) -> bool:
        return "handling=strict" in self.headers.get("prefer", "")

    @property
    def returns(self) -> str:
        """What `Prefer: return=...` asks for, or an empty string."""
        found = _RETURN.search(self.headers.get("prefer", ""))
        return found.group(1) if found else ""

    def resource(self, type: str) -> Resource:
        """The resource sent; `Refused` unless it is one of this type."""
        payload = self.payload
        if not isinstance(payload, dict):
            raise Refused(400, "structure", "a resource is a JSON object")
        if payload.get("resourceType") != type:
            raise Refused(400, "invalid", f"the resource sent is not a {type}")
        if not isinstance(payload.get("id", ""), str):
            raise Refused(400, "value", "an id is text")
        return payload


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; `version` is the resource version it is about, if it is about one.

    What is not JSON is `content`, of this `media_type`.
    """

    status: int
    body: Json = None
    headers: Mapping[str, str] = field(default_factory=dict)
    version: Version | None = None
    content: bytes | None = None
    media_type: str = ""


def read_condition(type: str, text: str) -> Pairs:
    """The pairs of `identifier=a|b` or `Type?identifier=a|b`."""
    return parse_qsl(text.removeprefix(f"{type}?"), keep_blank_values=True)
