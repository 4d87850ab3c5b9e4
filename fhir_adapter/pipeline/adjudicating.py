"""A line in the adjudication file, ready to be filled in: who, which question, and what the records are today."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.cohort.fingerprint import fingerprint
from fhir_adapter.cohort.reviewable import canonical_rule, reviewable
from fhir_adapter.errors import DiskError, UsageError
from fhir_adapter.mapping.artefacts import nearest
from fhir_adapter.mapping.rulings_file import COLUMNS, EVIDENCE, read_rulings
from fhir_adapter.pipeline import with_last_parameters
from fhir_adapter.pipeline.explain import person_of
from fhir_adapter.progress import Progress
from fhir_adapter.report.timeline.person import Person
from fhir_adapter.settings import Settings
from fhir_adapter.whole_file import write_whole

_MODE = 0o600  # of a new file; that of an old one stays


@dataclass(frozen=True)
class Opened:
    """A line that waits for a verdict: where it stands, what it is about, and the words that may be the verdict."""

    file: Path
    line: int
    finding: AnyFinding
    words: tuple[str, ...]


def open_line(patient: str, rule: str, settings: Settings) -> Opened:
    """Append a line about a finding of a person to the adjudication file, or find the one that waits there."""
    settings = with_last_parameters(settings, Progress())
    path = settings.adjudication
    if path is None:
        hint = "name it with --adjudication or in the settings; it is made if it is not there"
        raise UsageError("there is no adjudication file to write to", hint)
    person = person_of(patient, settings if path.exists() else settings.model_copy(update={"adjudication": None}))
    finding, words = _decidable(person, rule)
    if not _waiting(person, finding.rule, path):
        _append(path, {"person": person.subject.subject_id, "rule": finding.rule, EVIDENCE: str(fingerprint(finding))})
    return Opened(path, _waiting(person, finding.rule, path), finding, words)


def _decidable(person: Person, rule: str) -> tuple[AnyFinding, tuple[str, ...]]:
    """The finding that the rule has made about the person, and the words that may take the place of its verdict."""
    words, name = reviewable(person.study), canonical_rule(rule)
    if name not in words:
        raise UsageError("this rule is none that can be decided by review", nearest(name, list(words)))
    for finding in person.findings:
        if finding.rule == name:
            return finding, words[name]
    message = f"there is no finding `{name}` about this person, so there is nothing to decide"
    raise UsageError(message, "`explain` lists the findings; what nobody recorded can be given as `adverse_events`")


def _waiting(person: Person, rule: str, path: Path) -> int:
    """The line that is still to be filled in, 0 if there is none."""
    lines = read_rulings(path, person.study).rulings if path.exists() else ()
    same = (one for one in lines if one.person in person.subject.patient_ids and one.rule == rule and not one.verdict)
    return next((one.line for one in same), 0)


def _append(path: Path, said: Mapping[str, str]) -> None:
    """Write one line more, in the order of the columns that the file has."""
    written = path.read_text(encoding="utf-8-sig") if path.exists() else ",".join(COLUMNS)
    names = next(csv.reader(io.StringIO(written, newline="")))
    if EVIDENCE not in names:
        message = f"{path}: there is no column `{EVIDENCE}`"
        raise UsageError(message, "add it to the first line: by it a change of the records shows")
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([said.get(name, "") for name in names])
    mode = path.stat().st_mode & 0o777 if path.exists() else _MODE
    try:
        write_whole(path, f"{written.rstrip()}\n{line.getvalue()}".encode(), mode)
    except OSError as problem:
        message = f"{path} cannot be written: {problem.strerror}"
        raise DiskError(message, "make room, or name a file in a folder that you may write") from None
