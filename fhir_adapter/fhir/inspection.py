"""A walk through one resource before it is validated: what a model would not see, or would refuse needlessly.

The resource is changed on the way: what is legal or harmless but refused by the models is taken out, and said in a
flag. The bytes as received are never touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from fhir_adapter.fhir.canonical import Json
from fhir_adapter.fhir.record import Unreadable
from fhir_adapter.fhir.required_codes import COMPARATORS
from fhir_adapter.fhir.strict_json import has_half_pair

MAX_DEPTH = 100
# The research guide's status of an AdverseEvent, which R4 itself does not have: the mapper reads it.
KNOWN_MODIFIERS = frozenset({"http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition/status"})

_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_PLACEHOLDER = re.compile(r"(?:0001|9999)(?:-\d\d(?:-\d\d(?:T.*)?)?)?")
_ELEMENT = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,39}")

Path = tuple[str, ...]


def element_path(path: Collection[object]) -> str:
    """`Observation.component.valueQuantity`: no positions, and no name that could not be an element's."""
    names = [name for name in path if isinstance(name, str)]
    return ".".join(name if _ELEMENT.fullmatch(name) else "*" for name in names)


class Inspection:
    """One walk; `flags` collects what was kept although it is not as it should be.

    `is_known` tells whether a resource type can be validated.
    """

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        self.flags: dict[str, None] = {}
        self._is_known = is_known

    def flag(self, word: str, path: Path) -> None:
        self.flags[f"{word} {element_path(path)}"] = None

    def walk(self, resource: dict[str, Json], path: Path, depth: int = 1) -> None:
        """Look at an object and everything in it; `Unreadable` with word and path when it cannot be used."""
        if depth > MAX_DEPTH:
            raise Unreadable("nested-too-deeply")
        for name, value in list(resource.items()):
            here = (*path, name)
            if value is None or value == "" or value == []:
                self.flag("null-value" if value is None else "empty-value", here)
                del resource[name]
            elif isinstance(value, str):
                self._text(value, here)
                if name == "comparator" and value not in COMPARATORS:
                    raise Unreadable(f"code-not-in-value-set {element_path(here)}")
            elif isinstance(value, dict):
                self.walk(value, here, depth + 1)
            elif isinstance(value, list):
                self._list(name, value, here, depth + 1)

    def _list(self, name: str, values: list[Json], path: Path, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise Unreadable("nested-too-deeply")
        if name in ("extension", "modifierExtension"):
            self._extensions(name, values, path)
        if name == "contained":
            self._contained(values, path)
        for place, value in enumerate(values):
            if isinstance(value, dict):
                self.walk(value, path, depth + 1)
            elif isinstance(value, list):
                self._list("", value, path, depth + 1)
            elif value == "":
                self.flag("empty-value", path)
                values[place] = None
            elif isinstance(value, str):
                self._text(value, path)

    def _text(self, value: str, path: Path) -> None:
        if "\x00" in value:
            raise Unreadable(f"control-character {element_path(path)}")
        if not value.isascii() and has_half_pair(value):
            raise Unreadable(f"half-surrogate-pair {element_path(path)}")
        if value[:4] in ("0001", "9999") and _PLACEHOLDER.fullmatch(value):
            self.flag("placeholder-date", path)

    def _extensions(self, name: str, values: list[Json], path: Path) -> None:
        for extension in values:
            if not isinstance(extension, dict):
                continue
            url = extension.get("url")
            if name == "modifierExtension" and url not in KNOWN_MODIFIERS:
                raise Unreadable(f"unknown-modifier-extension {element_path(path)}")
            if url != _ABSENT and name == "extension":
                self.flag("extension", path)
            # Legal where a value is absent with a reason, but the models have no such elements.
            for element in [each for each in extension if each.startswith("_value")]:
                self.flag("extension-value-absent", path)
                del extension[element]

    def _contained(self, values: list[Json], path: Path) -> None:
        known = [
            value for value in values if isinstance(value, dict) and self._is_known(str(value.get("resourceType", "")))
        ]
        if len(known) < len(values):
            self.flag("unknown-contained-resource", path)
            values[:] = known
