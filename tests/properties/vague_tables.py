"""Records of one person as tables of `spec.people`: as they were written down, and with the true day of every line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from hypothesis import strategies as st

_START = date(2023, 6, 1)
_PRECISION = {"day": 10, "month": 7, "year": 4}


@dataclass(frozen=True)
class Row:
    """A record with the day it truly was, and what of it was written down."""

    day: date
    precision: str
    what: str

    def written(self, exact: bool) -> str:
        kept = 10 if exact else _PRECISION[self.precision]
        return f"{self.day.isoformat()[:kept]} | {self.what}"


def rows(*what: str, spread: int = 330, precisions: Sequence[str] = ("day", "day", "month")) -> st.SearchStrategy[Row]:
    days = st.integers(0, spread).map(lambda shift: _START + timedelta(days=shift))
    return st.builds(Row, days, st.sampled_from(precisions), st.sampled_from(what))


def tables(*some: st.SearchStrategy[Row], most: int = 6, fixed: str = "") -> st.SearchStrategy[tuple[str, str]]:
    """(a record as written, the same record with every day)."""

    def both(found: list[Row]) -> tuple[str, str]:
        return tuple("\n".join([fixed, *(row.written(exact) for row in found)]) for exact in (False, True))  # type: ignore[return-value]

    return st.lists(st.one_of(*some), min_size=1, max_size=most).map(both)


INDEX = "2024-03-04 | apheresis\n2024-04-01 | infusion"
BSAB_ROWS = rows("glofitamab", "glofitamab", "epcoritamab", "glofitamab | amount unknown")
DRUG_ROWS = rows("rituximab", "obinutuzumab", "polatuzumab-vedotin", "lenalidomide", "fludarabine")
SCAN_ROWS = rows("CR", "PR", "SD", "PD", "PD", "NE", "IR")
BASELINE_ROWS = rows(
    "ldh 200 (-250)",
    "ldh 300 (-250)",
    "ECOG 1",
    "ECOG 2",
    "stage 2",
    "stage 4",
    "stage 4 | condition",
    "disease in bone",
    "disease in lung",
    "disease in none",
    "lesion 40",
    "lesion 90",
)

WHOLE = """
    1960-05-01 | born
    2022-01-01 | dlbcl
    2024-03-04 | apheresis
    2024-04-01 | infusion
    2023-12-01 | glofitamab
"""
EVERYTHING = st.one_of(
    BSAB_ROWS,
    DRUG_ROWS,
    SCAN_ROWS,
    BASELINE_ROWS,
    rows("platelets 20 (125-350)", "platelets 60 (125-350)", "alt 100 (0-50)", "alt 30 (0-50)", "d-dimer 1 (-0.5)"),
    rows("CRS 1", "CRS ?", "ICANS 2", "visit", "apheresis", "apheresis | failed", "allogeneic-hct"),
)
