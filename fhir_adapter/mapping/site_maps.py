"""The ConceptMaps that a site has written for its own codes: kept outside the study, and named with their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fhir_adapter.errors import StudyError
from fhir_adapter.mapping.artefacts import Vocabulary, nearest, read_json
from fhir_adapter.mapping.concept_maps import REPLACES, Entry, Key, read_entries

Maps = Mapping[str, Mapping[Key, Entry]]

_SHOWN = 3  # conflicts named in one message; the others are counted


@dataclass(frozen=True)
class SiteMap:
    """One file: `decided` codes and phrases, of which `replacing` overrule the study's own maps on purpose."""

    path: Path
    sha256: str
    entries: Mapping[Key, Entry]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def decided(self) -> int:
        return len(self.entries)

    @property
    def replacing(self) -> int:
        return sum(1 for entry in self.entries.values() if entry.replaces)


def read_site_maps(
    folder: Path | None, maps: Maps, vocabulary: Vocabulary, aliases: Mapping[str, str]
) -> tuple[SiteMap, ...]:
    """Every `NAME.json` of the site's folder, checked against the study's `maps`."""
    if folder is None:
        return ()
    paths = sorted(folder.glob("*.json"))
    if not paths:
        message = f"{folder} holds no ConceptMaps, so the site's codes would not be understood"
        raise StudyError(message, "`conceptmaps` in the settings names a folder with files such as medication.json")
    return tuple(_read(path, maps, vocabulary, aliases) for path in paths)


def with_site_maps(maps: Maps, site: tuple[SiteMap, ...]) -> dict[str, dict[Key, Entry]]:
    """The study's maps with the site's entries on top."""
    merged = {name: dict(entries) for name, entries in maps.items()}
    for one in site:
        merged[one.name].update(one.entries)
    return merged


def _read(path: Path, maps: Maps, vocabulary: Vocabulary, aliases: Mapping[str, str]) -> SiteMap:
    if path.stem not in maps:
        raise StudyError(f"{path}: no ConceptMap of the study is called `{path.stem}`", nearest(path.stem, list(maps)))
    resource = read_json(path)
    if resource.get("resourceType") != "ConceptMap":
        raise StudyError(f"{path} is not a ConceptMap", "only ConceptMaps belong into the folder of the site's maps")
    entries = read_entries(path, resource, vocabulary, aliases)
    known = maps[path.stem]
    _check_vocabulary(path, entries, frozenset(entry.vocabulary for entry in known.values()))
    _check_conflicts(path, entries, known)
    return SiteMap(path, hashlib.sha256(path.read_bytes()).hexdigest(), entries)


def _check_vocabulary(path: Path, entries: Mapping[Key, Entry], wanted: frozenset[str]) -> None:
    """A laboratory test is not looked for among drugs."""
    for entry in entries.values():
        if entry.codes and entry.vocabulary not in wanted:
            message = f"{path}: {entry.where} translates into {entry.vocabulary}, which this map does not"
            raise StudyError(message, f"the `target` of the group is {', '.join(sorted(wanted))}")


def _check_conflicts(path: Path, entries: Mapping[Key, Entry], known: Mapping[Key, Entry]) -> None:
    """What contradicts the study's own maps needs a word that this is meant, and what it is that is replaced."""
    conflicts = list(_conflicts(entries, known))
    if conflicts:
        others = f"; {len(conflicts) - _SHOWN} more contradict it" if len(conflicts) > _SHOWN else ""
        message = f"{path} contradicts the study's own maps: {'; '.join(conflicts[:_SHOWN])}{others}"
        base = next(iter(known.values())).vocabulary.partition("/CodeSystem/")[0]
        example = f'"extension": [{{"url": "{base}{REPLACES}", "valueCode": "WHAT IT REPLACES"}}]'
        raise StudyError(message, f"take the entry out, or say in its target that this is meant: {example}")
    for key, entry in entries.items():
        if entry.replaces and entry.replaces != _codes(known.get(key)):
            message = f"{path}: {entry.where} replaces `{_told(entry.replaces)}`, which the study's own maps do not say"
            raise StudyError(message, "take the extension out, or correct it")


def _conflicts(entries: Mapping[Key, Entry], known: Mapping[Key, Entry]) -> Iterator[str]:
    for key, entry in entries.items():
        said = _codes(known.get(key))
        if said and said not in (entry.codes, entry.replaces):
            yield f"{entry.where} is `{_told(entry.codes)}` here and `{_told(said)}` there"


def _codes(entry: Entry | None) -> frozenset[str]:
    return entry.codes if entry else frozenset()


def _told(codes: frozenset[str]) -> str:
    return " or ".join(sorted(codes)) or "none of ours"
