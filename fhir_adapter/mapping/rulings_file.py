"""Reads what reviewers decided: the CSV file of the setting `adjudication`, one line a decision.

Columns: docs/how-to/adjudication.md.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path

from fhir_adapter.cohort.fingerprint import written_fingerprint
from fhir_adapter.cohort.review import Ruling, Rulings
from fhir_adapter.cohort.reviewable import canonical_rule, canonical_verdict, reviewable
from fhir_adapter.cohort.study import Study
from fhir_adapter.errors import UsageError
from fhir_adapter.mapping.artefacts import nearest

COLUMNS = ("person", "rule", "verdict", "reviewer", "date", "reason", "evidence")
EVIDENCE = "evidence"
"""The only column that may be missing."""
_SIGNED = ("reviewer", "date", "reason")

Words = Mapping[str, tuple[str, ...]]


def read_rulings(path: Path | None, study: Study) -> Rulings:
    """Read and check the whole file. A line that cannot be used is a `UsageError` that tells its number and no more."""
    if path is None:
        return Rulings()
    words = reviewable(study)
    try:
        content = path.read_bytes()
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        _check_columns(path, tuple(rows.fieldnames or ()))
        rulings = tuple(_rulings(path, rows, words))
    except (OSError, UnicodeDecodeError, csv.Error):
        hint = "it is a CSV file in UTF-8, separated by commas; `adjudication` in the settings names it"
        raise UsageError(f"{path} cannot be read, so what reviewers decided would be missing", hint) from None
    _check_one_mind(path, rulings)
    return Rulings(rulings=rulings, sha256=hashlib.sha256(content).hexdigest())


def _check_columns(path: Path, written: tuple[str, ...]) -> None:
    for name in written:
        if name not in COLUMNS:
            raise UsageError(f"{path}: a column of its first line is not known", nearest(name, list(COLUMNS)))
    for name in COLUMNS:
        if name not in written and name != EVIDENCE:
            raise UsageError(f"{path}: there is no column `{name}`", f"the columns are {', '.join(COLUMNS)}")


def _rulings(path: Path, rows: csv.DictReader[str], words: Words) -> Iterator[Ruling]:
    for row in rows:
        where = f"{path}: line {rows.line_num}"
        if None in row:
            raise UsageError(f"{where}: there are more cells than columns", 'put a text with commas into "quotes"')
        said = {name: (row.get(name) or "").strip() for name in COLUMNS}
        if any(said.values()):
            yield _ruling(where, said, words, rows.line_num)


def _ruling(where: str, said: Mapping[str, str], words: Words, line: int) -> Ruling:
    person, rule = said["person"].removeprefix("Patient/"), canonical_rule(said["rule"])
    if not person:
        raise UsageError(f"{where}: nobody is named", "`person` is the logical id of the Patient")
    if rule not in words:
        raise UsageError(f"{where}: this rule is none that can be decided by review", nearest(rule, list(words)))
    verdict = canonical_verdict(said["verdict"], words[rule])
    if said["verdict"] and not verdict:
        raise UsageError(f"{where}: the verdict is none of this rule", f"{rule}: {_told(words[rule])}")
    for name in _SIGNED:
        if verdict and not said[name]:
            raise UsageError(f"{where}: a verdict without `{name}`", "who decided, on which day, and why, is needed")
    if said["evidence"] and written_fingerprint(said["evidence"]) is None:
        raise UsageError(f"{where}: the evidence is no fingerprint", "copy it from `explain`, or leave it empty")
    return Ruling(
        person=person,
        rule=rule,
        verdict=verdict,
        reviewer=said["reviewer"],
        on=_day(where, said["date"]),
        reason=said["reason"],
        evidence=said["evidence"].casefold(),
        line=line,
    )


def _told(words: Iterable[str]) -> str:
    """The words, numbers as the span they are."""
    numbers = [int(word) for word in words if word.isdecimal()]
    others = [word for word in words if not word.isdecimal()]
    return ", ".join([*([f"{min(numbers)} to {max(numbers)}"] if numbers else []), *others])


def _day(where: str, written: str) -> date | None:
    """The day of the decision; it must be exact, because the last one of a reviewer counts."""
    if not written:
        return None
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise UsageError(f"{where}: the date cannot be read", "write the day of the decision as 2026-03-14") from None


def _check_one_mind(path: Path, rulings: Iterable[Ruling]) -> None:
    """One reviewer cannot decide twice on one day: which of the two counts, nobody could tell."""
    decided: dict[tuple[str, str, str, date | None], Ruling] = {}
    for one in rulings:
        before = decided.setdefault((one.person, one.rule, one.voice, one.on), one) if one.verdict else one
        if before.verdict != one.verdict:
            message = f"{path}: lines {before.line} and {one.line} contradict each other: one reviewer, one day"
            raise UsageError(message, "take away the one that does not hold, or date the later one later")
