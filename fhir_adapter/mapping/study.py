"""Reads and checks a study folder: `study.toml`, its vocabulary, units, grading tables and measures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from fhir_adapter.cohort.parameters import Parameters
from fhir_adapter.cohort.review import Rulings
from fhir_adapter.cohort.study import Agent, MeasureFamily, Roles, Study
from fhir_adapter.errors import StudyError
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.artefacts import (
    Vocabulary,
    nearest,
    read_aliases,
    read_json,
    read_toml,
    read_value_sets,
    read_vocabulary,
)
from fhir_adapter.mapping.concept_maps import read_maps, terminology
from fhir_adapter.mapping.durations import read_durations
from fhir_adapter.mapping.gradings import read_gradings
from fhir_adapter.mapping.medication import medications
from fhir_adapter.mapping.precedents import Precedents
from fhir_adapter.mapping.reading import Reader
from fhir_adapter.mapping.response_system import read_response_system
from fhir_adapter.mapping.scale import Scales
from fhir_adapter.mapping.side_car import SideCar
from fhir_adapter.mapping.site_maps import SiteMap, read_site_maps, with_site_maps
from fhir_adapter.mapping.terminology import Terminology
from fhir_adapter.mapping.units import Units, read_units
from fhir_adapter.packaged import data_folder

_TABLES = ("value_sets", "elevated_terms")
_ABOUT = ("id", "version", "title", "site")
_NOTHING = "none"
_MAY_BE_NOTHING = ("transformed_disease", "pretreatment")


@dataclass(frozen=True)
class StudyFolder:
    """A checked study: what it asks (`study`), the tables that mappers read with, and what the site adds."""

    study: Study
    folder: Path
    terms: Terminology
    units: Units
    site_system: str
    side_car: SideCar = field(default_factory=SideCar)
    rulings: Rulings = field(default_factory=Rulings)
    site_maps: tuple[SiteMap, ...] = ()

    @property
    def inputs(self) -> dict[str, str]:
        """SHA-256 of every file of the site that the answers rest on beside the records, by name."""
        beside = {"adverse-events": self.side_car.sha256, "adjudication": self.rulings.sha256}
        given = {name: sha256 for name, sha256 in beside.items() if sha256}
        return {**given, **{f"conceptmap-{one.name}": one.sha256 for one in self.site_maps}}

    @cached_property
    def _scales(self) -> Scales:
        return Scales(self.units, self.terms["range-audience"])

    @cached_property
    def _precedents(self) -> Precedents:
        return Precedents()

    def reader(self, shared: list[Record], base_url: str = "") -> Reader:
        """The reader for mappers; `shared` are the resources that belong to no person (Medication)."""
        return Reader(
            terms=self.terms,
            units=self.units,
            scales=self._scales,
            precedents=self._precedents,
            site_system=self.site_system,
            diseases=self.study.roles.disease | self.study.roles.transformed_disease,
            evidence=frozenset(self.study.parameters.exposure_evidence),
            further=frozenset(self.study.parameters.further_records),
            responses=frozenset(one.code for one in self.study.responses.categories),
            zone=self.study.parameters.zone,
            base_url=base_url,
            medications=medications(shared),
        )


def find_study(name: str | Path) -> Path:
    """The folder of a study given by path, or by name among the studies that came with the software."""
    path = Path(name)
    for candidate in (path, data_folder("mappings") / path):
        if (candidate / "study.toml").is_file():
            return candidate
    known = [found.parent.name for found in sorted(data_folder("mappings").glob("*/study.toml"))]
    raise StudyError(f"there is no study at `{name}`: no study.toml there", nearest(path.name, known))


def common_folder(study: Path) -> Path:
    """The vocabulary, tables and units that a study shares with others: beside it, else those of the software."""
    beside = study.parent / "common"
    return beside if beside.is_dir() else data_folder("mappings") / "common"


def read_parameters(name: str | Path, overrides: Mapping[str, str] | None = None) -> Parameters:
    """The parameters of a study alone, for those who need not read its tables."""
    path = find_study(name) / "study.toml"
    *_, flat = _split(path, read_toml(path))
    return _parameters(path, flat, overrides or {})


def read_study(
    name: str | Path, overrides: Mapping[str, str] | None = None, conceptmaps: Path | None = None
) -> StudyFolder:
    """Read and check everything the study consists of.

    `overrides` are parameters that win over the file; `conceptmaps` is the folder of the site's own ConceptMaps.
    """
    folder = find_study(name)
    written = read_toml(folder / "study.toml")
    about, roles, elevated, flat = _split(folder / "study.toml", written)
    parameters = _parameters(folder / "study.toml", flat, overrides or {})
    common = common_folder(folder)
    folders = [common, *([common / "unverified"] if parameters.unverified_codes else []), folder]
    vocabulary = read_vocabulary(folders)
    aliases = read_aliases(common / "system-aliases.toml")
    maps = read_maps(folders, vocabulary, aliases)
    site_maps = read_site_maps(conceptmaps, maps, vocabulary, aliases)
    units = read_units(common / "units.toml")
    _check_words(folder / "study.toml", overrides or {}, parameters, elevated, vocabulary, units)
    study = Study(
        **about,
        parameters=parameters,
        roles=_roles(folder / "study.toml", roles, read_value_sets(folders, vocabulary)),
        agents=_agents(vocabulary),
        labels={code: display for displays in vocabulary.displays.values() for code, display in displays.items()},
        gradings=read_gradings(common / "grading", units),
        elevated_terms=elevated,
        adverse_events=tuple(vocabulary.displays[vocabulary.system("adverse-event-term")]),
        responses=read_response_system(
            parameters.response_system, _asked_by("response_system", folder, overrides or {}), folders, vocabulary
        ),
        durations=read_durations(common / "grading" / "icaht.csv", units),
        measures=_measures(folder),
        fingerprint=_fingerprint([common, folder], parameters),
    )
    return StudyFolder(
        study=study,
        folder=folder,
        terms=terminology(with_site_maps(maps, site_maps), vocabulary, aliases),
        units=units,
        site_system=vocabulary.system("body-site"),
        site_maps=site_maps,
    )


def _split(
    path: Path, written: dict[str, Any]
) -> tuple[dict[str, str], dict[str, str], dict[str, str], dict[str, Any]]:
    for key in _ABOUT:
        if not isinstance(written.get(key), str):
            raise StudyError(f"{path}: `{key}` is missing or not a text", f'add {key} = "..." at the top')
    about = {key: written[key] for key in _ABOUT}
    for table in _TABLES:
        entries = written.get(table, {})
        if not isinstance(entries, dict) or not all(isinstance(value, str) for value in entries.values()):
            raise StudyError(f"{path}: [{table}] is not a table of texts", 'write name = "text" in each line')
    flat = {key: value for key, value in written.items() if key not in (*_ABOUT, *_TABLES)}
    return about, written.get("value_sets", {}), written.get("elevated_terms", {}), flat


def _parameters(path: Path, flat: dict[str, Any], overrides: Mapping[str, str]) -> Parameters:
    known = [*Parameters.model_fields, *_ABOUT, *_TABLES]
    for where, keys in ((f"{path}", flat), ("--set", overrides)):
        for key in keys:
            if key in _ABOUT:
                raise StudyError(f"{where}: `{key}` cannot be set for one run", "it is a line of study.toml")
            if key not in Parameters.model_fields:
                raise StudyError(f"{where}: `{key}` is not a parameter of a study", nearest(key, known))
    try:
        return Parameters.model_validate({**flat, **overrides})
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        key = str(first["loc"][0])
        where = "--set" if key in overrides else str(path)
        default = Parameters.model_fields[key].get_default()
        told = ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)
        hint = (
            f"without the key it is {told or 'empty'}" if default is not PydanticUndefined else "the study must say it"
        )
        raise StudyError(f"{where}: `{key}`: {first['msg']}", hint) from None


def _roles(path: Path, roles: Mapping[str, str], value_sets: Mapping[str, frozenset[str]]) -> Roles:
    needed = list(Roles.model_fields)
    for role, name in roles.items():
        if role not in needed:
            raise StudyError(f"{path}: [value_sets] `{role}` is not a role", nearest(role, needed))
        if name not in value_sets and not (name == _NOTHING and role in _MAY_BE_NOTHING):
            raise StudyError(
                f"{path}: [value_sets] `{role}` names the value set `{name}`, which does not exist",
                nearest(name, list(value_sets)),
            )
    missing = [role for role in needed if role not in roles]
    if missing:
        raise StudyError(f"{path}: [value_sets] lacks the role `{missing[0]}`", "every role needs one value set")
    return Roles(**{role: value_sets.get(name, frozenset()) for role, name in roles.items()})


def _check_words(
    path: Path,
    overrides: Mapping[str, str],
    parameters: Parameters,
    elevated: Mapping[str, str],
    vocabulary: Vocabulary,
    units: Units,
) -> None:
    """Observables and scales that the study names must exist."""
    for observable in elevated:
        if observable not in units.analytes:
            message = f"{path}: [elevated_terms] `{observable}` has no table in units.toml"
            raise StudyError(message, nearest(observable, list(units.analytes)))
    scales = vocabulary.system("grading-scale")
    for key in ("crs_scale", "icans_scale"):
        vocabulary.check(_asked_by(key, path.parent, overrides), f"`{key}`", scales, getattr(parameters, key))


def _asked_by(key: str, folder: Path, overrides: Mapping[str, str]) -> Path:
    """Where the value of a parameter was written, to be named in an error."""
    return Path("--set") if key in overrides else folder / "study.toml"


def _agents(vocabulary: Vocabulary) -> dict[str, Agent]:
    system = vocabulary.system("agent")
    return {
        code: _agent(code, display, vocabulary.properties[system, code])
        for code, display in vocabulary.displays[system].items()
    }


def _agent(code: str, display: str, told: Mapping[str, tuple[str, ...]]) -> Agent:
    return Agent(
        code=code, display=display, targets=told.get("target", ()), continuous="true" in told.get("continuous", ())
    )


def _measures(folder: Path) -> tuple[MeasureFamily, ...]:
    found = []
    for path in sorted((folder / "measures").glob("*.json")):
        resource = read_json(path)
        if resource.get("resourceType") != "Measure" or not resource.get("url") or not resource.get("version"):
            raise StudyError(f"{path} is not a Measure with url and version", "see the other measures of the study")
        found.append(
            MeasureFamily(family=path.stem, url=resource["url"], version=resource["version"], resource=resource)
        )
    return tuple(found)


def _fingerprint(folders: list[Path], parameters: Parameters) -> str:
    """SHA-256 over the files the answers depend on, and the parameters in force."""
    digest = hashlib.sha256(parameters.model_dump_json().encode())
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and _is_asked(path) and path.suffix in (".json", ".toml", ".csv"):
                digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _is_asked(path: Path) -> bool:
    """Published numbers, how to talk to which server, and what to look at first are no part of what the study asks."""
    return "published" not in path.parts and path.name not in ("vendors.toml", "relevance.toml")
