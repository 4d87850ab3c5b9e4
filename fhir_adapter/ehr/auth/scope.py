"""Permissions by name: SMART scopes of version 1 (`system/Patient.read`) and 2 (`system/Patient.rs`)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

_SCOPE = re.compile(r"(?:system|user|patient)/(\*|[A-Z][A-Za-z]+)\.(\*|read|write|c?r?u?d?s?)(\?.*)?")
_WORDS = {"read": "rs", "write": "cud", "*": "cruds"}
_READING, _WRITING = "rs", "crus"


@dataclass(frozen=True)
class Wanted:
    """What we need to do: read and search the types `read`; look for, create and update the types `write`."""

    read: tuple[str, ...]
    write: tuple[str, ...] = ()

    @property
    def letters(self) -> Mapping[str, frozenset[str]]:
        """The permissions needed for each type, as the letters of version 2."""
        reading = dict.fromkeys(self.read, frozenset(_READING))
        return {**reading, **dict.fromkeys(self.write, frozenset(_WRITING))}

    def scopes(self, version: int) -> tuple[str, ...]:
        """The names of these permissions in one version of SMART."""
        if version == 2:
            return tuple(f"system/{type}.{_WRITING if type in self.write else _READING}" for type in self.letters)
        reading = [f"system/{type}.read" for type in self.letters]
        return (*reading, *(f"system/{type}.write" for type in self.write))


def type_of(scope: str) -> str:
    """The resource type that a scope is about: `*` for all, empty for a scope that is about none."""
    found = _SCOPE.fullmatch(scope)
    return found.group(1) if found else ""


def version_of(capabilities: Collection[str], supported: Collection[str]) -> int:
    """Which version to ask for. A server that says nothing is older than the second."""
    if "permission-v2" in capabilities:
        return 2
    if "permission-v1" in capabilities:
        return 1
    letters = {found.group(2) for one in supported if (found := _SCOPE.fullmatch(one))}
    return 2 if letters and not letters & _WORDS.keys() else 1


def narrowed(scopes: Iterable[str], supported: Collection[str]) -> tuple[str, ...]:
    """Those of `scopes` that the server says it can grant, by their own name or as a part of a broader one."""
    return tuple(one for one in scopes if one in supported or (type_of(one) and _covers(supported, one)))


def _covers(granted: Iterable[str], scope: str) -> bool:
    letters = _letters(scope)
    return letters <= permissions(granted, type_of(scope))


def _letters(scope: str) -> frozenset[str]:
    found = _SCOPE.fullmatch(scope)
    return frozenset(_WORDS.get(found.group(2), found.group(2))) if found else frozenset()


def permissions(granted: Iterable[str], type: str) -> frozenset[str]:
    """What `granted` lets us do with a type, as letters; also what holds for a part of its resources only."""
    return frozenset(letter for one in granted if type_of(one) in ("*", type) for letter in _letters(one))


def denied_types(wanted: Wanted, granted: Collection[str]) -> frozenset[str]:
    """The types for which something needed is missing. Scopes of another kind than SMART's say nothing about types."""
    return _lacking(wanted, granted) if any(map(type_of, granted)) else frozenset()


def restricted_types(wanted: Wanted, granted: Collection[str]) -> frozenset[str]:
    """The types that only a scope with a condition (`system/Observation.rs?category=...`) covers: a part is missing."""
    return _lacking(wanted, [one for one in granted if "?" not in one]) - _lacking(wanted, granted)


def _lacking(wanted: Wanted, granted: Collection[str]) -> frozenset[str]:
    return frozenset(type for type, letters in wanted.letters.items() if not letters <= permissions(granted, type))
