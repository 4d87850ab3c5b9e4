"""The results of one run as they were written, read back: the people, the findings about everybody, the estimates."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.errors import UsageError
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline import with_last_parameters
from fhir_adapter.pipeline.build import build
from fhir_adapter.pipeline.moment import known
from fhir_adapter.pipeline.publish import SOFTWARE
from fhir_adapter.pipeline.site import study_of
from fhir_adapter.progress import Progress
from fhir_adapter.publish.analysis_tables import analysis_files
from fhir_adapter.publish.places import InMemory
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

_SUBJECTS, _FINDINGS, _ESTIMATES = "cohort/subjects.csv", "cohort/findings.ndjson", "analysis/estimates.json"
_MOMENT = re.compile(r"\d+|\d{4}-\d\d-\d\d")

Told = dict[str, Any]  # one JSON object of the output folder


class StudyAsked(msgspec.Struct, frozen=True):
    """Which study; the fingerprint is over its files and parameters."""

    id: str
    version: str
    fingerprint: str


class About(msgspec.Struct, frozen=True):
    """What a result was made from, as in `run.json`; `started_at` is the instant at which its run began."""

    software: str
    started_at: str
    source: str
    study: StudyAsked
    parameters: dict[str, Any]
    content_sha256: str
    asked: Told = {}


@dataclass(frozen=True)
class Result:
    """What one run has left.

    `people` are the Patient ids of everybody in the cohort, by subject id; `findings` the lines of `findings.ndjson`
    about everybody who was judged, by subject id; `estimates` by id and population, None when none were made.
    `inputs` are the SHA-256 of the files that the site keeps beside its records, by name.
    """

    name: str
    about: About
    inputs: Mapping[str, str]
    people: Mapping[str, tuple[str, ...]]
    findings: Mapping[str, tuple[bytes, ...]]
    estimates: Mapping[tuple[str, str], Told] | None

    def rules(self, subject_id: str) -> dict[str, Told]:
        """The findings about one person, by rule."""
        return {one["rule"]: one for one in map(json.loads, self.findings.get(subject_id, ()))}


def read_result(run: str, settings: Settings) -> Result:
    """The results that `run` names: a folder (an output folder, a generation in it, a copy), or the number or day of a
    run, which is judged again from the landing store of `settings.out` with the study and parameters of its results.

    Raises `UsageError` when there are none, `IncompleteError` when nothing whole was known at that moment.
    """
    if Path(run).is_dir():
        return _read_folder(Path(run))
    if _MOMENT.fullmatch(run):
        return _judge_again(run, settings)
    raise UsageError(
        f"{run} is no folder with results, no number of a run and no day",
        "name an output folder, a folder under its .generations, a run such as 12, or a day such as 2026-03-31",
    )


def read_last_two(out: OutputFolder) -> tuple[Result, Result]:
    """The results before the current ones, and the current ones."""
    generations = out.generations()
    if len(generations) < 2:
        raise UsageError(
            f"{out.path} does not hold two results to compare", "name two runs, or run again after something changed"
        )
    return _read_folder(generations[-2]), _read_folder(generations[-1])


def _read_folder(folder: Path) -> Result:
    """The results in a folder; those of an output folder all from one generation, whatever is published meanwhile."""
    place = next(reversed(OutputFolder(folder).generations()), folder)

    def read(name: str) -> bytes | None:
        try:
            return (place / name).read_bytes()
        except OSError:
            return None

    written = read("run.json")
    if written is None:
        raise _no_results(str(folder))
    try:
        about = msgspec.json.decode(written, type=About)
        return _result(str(folder), about, _inputs(about.asked), read)
    except (ValueError, KeyError, TypeError) as problem:  # msgspec's are ValueErrors
        hint = "make them again with `fhir-adapter run`"
        raise UsageError(f"the results in {folder} cannot be read", hint) from problem


def _no_results(name: str) -> UsageError:
    return UsageError(f"there are no results in {name}", "name an output folder that a run has written")


def _judge_again(run: str, settings: Settings) -> Result:
    settings = with_last_parameters(settings, Progress())
    folder = study_of(settings)
    with Store.reopen(OutputFolder(settings.out).store) as store:
        moment = known(store, run)
        cohort = build(moment.view, folder, place=(tables := InMemory()))
        study = folder.study
        about = About(
            software=SOFTWARE,
            started_at=moment.run.started_at,
            source=store.source,
            study=StudyAsked(study.id, study.version, study.fingerprint),
            parameters=json.loads(study.parameters.model_dump_json()),
            content_sha256=moment.view.content_hash(),
        )
    flow = [(row.step, row.n_left) for row in cohort.flow]
    analysed = analysis_files(cohort.times, estimate(cohort.people, cohort.times, flow, study), study)
    files = {f"cohort/{name}": content for name, content in tables.files.items()}
    files |= {f"analysis/{name}": content for name, content in analysed.items()}
    return _result(f"run {moment.run.run} of {settings.out}", about, folder.inputs, files.get)


def _inputs(asked: Told) -> dict[str, str]:
    """The hashes of the site's own files as run.json tells them, under the names of `StudyFolder.inputs`."""
    beside = {"adverse-events": asked.get("sha256"), "adjudication": asked.get("adjudication", {}).get("sha256")}
    maps = asked.get("conceptmaps", {}).get("files", {})
    named = {f"conceptmap-{name.removesuffix('.json')}": one["sha256"] for name, one in maps.items()}
    return {name: sha256 for name, sha256 in {**beside, **named}.items() if sha256}


def _result(name: str, about: About, inputs: Mapping[str, str], read: Callable[[str], bytes | None]) -> Result:
    subjects, findings, estimates = (read(one) for one in (_SUBJECTS, _FINDINGS, _ESTIMATES))
    if subjects is None or findings is None:
        raise _no_results(name)
    rows = csv.DictReader(io.StringIO(subjects.decode(), newline=""))
    return Result(
        name=name,
        about=about,
        inputs=inputs,
        people={_ids(row["subject_id"])[0]: _ids(row["patient_ids"]) for row in rows},
        findings=_by_person(findings.split(b"\n")),
        estimates=None if estimates is None else {_key(one): one for one in json.loads(estimates)},
    )


def _ids(cell: str) -> tuple[str, ...]:
    """The ids in a cell. An apostrophe before them is ours: an id may begin like a formula and never with one."""
    return tuple(cell.removeprefix("'").split(";"))


class _About(msgspec.Struct):
    subject_id: str


def _by_person(lines: Iterable[bytes]) -> dict[str, tuple[bytes, ...]]:
    """The lines as they are: what is the same on both sides need not be read, and thousands of people fit."""
    decoder = msgspec.json.Decoder(_About)
    found: dict[str, list[bytes]] = {}
    for line in lines:
        if line:
            found.setdefault(decoder.decode(line).subject_id, []).append(line)
    return {subject_id: tuple(own) for subject_id, own in found.items()}


def _key(estimate: Told) -> tuple[str, str]:
    return estimate["id"], estimate["population"]
