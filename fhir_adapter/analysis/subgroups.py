"""The study's subgroups: who belongs to which level, and the outcomes of each level apart.

A level that the study does not list, and a value that is not settled, belong to no level. A person may belong to two
(two antibodies): each level counts that person, and a comparison of the levels leaves that person out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from fhir_adapter.analysis.baseline import antigens
from fhir_adapter.analysis.outcomes import response
from fhir_adapter.analysis.summaries import count
from fhir_adapter.analysis.survival import curve
from fhir_adapter.analysis.survival_estimates import endpoint_estimates
from fhir_adapter.cohort.case import Case
from fhir_adapter.cohort.estimate import Endpoint, Estimate, EventTime
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subgroup import NUMBERS, Subgroup

COMPARED: tuple[Endpoint, ...] = ("PFS", "OS")
_RESPONSES = ("response.orr", "response.cr")
People = Sequence[Case]
Times = Sequence[EventTime]


@dataclass(frozen=True, slots=True)
class Member:
    """A person and the levels of one subgroup that this person belongs to, in the order of the study."""

    person: Case
    levels: tuple[str, ...]


def members(people: People, subgroup: Subgroup) -> tuple[Member, ...]:
    """Everybody, with their levels; none for a value that is unknown, not settled or not listed."""
    if subgroup.column in NUMBERS:
        numbers = [_NUMBER_OF[subgroup.column](person) for person in people]
        middle = median(known) if (known := [number for number in numbers if number is not None]) else 0.0
        found = [_bounded(number, middle, subgroup.levels) for number in numbers]
    else:
        texts = [_TEXTS_OF[subgroup.column](person) for person in people]
        found = [tuple(level for level in subgroup.levels if level in given) for given in texts]
    return tuple(Member(person, levels) for person, levels in zip(people, found, strict=True))


def subgroup_estimates(people: People, times: Times, study: Study) -> Iterator[Estimate]:
    """People, response, PFS and OS of every level of every subgroup of the study."""
    for subgroup in study.subgroups:
        everybody = members(people, subgroup)
        for level in subgroup.levels:
            inside = [member.person for member in everybody if level in member.levels]
            population = subgroup.population(level)
            for one in _outcomes(inside, times, study):
                yield one.model_copy(update={"id": f"{one.id}[{population}]", "population": population})


def _outcomes(people: People, times: Times, study: Study) -> Iterator[Estimate]:
    names = {person.subject_id for person in people}
    theirs = [time for time in times if time.subject_id in names]
    cut = study.parameters.named("data_cut")
    yield count(("baseline.n", "baseline", "People in the cohort"), len(people), parameters=cut)
    yield from (one for one in response(people, study) if one.id in _RESPONSES)
    for endpoint in COMPARED:
        known = curve(theirs, endpoint, study)
        yield from endpoint_estimates(endpoint, known, len(people) - (known.n if known else 0), study)


def _bounded(number: float | None, middle: float, levels: Sequence[str]) -> tuple[str, ...]:
    """The levels `below-X` and `from-X` that a number satisfies."""
    if number is None:
        return ()
    return tuple(level for level in levels if _is_below(number, middle, level) == level.startswith("below-"))


def _is_below(number: float, middle: float, level: str) -> bool:
    bound = level.partition("-")[2]
    return number < (middle if bound == "median" else float(bound))


def _exposed_to(person: Case) -> tuple[str, ...]:
    return tuple(one.agent for one in person.bsab_exposures or ())


def _targeted(person: Case) -> tuple[str, ...]:
    return tuple(antigens(one.targets) for one in person.bsab_exposures or ())


# The columns of `subjects.csv`; targets are named as in the baseline table, whatever their order (`CD3xCD20`).
_TEXTS_OF: Mapping[str, Callable[[Case], tuple[str, ...]]] = {
    "bsab_failure": lambda one: (one.bsab_failure,),
    "bsab_targets": _targeted,
    "bsab_agents": _exposed_to,
    "cart_product": lambda one: () if one.cart_product is None else (one.cart_product,),
    "cart_targets": lambda one: () if one.cart_targets is None else (antigens(one.cart_targets),),
    "sex": lambda one: (one.sex,),
    "bulky": lambda one: () if one.bulky is None else (str(one.bulky).lower(),),
}
_NUMBER_OF: Mapping[str, Callable[[Case], int | None]] = {
    "washout_days": lambda one: one.washout_days,
    "age_years": lambda one: one.age_years,
    "prior_lines": lambda one: one.prior_lines,
    "ipi": lambda one: one.ipi,
    "extranodal_sites": lambda one: one.extranodal_sites,
}
