"""The attrition: who left at which step, for which reason, in rows that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from fhir_adapter.cohort.events import Frozen
from fhir_adapter.cohort.judgement import STEPS


class FlowRow(Frozen):
    """People who left at `step` for `reason`; the reason is empty where nobody left."""

    step: str
    reason: str
    n_in: int
    n_out: int
    n_left: int


def flow(patients: int, exits: Mapping[tuple[str, str], int]) -> tuple[FlowRow, ...]:
    """The rows of the attrition, from every Patient that was received to the cohort.

    `exits` counts people by (step, reason). Each row begins with what the row before has left.
    """
    rows: list[FlowRow] = []
    left = patients
    for name in STEPS:
        leaving = sorted((reason, count) for (step, reason), count in Counter(exits).items() if step == name)
        for reason, count in leaving or [("", 0)]:
            rows.append(FlowRow(step=name, reason=reason, n_in=left, n_out=count, n_left=left - count))
            left -= count
    return tuple(rows)
