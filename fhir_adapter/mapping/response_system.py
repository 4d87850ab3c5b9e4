"""Reads a system of response categories: a file of `response/`, one category a row, the best first."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from fhir_adapter.cohort.response_system import ALWAYS_THERE, Category, Kind, ResponseSystem
from fhir_adapter.errors import StudyError
from fhir_adapter.mapping.artefacts import Vocabulary, nearest

_COLUMNS = ("category", "kind", "reported", "or_better")
_YES = {"yes": True, "no": False}


def read_response_system(name: str, asked_by: Path, folders: list[Path], vocabulary: Vocabulary) -> ResponseSystem:
    """The system `name` of the last folder that has it; `asked_by` says who asked for it in an error."""
    found = {path.stem: path for folder in folders for path in sorted((folder / "response").glob("*.csv"))}
    if name not in found:
        raise StudyError(f"{asked_by}: `response_system` names `{name}`, which does not exist", nearest(name, found))
    path, categories = found[name], vocabulary.system("response-category")
    system = ResponseSystem(name=name, categories=tuple(_categories(path)))
    for one in system.categories:
        vocabulary.check(path, "the column `category`", categories, one.code)
    if wrong := _fault(system.categories):
        raise StudyError(f"{path} {wrong}", "compare it with its neighbours")
    return system


def _fault(categories: Sequence[Category]) -> str:
    """What is wrong with the categories as a whole; empty when nothing is."""
    kinds = {one.code: one.kind for one in categories}
    if len(kinds) < len(categories):
        return "has a category twice"
    if strange := [code for code, kind in ALWAYS_THERE.items() if kinds.get(code) != kind]:
        return f"lacks the category `{strange[0]}` of the kind `{ALWAYS_THERE[strange[0]]}`"
    places = [get_args(Kind).index(one.kind) for one in categories]
    return "" if places == sorted(places) else "is not in order: the best category comes first"


def _categories(path: Path) -> list[Category]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            if tuple(table.fieldnames or ()) != _COLUMNS:
                raise StudyError(f"{path} has other columns", f"its first line is {','.join(_COLUMNS)}")
            return [_category(path, number, row) for number, row in enumerate(table, start=2)]
    except (OSError, UnicodeDecodeError, csv.Error):
        raise StudyError(f"{path} cannot be read", "it is a table of response categories") from None


def _category(path: Path, number: int, row: Mapping[str, Any]) -> Category:
    try:
        reported = _YES[row["reported"]]
        return Category(code=row["category"], kind=row["kind"], reported=reported, or_better=row["or_better"] or "")
    except (ValidationError, KeyError):
        hint = "kind is one of complete, response, minor, stable, progression, ...; reported is yes or no"
        raise StudyError(f"{path}: line {number} is not a response category", hint) from None
