"""Reads ConceptMaps: what each element says about one code or phrase, checked against the vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter.errors import StudyError
from fhir_adapter.mapping.artefacts import Vocabulary, as_artefact, nearest, read_artefacts
from fhir_adapter.mapping.terminology import TEXT, ConceptMap, Meaning, Target, Terminology, canonical_system, normalise

Key = tuple[str, str]
"""The canonical system and the code; for a phrase `TEXT` and its normalised form."""

# How R4 lets a target stand to its source. The last two say that there is no translation.
_TRANSLATES = ("equivalent", "equal", "relatedto", "wider", "subsumes", "narrower", "specializes", "inexact")
UNDECIDED, NONE_OF_OURS = "unmatched", "disjoint"
_KNOWN = frozenset((*_TRANSLATES, UNDECIDED, NONE_OF_OURS))
_GIVES_WAY = ("wider", "inexact")
_NOTHING: frozenset[str] = frozenset()
_SINCE, _UNTIL = "/given-since", "/given-until"
REPLACES = "/StructureDefinition/replaces"
"""How the URL of the extension ends by which a site says that it overrules the study."""


class Entry(msgspec.Struct, frozen=True):
    """One element of a ConceptMap.

    `none_of_ours`: somebody has looked, and it is nothing that the study knows. `replaces` are the translations of
    earlier maps that it wants to overrule. `where` names the element in messages, never with a phrase.
    """

    key: Key
    vocabulary: str
    where: str
    target: Target | None = None
    meanings: tuple[Meaning, ...] = ()
    none_of_ours: bool = False
    replaces: frozenset[str] = frozenset()

    @property
    def decided(self) -> bool:
        return bool(self.target or self.meanings or self.none_of_ours)

    @property
    def codes(self) -> frozenset[str]:
        """Everything it can translate to."""
        told = frozenset((self.target.code,)) if self.target else _NOTHING
        return told.union(one.code for one in self.meanings) if self.meanings else told


REQUIRED_MAPS = frozenset(
    (
        *("medication", "procedure", "condition", "observation", "response", "adverse-event", "grade", "sample"),
        *("range-audience", "grading-scale", "stage", "body-site", "negation", "stop-reason", "route", "outcome"),
    )
)


def read_maps(folders: list[Path], vocabulary: Vocabulary, aliases: Mapping[str, str]) -> dict[str, dict[Key, Entry]]:
    """The entries of all ConceptMaps of the folders by file name; a later folder's entry wins."""
    found: dict[str, dict[Key, Entry]] = {}
    for path, resource in read_artefacts(folders, "conceptmaps", "ConceptMap"):
        found.setdefault(path.stem, {}).update(read_entries(path, resource, vocabulary, aliases))
    missing = sorted(REQUIRED_MAPS - set(found))
    if missing:
        raise StudyError(f"the study has no conceptmaps/{missing[0]}.json", "mappings/common has one to start from")
    return found


def terminology(
    maps: Mapping[str, Mapping[Key, Entry]], vocabulary: Vocabulary, aliases: Mapping[str, str]
) -> Terminology:
    """The translation tables that the entries make."""
    return Terminology(
        {name: _concept_map(name, entries.values(), aliases) for name, entries in maps.items()}, vocabulary.properties
    )


def _concept_map(name: str, entries: Iterable[Entry], aliases: Mapping[str, str]) -> ConceptMap:
    told = tuple(entries)
    return ConceptMap(
        name,
        codes={one.key: one.target for one in told if one.target and one.key[0] != TEXT},
        phrases={one.key[1]: one.target for one in told if one.target and one.key[0] == TEXT},
        aliases=aliases,
        meanings={one.key: one.meanings for one in told if one.meanings},
        none_of_ours=frozenset(one.key for one in told if one.none_of_ours),
        vocabulary=next((one.vocabulary for one in told if one.codes), ""),
    )


