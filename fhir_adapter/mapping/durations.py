"""Reads the scale of depth and duration of low counts: `mappings/common/grading/icaht.csv`."""

from __future__ import annotations

import csv
from pathlib import Path

from pydantic import ValidationError

from fhir_adapter.cohort.study import DurationClause
from fhir_adapter.errors import StudyError
from fhir_adapter.mapping.units import Units


def read_durations(path: Path, units: Units) -> tuple[DurationClause, ...]:
    """The steps of the scale, in the order of the file; none when the study's `common` has no such file."""
    if not path.is_file():
        return ()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        if any(row["unit"] != units.canonical(row["observable"]) for row in rows):
            raise StudyError(f"{path}: a limit is not in the unit of its observable", "see units.toml")
        names = tuple(DurationClause.model_fields)
        return tuple(DurationClause.model_validate({name: row[name] for name in names}) for row in rows)
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValidationError):
        raise StudyError(f"{path} cannot be read", "compare it with the file that came with the software") from None
