"""The baseline of `mapping.py`: the same grades from dictionaries, line after line, with floats and plain dates.

    PYTHON dict_streaming.py FOLDER ROUNDS

As little as gives the same sum of grades on the generated data: a code, a unit, limits, a day. Nothing is checked,
normalised, told apart by specimen, or kept with its source.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from costs import tell

ZONE = ZoneInfo("Asia/Shanghai")


def graded(lines: Iterable[bytes], tables: dict[str, Any]) -> int:
    import orjson

    codes, factors, plausible, clauses = (tables[name] for name in ("codes", "factors", "plausible", "clauses"))
    total = 0
    for line in lines:
        found = orjson.loads(line)
        name = next((codes[one["code"]] for one in found["code"]["coding"] if one["code"] in codes), None)
        if name not in factors or found["status"] == "entered-in-error":
            continue
        datetime.fromisoformat(found["effectiveDateTime"]).astimezone(ZONE).date()
        quantity, ranges = found.get("valueQuantity"), found.get("referenceRange")
        if not quantity or (factor := factors[name].get(quantity.get("code"))) is None:
            continue
        value = quantity["value"] * factor
        if not plausible[name][0] <= value <= plausible[name][1]:
            continue
        limits = ranges[0] if ranges else {}
        low, high = (limits[end]["value"] * factor if end in limits else None for end in ("low", "high"))
        for term in clauses.get(name, ()):
            total += max((one["grade"] for one in term if holds(one, value, low, high)), default=0)
    return total


def holds(clause: dict[str, Any], value: float, low: float | None, high: float | None) -> bool:
    """Without a baseline, which is graded as a normal one."""
    if (
        clause["direction"] == "transfused"
        or clause["of"] == "baseline"
        or clause["when_baseline"] not in ("any", "normal")
    ):
        return False
    reference = {"absolute": 1.0, "LLN": low, "ULN": high}[clause["of"]]
    if reference is None:
        return False
    limit = clause["limit"] * reference
    if clause["direction"] == "below":
        return value < limit
    return value > limit if clause["direction"] == "above" else value >= limit


def main() -> None:
    folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
    tables = json.loads((folder / "tables.json").read_text(encoding="utf-8"))
    for name, factors in tables["factors"].items():
        tables["factors"][name] = {unit: float(factor) for unit, factor in factors.items()}
        tables["plausible"][name] = [float(end) for end in tables["plausible"][name]]
    for terms in tables["clauses"].values():
        for clause in (one for term in terms for one in term):
            clause["limit"] = float(clause["limit"])
    lines = (folder / "Observation.ndjson").read_bytes().splitlines()
    tell(lambda: sum(graded(lines, tables) for _ in range(rounds)))


if __name__ == "__main__":
    main()