def read_entries(
    path: Path, resource: Mapping[str, Any], vocabulary: Vocabulary, aliases: Mapping[str, str]
) -> dict[Key, Entry]:
    """What one ConceptMap has decided. `StudyError` for what is not known, and for two answers to one question."""
    found: dict[Key, Entry] = {}
    with as_artefact(path):
        for entry in _entries(path, resource, vocabulary, aliases):
            other = found.setdefault(entry.key, entry)
            if other is not entry and (other.codes, other.none_of_ours) != (entry.codes, entry.none_of_ours):
                message = f"{path}: {entry.where} has a second target: {other.where} says otherwise about the same"
                raise StudyError(message, "keep one of them")
    return found


def _entries(
    path: Path, resource: Mapping[str, Any], vocabulary: Vocabulary, aliases: Mapping[str, str]
) -> Iterator[Entry]:
    for number, group in enumerate(resource.get("group", [])):
        source = group.get("source", "")
        system = TEXT if source.endswith(TEXT) else canonical_system(source, aliases)
        for place, element in enumerate(group.get("element", [])):
            key = system, normalise(element["code"]) if system == TEXT else element["code"].strip()
            where = f"group[{number}].element[{place}]" if key[0] == TEXT else f"group.element `{element['code']}`"
            entry = _entry(path, where, key, group.get("target", ""), element.get("target", []))
            for code in sorted(entry.codes):
                vocabulary.check(path, where, entry.vocabulary, code)
            if entry.decided:
                yield entry


def _entry(path: Path, where: str, key: Key, vocabulary: str, targets: list[Mapping[str, Any]]) -> Entry:
    for target in targets:
        _check_equivalence(path, where, target)
    translations = [one for one in targets if one.get("code")]
    undated = [one for one in translations if not one.get("dependsOn")]
    if len({one["code"] for one in undated}) > 1:
        raise StudyError(f"{path}: {where} has two targets", "keep one of them: what is not unique is not read")
    return Entry(
        key=key,
        vocabulary=vocabulary,
        where=where,
        target=_target(undated[0]) if undated else None,
        meanings=tuple(_meaning(one) for one in translations if one.get("dependsOn")),
        none_of_ours=any(one.get("equivalence") == NONE_OF_OURS for one in targets),
        replaces=frozenset(code for one in targets for code in _replaced(one)),
    )


def _check_equivalence(path: Path, where: str, target: Mapping[str, Any]) -> None:
    """A code that is filled in, with a word that says there is none, is a slip; and so is the reverse."""
    said = target.get("equivalence", "equivalent")
    if said not in _KNOWN:
        hint = nearest(str(said), [*_TRANSLATES, UNDECIDED, NONE_OF_OURS])
        raise StudyError(f"{path}: {where} has an `equivalence` that FHIR R4 does not have", hint)
    if target.get("code") and said not in _TRANSLATES:
        message = f"{path}: {where} has a target, and `equivalence` says that there is none"
        raise StudyError(message, "write `equivalent`, or leave the code out")
    if not target.get("code") and said in _TRANSLATES:
        message = f"{path}: {where} has an `equivalence` and no target code"
        raise StudyError(message, f"fill in the code, or write `{NONE_OF_OURS}` if the study has nothing like it")


def _target(target: Mapping[str, Any]) -> Target:
    exactness = target.get("equivalence")
    return Target(target["code"], exactness in _GIVES_WAY, exactness == "narrower")


def _meaning(target: Mapping[str, Any]) -> Meaning:
    bounds = {str(one["property"]): date.fromisoformat(one["value"]) for one in target["dependsOn"]}
    first = next((day for name, day in bounds.items() if name.endswith(_SINCE)), date.min)
    last = next((day for name, day in bounds.items() if name.endswith(_UNTIL)), date.max)
    return Meaning(target["code"], first, last)


def _replaced(target: Mapping[str, Any]) -> Iterator[str]:
    for extension in target.get("extension", []):
        if str(extension.get("url", "")).endswith(REPLACES):
            yield str(extension.get("valueCode", ""))
