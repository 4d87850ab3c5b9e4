"""The best category of a series of assessments, up to the first progression.

Order CR > PR > SD > PD > NE. An indeterminate response is, by `ir_policy`, no event until a later assessment confirms
progression (which then dates from the indeterminate one), progression, or stable disease. Source: clinical brief §1.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

_ORDER = ("CR", "PR", "responded-unspecified", "SD", "PD")
RESPONDED = frozenset(("CR", "PR", "responded-unspecified"))
NOT_EVALUABLE = "NE"


def best_of(series: Sequence[tuple[date, str]], ir_policy: str) -> tuple[str, date | None]:
    """(best category, day of the first progression) of assessments in order of days; `NE` when none can be used."""
    settled = resolve_indeterminate(series, ir_policy)
    progressed = next((day for day, category in settled if category == "PD"), None)
    counted = [category for day, category in settled if progressed is None or day <= progressed]
    best = next((category for category in _ORDER if category in counted), NOT_EVALUABLE)
    return best, progressed


def resolve_indeterminate(series: Sequence[tuple[date, str]], ir_policy: str) -> list[tuple[date, str]]:
    """Replace every indeterminate response (IR) by what the policy makes of it."""
    return [
        (day, _resolved(category, series[position + 1 :], ir_policy)) for position, (day, category) in enumerate(series)
    ]


def _resolved(category: str, later: Sequence[tuple[date, str]], ir_policy: str) -> str:
    if category != "IR":
        return category
    if ir_policy == "as_pd":
        return "PD"
    if ir_policy == "as_sd":
        return "SD"
    confirming = next((next_one for _, next_one in later if next_one not in ("IR", NOT_EVALUABLE)), "")
    return "PD" if confirming == "PD" else NOT_EVALUABLE
