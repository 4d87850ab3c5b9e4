"""Reads the FHIR artefacts of a study: its vocabulary (CodeSystems), its ValueSets, other names of code systems."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from fhir_adapter.errors import StudyError


@dataclass
class Vocabulary:
    """Our own CodeSystems: the codes each has (with their display), and the properties of the codes."""

    displays: dict[str, dict[str, str]] = field(default_factory=dict)
    properties: dict[tuple[str, str], dict[str, tuple[str, ...]]] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    def system(self, name: str) -> str:
        """The URL of the CodeSystem kept in `codesystems/<name>.json`."""
        for url, path in self.files.items():
            if path.stem == name:
                return url
        raise StudyError(f"the study has no code system `{name}`", f"codesystems/{name}.json is needed")

    def check(self, path: Path, where: str, system: str, code: str) -> None:
        """`StudyError` naming file, place and nearest valid code when the code does not exist."""
        known = self.displays.get(system)
        if known is None:
            raise StudyError(
                f"{path}: {where} uses the code system {system}, which does not exist",
                nearest(system, self.displays),
            )
        if code not in known:
            raise StudyError(
                f"{path}: {where} has the code `{code}`, which {system} does not have", nearest(code, known)
            )


def nearest(word: str, known: Mapping[str, object] | frozenset[str] | list[str]) -> str:
    """A hint with the nearest valid name, or with all of them when none is near."""
    names = sorted(known)
    close = get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else "valid names: " + ", ".join(names)


def read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as problem:
        raise StudyError(f"{path} cannot be read as JSON", type(problem).__name__) from None
    if not isinstance(found, dict):
        raise StudyError(f"{path} is not a FHIR resource", "it must hold one JSON object")
    return found


def read_toml(path: Path) -> dict[str, Any]:
    from decimal import Decimal

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError:
        raise StudyError(f"{path} cannot be read", "a study is a folder with a study.toml") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise StudyError(f"{path} is not valid TOML: {problem}", "correct the line it names") from None


def read_vocabulary(folders: list[Path]) -> Vocabulary:
    """All CodeSystems of the folders; a later folder adds codes to an earlier one's system."""
    vocabulary = Vocabulary()
    for path, resource in read_artefacts(folders, "codesystems", "CodeSystem"):
        url = str(resource.get("url", ""))
        vocabulary.files.setdefault(url, path)
        displays = vocabulary.displays.setdefault(url, {})
        with as_artefact(path):
            for concept in resource.get("concept", []):
                displays[concept["code"]] = concept.get("display", concept["code"])
                vocabulary.properties[url, concept["code"]] = _properties(concept)
    return vocabulary


def read_value_sets(folders: list[Path], vocabulary: Vocabulary) -> dict[str, frozenset[str]]:
    """The member codes of every ValueSet of the folders, by file name."""
    found: dict[str, frozenset[str]] = {}
    for path, resource in read_artefacts(folders, "valuesets", "ValueSet"):
        members: set[str] = set()
        with as_artefact(path):
            for include in resource.get("compose", {}).get("include", []):
                system = include.get("system", "")
                concepts = [concept["code"] for concept in include.get("concept", [])]
                for code in concepts:
                    vocabulary.check(path, "compose.include", system, code)
                members.update(concepts or vocabulary.displays.get(system, {}))
        found[path.stem] = frozenset(members)
    return found


def read_aliases(path: Path) -> dict[str, str]:
    """Other spellings of a code system's URI, each to the canonical one."""
    if not path.exists():
        return {}
    return {
        alias.rstrip("/"): canonical.rstrip("/")
        for canonical, aliases in read_toml(path).items()
        for alias in (aliases if isinstance(aliases, list) else aliases.get("aliases", []))
    }


def read_artefacts(folders: list[Path], kind: str, type: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The artefacts of one kind in all folders, each checked to be of its resource type."""
    for folder in folders:
        for path in sorted((folder / kind).glob("*.json")):
            resource = read_json(path)
            if resource.get("resourceType") != type:
                raise StudyError(f"{path} is not a {type}", f"only {type} resources belong into {kind}/")
            yield path, resource


@contextmanager
def as_artefact(path: Path) -> Iterator[None]:
    """What has not the shape of its resource type is said with the file's name."""
    try:
        yield
    except (KeyError, AttributeError, TypeError, ValueError) as problem:
        raise StudyError(f"{path} has not the shape of its resource type ({type(problem).__name__})", "") from None


def _properties(concept: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for entry in concept.get("property", []):
        value = next((str(entry[key]) for key in entry if key.startswith("value")), "")
        found.setdefault(entry["code"], []).append(value.lower() if value in ("True", "False") else value)
    return {name: tuple(values) for name, values in found.items()}
