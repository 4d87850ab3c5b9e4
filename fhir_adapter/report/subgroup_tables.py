"""The study's subgroups in the report: a line for each level, and what their comparison says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fhir_adapter.analysis import wording
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.study import Study
from fhir_adapter.report.tables import DASH, Table, rate

_COMPARED = (".logrank.", ".hr.")
_CAUTION = (
    "Groups were not drawn by lot and are not adjusted for each other: "
    "a difference between them is no proof of an effect."
)


def is_of_subgroup(estimate: Estimate) -> bool:
    """Whether an estimate speaks of a subgroup, or of the comparison of subgroups."""
    return "[" in estimate.id or any(word in estimate.id for word in _COMPARED)


def levels(estimates: Iterable[Estimate], study: Study) -> Table:
    """One line per level: people, overall response, and PFS and OS at the last of the study's timepoints."""
    by_id = {estimate.id: estimate for estimate in estimates}
    last = max(study.parameters.timepoints_months, default=0)
    asked = ("response.orr", f"pfs.{last}m", f"os.{last}m")
    rows = []
    for subgroup in study.subgroups:
        for level in subgroup.levels:
            mark = f"[{subgroup.population(level)}]"
            people = by_id.get(f"baseline.n{mark}")
            cells = (rate(by_id.get(f"{name}{mark}"), study.parameters.digits) for name in asked)
            name = f"{subgroup.label}: {study.display(subgroup.level_label(level))}"
            rows.append((name, _count(people), *cells))
    heads = ("Group", "People", "Response", f"PFS at {last} months", f"OS at {last} months")
    return Table(heads, tuple(rows), "Whoever has no settled value is in no group." if rows else "")


def comparisons(estimates: Sequence[Estimate], study: Study) -> Table:
    """The log-rank tests and hazard ratios, each with its caveat in its name."""
    digits = study.parameters.digits
    rows = tuple(
        (
            one.label,
            wording.result(one, digits),
            wording.interval(one, digits) or DASH,
            str(one.n),
            DASH if one.events is None else str(one.events),
        )
        for one in estimates
        if any(word in one.id for word in _COMPARED)
    )
    return Table(("Comparison", "Value", "Interval", "People", "Events"), rows, _CAUTION if rows else "")


def _count(people: Estimate | None) -> str:
    return DASH if people is None or people.value is None else wording.result(people, 0)
