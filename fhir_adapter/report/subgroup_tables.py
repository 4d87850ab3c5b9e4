"""The study's subgroups in the report: a line for each level, and what their comparison says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fhir_adapter.analysis import wording
from fhir_adapter.analysis.subgroups import COMPARED
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subgroup import Subgroup
from fhir_adapter.report.subgroup_ids import is_comparison
from fhir_adapter.report.table import DASH, Table
from fhir_adapter.report.tables import rate, told_field

_CAUTION = (
    "Groups were not drawn by lot and are not adjusted for each other: "
    "a difference between them is no proof of an effect."
)


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
    """For each subgroup and endpoint the log-rank test, and the hazard ratio of each level against the first."""
    by_id = {one.id: one for one in estimates if is_comparison(one)}
    rows, caveats = [], dict[str, None]()
    for subgroup in study.subgroups:
        for endpoint in COMPARED:
            test = by_id.get(f"{endpoint.lower()}.logrank.{subgroup.column}")
            for level in subgroup.levels[1:]:
                ratio = by_id.get(f"{endpoint.lower()}.hr.{subgroup.column}.{level}")
                rows.append(
                    (_against(subgroup, level, study), endpoint, *_compared(test, ratio, study.parameters.digits))
                )
                caveats |= dict.fromkeys(_caveats(ratio))
    told = f" {'; '.join(caveats)}." if caveats else ""
    heads = ("Groups", "Endpoint", "Log-rank test", "Hazard ratio", "Interval", "People", "Events")
    return Table(heads, tuple(rows), f"{_CAUTION}{told[:2].upper()}{told[2:]}" if rows else "")


def _against(subgroup: Subgroup, level: str, study: Study) -> str:
    one, other = (study.display(subgroup.level_label(name)) for name in (level, subgroup.levels[0]))
    return f"{subgroup.label}: {one} against {other}"


def _compared(test: Estimate | None, ratio: Estimate | None, digits: int) -> tuple[str, ...]:
    return (
        wording.result(test, digits) if test else DASH,
        wording.result(ratio, digits) if ratio else DASH,
        (wording.interval(ratio, digits) if ratio else "") or DASH,
        *(told_field(ratio, name) if ratio else DASH for name in ("n", "events")),
    )


def _caveats(ratio: Estimate | None) -> tuple[str, ...]:
    """What a ratio cannot say; there is none without it."""
    told = ratio.parameters.get("caveat") if ratio else ""
    return tuple(str(told).split("; ")) if told else ()


def _count(people: Estimate | None) -> str:
    return DASH if people is None or people.value is None else wording.result(people, 0)
