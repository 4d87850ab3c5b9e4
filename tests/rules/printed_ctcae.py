"""A slow reader of CTCAE as it is printed: it grades by the sentences of the tables and knows nothing of their columns.

It is the oracle for the grading rules: exact fractions, one sentence after the other, no clause of ours.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

GRADING = Path(__file__).parents[2] / "mappings/common/grading"
FILES = {"5.0": "ctcae-v5.csv", "6.0": "ctcae-v6.csv"}
UPWARDS = re.compile("increased|prolonged")
_N = r"(\d+(?:\.\d+)?)"
# What a laboratory value cannot say.
_NO_LABORATORY = re.compile(
    r"transfusion|bleeding|life-threatening|urgent|monitoring|dose adjustment|anticoagulation|INR"
)


@dataclass(frozen=True)
class Known:
    """A value, the limits of its laboratory and the value before treatment with the same limits."""

    value: Fraction
    lower: Fraction
    upper: Fraction
    baseline: Fraction | None = None


@cache
def sentences(version: str, term: str) -> dict[int, list[str]]:
    """The printed alternatives of every grade of a term."""
    with (GRADING / FILES[version]).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["term_code"] == term]
    return {int(row["grade"]): [part.strip() for part in row["text"].split(";")] for row in rows}


def printed_grade(version: str, term: str, known: Known) -> int:
    """The highest grade of which one printed alternative holds."""
    held = [
        grade
        for grade, parts in sentences(version, term).items()
        if any(_holds(part, parts, known) for part in parts if not _NO_LABORATORY.search(part))
    ]
    return max(held, default=0)


def _holds(part: str, parts: list[str], known: Known) -> bool:
    if part == "Present":
        return known.value < known.lower
    if part == ">Baseline and ULN":
        return known.value > known.upper and (not _too_high(known) or known.value > (known.baseline or 0))
    if "decrease from baseline" in part:
        return _fallen(part, known)
    if found := re.fullmatch(rf">{_N}(?: - {_N})?", part):
        return known.value > Fraction(found[1])
    if found := re.search(rf"absolute value <{_N} mg/dL", part):
        return known.value < Fraction(found[1]) / 100
    if "baseline" in part.partition(" if ")[0]:
        return _risen(part, known)
    if "ULN" in part:
        found = re.match(rf">(ULN|{_N})", part)
        assert found, part
        times = Fraction(1) if found[1] == "ULN" else Fraction(found[1])
        return not ("if baseline" in part and _too_high(known)) and known.value > times * known.upper
    return _low(part, known)


def _low(part: str, known: Known) -> bool:
    """`<LLN - ...`, `<0.75 - 0.5 x LLN`, or a number in the unit in which values are kept (g/L, 10^9/L)."""
    if "<LLN" in part:
        return known.value < known.lower
    found = re.search(rf"<{_N}", part)
    assert found, part
    if "x LLN" in part:
        return known.value < Fraction(found[1]) * known.lower
    kept = re.search(r"g/L|10e9 ?/L|10\^9/L", part)
    return bool(kept) and known.value < Fraction(found[1])


def _risen(part: str, known: Known) -> bool:
    """`1.5 - 3.0 x baseline if baseline was abnormal`: an unchanged value has not risen."""
    if known.baseline is None:
        return False
    found = re.match(rf"(>?)\s*{_N}", part)
    assert found, part
    if "below LLN" in part and known.baseline >= known.lower:
        return False
    if re.search(r"abnormal|baseline was >ULN", part) and not _too_high(known):
        return False
    limit = Fraction(found[2]) * known.baseline
    return known.value > limit or (not found[1] and Fraction(found[2]) != 1 and known.value == limit)


def _fallen(part: str, known: Known) -> bool:
    """`if abnormal, 25 - <50% decrease from baseline`, for a baseline below the lower limit."""
    if known.baseline is None or known.baseline >= known.lower:
        return False
    fall = (known.baseline - known.value) / known.baseline if known.baseline else Fraction(0)
    least = Fraction(0) if "<25%" in part else Fraction(re.search(rf"{_N}", part)[1]) / 100  # type: ignore[index]
    return fall >= least and fall > 0


def _too_high(known: Known) -> bool:
    return known.baseline is not None and known.baseline > known.upper
