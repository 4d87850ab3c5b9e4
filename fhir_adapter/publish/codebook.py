"""The codebook: name, label, unit, type and code list of every column that leaves for a statistician."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from fhir_adapter.cohort.study import Study
from fhir_adapter.publish.csv_table import write_table

Kind = Literal["text", "texts", "integer", "number", "boolean", "date"]
_COLUMNS = ("table", "name", "label", "unit", "type", "codes")


@dataclass(frozen=True)
class Column:
    """One column. `unit` is UCUM, or the name of the column that holds the unit; `codes` maps a code to its meaning."""

    table: str
    name: str
    label: str
    unit: str
    type: Kind
    codes: Mapping[str, str]


@cache
def columns(table: str) -> tuple[Column, ...]:
    """The columns of one table, in order."""
    return tuple(one for one in _read() if one.table == table)


@cache
def _read() -> tuple[Column, ...]:
    text = (files("fhir_adapter.publish") / "codebook.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(io.StringIO(text))
    kinds: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
    return tuple(
        Column(row["table"], row["name"], row["label"], row["unit"], kinds[row["type"]], _codes(row["codes"]))
        for row in rows
    )


def _codes(cell: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in cell.split(";") if pair)
    return {code: meaning for code, _, meaning in pairs}


def codebook_files(study: Study) -> dict[str, bytes]:
    """`codebook.csv` and `codebook.json`, with the code lists of this study."""
    known = [asdict(one) | {"codes": _of_study(one.codes, study)} for one in _read()]
    rows = ({**one, "codes": [f"{code}={told}" for code, told in one["codes"].items()]} for one in known)
    return {
        "codebook.csv": write_table(_COLUMNS, rows),
        "codebook.json": (json.dumps(known, ensure_ascii=False, indent=1) + "\n").encode(),
    }


def _of_study(codes: Mapping[str, str], study: Study) -> dict[str, str]:
    """A code list; one that begins with @ is that of the study."""
    match next(iter(codes), ""):
        case "@bsab":
            return _agents(study.roles.bsab, study)
        case "@car_t":
            return _agents(study.roles.car_t, study)
        case "@responses":
            return {one.code: one.kind for one in study.responses.categories}
        case _:
            return dict(codes)


def _agents(codes: Iterable[str], study: Study) -> dict[str, str]:
    return {code: study.agents[code].display if code in study.agents else code for code in sorted(codes)}
