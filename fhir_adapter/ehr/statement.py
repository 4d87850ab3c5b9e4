"""Reading a CapabilityStatement as real servers write it: what has another shape than it should is not there."""

from __future__ import annotations

import re

_LEVEL = re.compile(r"(?:^|[/$])(?:(patient|group)-?)?export$|/(Patient|Group)-\w+-export$", re.IGNORECASE)
_EXPORTED_TYPES = {"": "system", "Patient": "patient", "Group": "group"}


class Node:
    """One JSON object."""

    def __init__(self, value: object) -> None:
        self._members: dict[str, object] = value if isinstance(value, dict) else {}

    def text(self, key: str) -> str:
        value = self._members.get(key)
        return value.strip() if isinstance(value, str) else ""

    def flag(self, key: str) -> bool:
        """Is it true? Some servers write their booleans as text."""
        return self._members.get(key) in (True, "true")

    def number(self, key: str) -> int | None:
        value = self._members.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def one(self, key: str) -> Node:
        return Node(self._members.get(key))

    def each(self, key: str) -> list[Node]:
        """The objects of a list; a single object where a list belongs counts as a list of one."""
        value = self._members.get(key)
        members = value if isinstance(value, list) else [value]
        return [Node(member) for member in members if isinstance(member, dict)]

    def texts(self, key: str) -> frozenset[str]:
        value = self._members.get(key)
        members = value if isinstance(value, list) else [value]
        return frozenset(member.strip() for member in members if isinstance(member, str))


def codes(nodes: list[Node]) -> frozenset[str]:
    """The codes of some interactions."""
    return frozenset(node.text("code").lower() for node in nodes) - {""}


def operations(nodes: list[Node]) -> frozenset[str]:
    """The names of some operations, without the sign that belongs to their address."""
    return frozenset(node.text("name").lstrip("$") for node in nodes) - {""}


def export_levels(rest: Node) -> frozenset[str]:
    """Where bulk export is offered: `system`, `group`, `patient`. Servers name the operation in many ways."""
    levels = set()
    places = [("", operation) for operation in rest.each("operation")]
    for resource in rest.each("resource"):
        places += [(resource.text("type"), operation) for operation in resource.each("operation")]
    for type, operation in places:
        for said in (operation.text("name"), operation.text("definition").partition("|")[0]):
            if found := _LEVEL.search(said):
                levels.add((found.group(1) or found.group(2) or _EXPORTED_TYPES.get(type, "")).lower())
    return frozenset(levels - {""})
