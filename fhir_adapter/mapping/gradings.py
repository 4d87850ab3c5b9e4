"""Reads the laboratory clauses of every version of the CTCAE, one clause a row."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import msgspec

from fhir_adapter.cohort.study import GradeClause
from fhir_adapter.errors import StudyError
from fhir_adapter.mapping.artefacts import nearest
from fhir_adapter.mapping.units import Units

_COLUMNS = ("term", "term_code", "observable", "grade", "direction", "limit", "of", "when_baseline", "unit")
_VERSIONS = {"5.0": "ctcae-v5.csv", "6.0": "ctcae-v6.csv"}


def read_gradings(folder: Path, units: Units) -> dict[str, tuple[GradeClause, ...]]:
    """The clauses of the tables in a folder, by version."""
    return {version: _read_grading(folder / name, units) for version, name in _VERSIONS.items()}


def _read_grading(path: Path, units: Units) -> tuple[GradeClause, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            missing = [column for column in _COLUMNS if column not in (table.fieldnames or ())]
            if missing:
                hint = f"its first line names {', '.join(_COLUMNS)}"
                raise StudyError(f"{path} has no column `{missing[0]}`", hint)
            clauses = tuple(_clause(path, number, row, units) for number, row in enumerate(table, start=2))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise StudyError(f"{path} cannot be read", "the grading tables belong to mappings/common") from None
    if not clauses:
        raise StudyError(f"{path} has no grading clauses", "without them no laboratory toxicity can be graded")
    return clauses


def _clause(path: Path, number: int, row: Mapping[str, str], units: Units) -> GradeClause:
    observable = row.get("observable", "")
    if observable not in units.analytes:
        raise StudyError(
            f"{path}: line {number}: `{observable}` has no table in units.toml",
            nearest(observable, list(units.analytes)),
        )
    if row.get("unit") and row["unit"] != units.canonical(observable):
        raise StudyError(
            f"{path}: line {number}: the limit is in {row['unit']}",
            f"write it in {units.canonical(observable)}",
        )
    names = [name for name in GradeClause.__struct_fields__ if name in row]
    try:
        return msgspec.convert({name: row[name] for name in names}, GradeClause, strict=False)
    except msgspec.ValidationError:
        raise StudyError(f"{path}: line {number} is not a grading clause", "compare it with its neighbours") from None
