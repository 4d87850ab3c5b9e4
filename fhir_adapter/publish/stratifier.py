"""The stratifiers of a group: who left at a step of the attrition and why, or the same statistic in the subgroups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fhir_adapter.analysis.disclosure import hidden_cells
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.cohort.subgroup import NUMBERS, TEXTS
from fhir_adapter.errors import StudyError
from fhir_adapter.publish import identity
from fhir_adapter.publish.answer import answer, code_in, population
from fhir_adapter.publish.documents import Resource

STEP = "attrition."
EXCLUSION_REASON = "exclusion-reason"
SUBGROUPS = frozenset((*TEXTS, *NUMBERS))


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything a report can tell: the statistics by id, and the attrition.

    Counts of people from 1 to below `min_cell` are withheld; 0 withholds nothing.
    """

    estimates: Mapping[str, Estimate]
    flow: Sequence[FlowRow]
    min_cell: int = 0


def stratifier(declared: Resource, group: Resource, name: str, scoring: str, figures: Figures) -> Resource:
    """What the Measure asks a group to be stratified by. One without stratum is there all the same: it was asked for.

    `StudyError` when it can never be filled.
    """
    by = code_in(declared.get("code"), identity.STRATIFIER_CODES)
    if by == EXCLUSION_REASON and name.startswith(STEP):
        strata = list(_leavers(name.removeprefix(STEP), figures))
    elif by in SUBGROUPS and not name.startswith(STEP):
        strata = list(_subgroups(by, group, name, scoring, figures))
    else:
        raise _cannot_be_filled(name)
    code: Resource = {"code": [declared["code"]]}
    return {**code, "stratum": strata} if strata else code


def subgroup_id(name: str, population: str) -> str:
    """The id of the statistic `name` in a subgroup, whose population is `<dimension>=<level>`."""
    return f"{name}[{population}]"


def _leavers(step: str, figures: Figures) -> Iterator[Resource]:
    """Who left at this step, by reason: people outside the group's count, hence `denominator-exclusion`."""
    rows = [row for row in figures.flow if row.step == step and row.reason and row.n_out]
    hidden = hidden_cells([row.n_out for row in rows], figures.min_cell)
    for place, row in enumerate(rows):
        count = None if place in hidden else row.n_out
        yield {
            "value": {"coding": [{"system": identity.EXCLUSION_CODES, "code": row.reason}]},
            "population": [population("denominator-exclusion", count, "masked")],
        }


def _subgroups(by: str, group: Resource, name: str, scoring: str, figures: Figures) -> Iterator[Resource]:
    """The statistic in every level of a dimension, in the order in which they were computed."""
    for estimate in figures.estimates.values():
        dimension, _, level = estimate.population.partition("=")
        if dimension == by and estimate.id == subgroup_id(name, estimate.population):
            value = {"coding": [{"system": identity.STRATUM_CODES, "code": estimate.population}], "text": level}
            yield {"value": value, **answer(group.get("population", ()), scoring, estimate, None)}


def _cannot_be_filled(name: str) -> StudyError:
    return StudyError(
        f"the group {name!r} of a Measure has a stratifier that cannot be filled",
        f"a step of the attrition is stratified by {EXCLUSION_REASON}, all else by a column for subgroups "
        f"({', '.join(sorted(SUBGROUPS))}), with a code of {identity.STRATIFIER_CODES}",
    )
