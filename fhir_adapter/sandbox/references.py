"""References inside a transaction, led to where the resources will be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from fhir_adapter.fhir.canonical import Json
from fhir_adapter.sandbox.outcome import Refused
from fhir_adapter.sandbox.query import Pairs
from fhir_adapter.sandbox.repository import Version

_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?(.+)", re.DOTALL)
_LINKS = frozenset({"valueUri", "valueUrl", "valueCanonical", "valueUuid", "valueOid"})


class Rewriter:
    """`final` tells where each fullUrl leads; `matches` answers the condition in a conditional reference."""

    def __init__(self, matches: Callable[[str, Pairs], list[Version]], final: Mapping[str, str]) -> None:
        self._matches = matches
        self._final = final

    def rewrite(self, value: Json) -> Json:
        """The same content with final references; `Refused` when one leads nowhere."""
        if isinstance(value, list):
            return [self.rewrite(member) for member in value]
        if not isinstance(value, dict):
            return value
        return {name: self._member(name, member) for name, member in value.items()}

    def _member(self, name: str, member: Json) -> Json:
        if not isinstance(member, str):
            return self.rewrite(member) if isinstance(member, list | dict) else member
        if name == "reference":
            return self._led(member)
        return self._final.get(member, member) if name in _LINKS else member

    def _led(self, reference: str) -> str:
        if reference in self._final:
            return self._final[reference]
        if reference.startswith("urn:"):
            raise Refused(400, "not-found", "a urn reference names no entry of this Bundle")
        condition = _CONDITIONAL.fullmatch(reference)
        if not condition:
            return reference
        found = self._matches(condition.group(1), parse_qsl(condition.group(2), keep_blank_values=True))
        if not found:
            raise Refused(412, "not-found", "a conditional reference finds nothing")
        return found[0].reference
