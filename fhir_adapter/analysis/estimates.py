"""Every statistic of the study, in one fixed order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fhir_adapter.analysis.baseline import Flow, attrition, baseline, failure, intervals
from fhir_adapter.analysis.comparisons import comparisons
from fhir_adapter.analysis.disclosure import disclosed
from fhir_adapter.analysis.outcomes import response
from fhir_adapter.analysis.relapse import relapse
from fhir_adapter.analysis.subgroups import subgroup_estimates
from fhir_adapter.analysis.survival_estimates import followup, survival
from fhir_adapter.analysis.toxicity import toxicity
from fhir_adapter.cohort.case import Case
from fhir_adapter.cohort.estimate import Estimate, EventTime
from fhir_adapter.cohort.study import Study


def estimate(people: Sequence[Case], times: Sequence[EventTime], flow: Flow, study: Study) -> tuple[Estimate, ...]:
    """All statistics of a cohort. `flow` are the rows of the attrition, or (step, people left).

    The order: attrition, baseline (people, disease, products), BsAb failure, washout and vein-to-vein,
    follow-up, response, PFS, OS and the other endpoints, relapse and death without it, CRS, ICANS, laboratory
    toxicity, then the study's subgroups and their comparisons. It depends on the study only, never on the people:
    an empty cohort has the same statistics, and each says that it cannot be estimated. What tells of too few
    people is withheld (`min_cell`).
    """
    found = (
        *attrition(flow, study),
        *baseline(people, study),
        *failure(people, study),
        *intervals(people, study),
        *followup(people, times, study),
        *response(people, study),
        *survival(people, times, study),
        *relapse(people, times, study),
        *toxicity(people, study),
        *subgroup_estimates(people, times, study),
        *comparisons(people, times, study),
    )
    return disclosed(found, study)


def remarks(estimates: Iterable[Estimate]) -> tuple[str, ...]:
    """What a reader should be told about results that look wrong and are not."""
    found = {
        (one.endpoint, one.timepoint_months): one
        for one in estimates
        if one.method == "kaplan-meier" and one.population == "infused" and one.timepoint_months is not None
    }
    return tuple(
        f"PFS at {months} months is above OS. This is not an error: people are censored at different times "
        "in the two curves, so that their steps rest on different numbers at risk."
        for (endpoint, months), pfs in found.items()
        if endpoint == "PFS" and _above(pfs, found.get(("OS", months)))
    )


def _above(one: Estimate, other: Estimate | None) -> bool:
    return bool(other and one.value is not None and other.value is not None and one.value > other.value)
