"""Subgroups compared: the log-rank test and hazard ratios of PFS and OS, never without what they cannot say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from fhir_adapter.analysis.cox import HazardRatio, NoFit, hazard_ratios
from fhir_adapter.analysis.log_rank import LogRank, log_rank
from fhir_adapter.analysis.risk_table import RiskTable, risk_table
from fhir_adapter.analysis.subgroups import COMPARED, Member, members
from fhir_adapter.analysis.survival_estimates import NAMES, PARAMETERS
from fhir_adapter.cohort.case import Case
from fhir_adapter.cohort.estimate import Endpoint, Estimate, EventTime
from fhir_adapter.cohort.finding import Json
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subgroup import Subgroup

_UNADJUSTED = "not adjusted: the groups may differ in more than this"
_PROPORTIONAL = "the ratio is taken to be the same at all times"


def comparisons(people: Sequence[Case], times: Sequence[EventTime], study: Study) -> Iterator[Estimate]:
    """For every subgroup and endpoint: the log-rank test, then the hazard ratio of each level against the first."""
    for subgroup in study.subgroups:
        everybody = members(people, subgroup)
        for endpoint in COMPARED:
            compared = _compared(subgroup, endpoint, everybody, times)
            yield _test(compared, study)
            yield from _ratios(compared, study)


@dataclass(frozen=True)
class _Compared:
    """The people of one level each, with a time in days; `groups` has the level of each, as a number."""

    subgroup: Subgroup
    endpoint: Endpoint
    days: tuple[int, ...]
    events: tuple[bool, ...]
    groups: tuple[int, ...]
    missing: int

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """The levels with somebody in them."""
        return tuple(level for number, level in enumerate(self.subgroup.levels) if number in self.groups)

    @cached_property
    def table(self) -> RiskTable | None:
        """None when there are no two levels with people."""
        if len(self.levels) < 2:
            return None
        numbers = {self.subgroup.levels.index(level): number for number, level in enumerate(self.levels)}
        return risk_table(self.days, self.events, [numbers[group] for group in self.groups], len(self.levels))

    @property
    def not_comparable(self) -> str:
        """Why nothing can be compared; empty when something can."""
        if self.table is None:
            return "fewer than two groups with people and times"
        return "" if self.table.events else "no event in any group"


def _compared(
    subgroup: Subgroup, endpoint: Endpoint, everybody: Sequence[Member], times: Sequence[EventTime]
) -> _Compared:
    known = {time.subject_id: time for time in times if time.endpoint == endpoint and time.days is not None}
    rows = [
        (time.days, time.event, subgroup.levels.index(member.levels[0]))
        for member in everybody
        if len(member.levels) == 1 and (time := known.get(member.person.subject_id))
    ]
    return _Compared(
        subgroup,
        endpoint,
        days=tuple(days for days, _, _ in rows if days is not None),
        events=tuple(event for _, event, _ in rows),
        groups=tuple(group for _, _, group in rows),
        missing=len(everybody) - len(rows),
    )


def _test(compared: _Compared, study: Study) -> Estimate:
    found = log_rank(compared.table) if compared.table else None
    reason = compared.not_comparable or ("" if found else "the groups were never at risk together")
    return _estimate(
        compared,
        study,
        name=f"{compared.endpoint.lower()}.logrank.{compared.subgroup.column}",
        label=f"{NAMES[compared.endpoint]}, log-rank test by {compared.subgroup.label}",
        method="log-rank",
        value=found.p_value if found else None,
        not_estimable=reason,
        said=_said_of_test(found, compared, study),
    )


def _said_of_test(found: LogRank | None, compared: _Compared, study: Study) -> dict[str, Json]:
    said: dict[str, Json] = {"groups": "|".join(compared.subgroup.levels)}
    if found:
        said |= {"chi_square": found.chi_square, "degrees_of_freedom": found.degrees_of_freedom}
        said |= {"caveat": "; ".join((*_few(compared, study), _UNADJUSTED))}
    return said


def _ratios(compared: _Compared, study: Study) -> Iterator[Estimate]:
    penalised = study.parameters.cox_fit == "penalised" or bool(_few(compared, study))
    found, reason = _fitted(compared, study, penalised and study.parameters.cox_fit != "plain")
    reference, *others = compared.subgroup.levels
    for level in others:
        yield _ratio(compared, level, reference, found.get(level), reason, study)


def _fitted(compared: _Compared, study: Study, penalised: bool) -> tuple[dict[str, HazardRatio], str]:
    """The hazard ratios by level, or why there are none. One without limit is fitted again, penalised."""
    if compared.not_comparable or compared.table is None:
        return {}, compared.not_comparable
    if compared.levels[0] != compared.subgroup.levels[0]:
        return {}, "nobody in the group to compare with"
    try:
        ratios = hazard_ratios(compared.table, penalised=penalised, level=study.parameters.ci_level)
    except NoFit as problem:
        if penalised or study.parameters.cox_fit == "plain":
            return {}, str(problem)
        return _fitted(compared, study, penalised=True)
    return dict(zip(compared.levels[1:], ratios, strict=True)), ""


def _ratio(
    compared: _Compared, level: str, reference: str, found: HazardRatio | None, reason: str, study: Study
) -> Estimate:
    caveats = (*_few(compared, study), *_penalty(found), _UNADJUSTED, _PROPORTIONAL)
    warned = {"not adjusted": True, "few events": bool(_few(compared, study)), "penalised": bool(_penalty(found))}
    shown = (compared.subgroup.level_label(each) for each in (level, reference))
    said: dict[str, Json] = {"reference": reference, "caveat": "; ".join(caveats)}
    if found:
        said |= {"p_value": found.p_value, "log_standard_error": found.log_standard_error}
    return _estimate(
        compared,
        study,
        name=f"{compared.endpoint.lower()}.hr.{compared.subgroup.column}.{level}",
        label=f"{NAMES[compared.endpoint]}, hazard ratio, {compared.subgroup.label} {' against '.join(shown)} "
        f"({', '.join(word for word, holds in warned.items() if holds)})",
        method="cox-firth" if found and found.penalised else "cox-efron",
        value=found.value if found else None,
        limits=(found.ci_low, found.ci_high) if found else None,
        not_estimable=reason or ("" if found else "nobody in this group"),
        said=said,
    )


def _few(compared: _Compared, study: Study) -> tuple[str, ...]:
    """The warning that there are too few events for the number of ratios, or nothing."""
    ratios = max(1, len(compared.levels) - 1)
    if sum(compared.events) >= study.parameters.cox_few_events * ratios:
        return ()
    return (f"fewer than {study.parameters.cox_few_events} events for each comparison: chance decides much",)


def _penalty(found: HazardRatio | None) -> tuple[str, ...]:
    return ("Firth's penalised likelihood, which draws the ratio towards 1",) if found and found.penalised else ()


def _estimate(
    compared: _Compared,
    study: Study,
    *,
    name: str,
    label: str,
    method: str,
    value: float | None,
    not_estimable: str,
    said: dict[str, Json],
    limits: tuple[float | None, float | None] | None = None,
) -> Estimate:
    return Estimate(
        id=name,
        endpoint=compared.endpoint,
        label=label,
        method=method,
        value=value,
        ci_level=study.parameters.ci_level if limits else None,
        ci_low=limits[0] if limits else None,
        ci_high=limits[1] if limits else None,
        n=len(compared.days),
        events=sum(compared.events) if compared.days else None,
        not_estimable=not_estimable,
        missing=compared.missing,
        parameters=study.parameters.named(*PARAMETERS[compared.endpoint], "cox_fit", "cox_few_events") | said,
    )
