"""What is withheld because it tells of too few people (`min_cell`), in a cohort's statistics.

A number of people from 1 to below `min_cell` is withheld, with every number that it can be worked out from: the value
and interval of its share, its complement in the whole, and in a set of numbers that add up to a known one as many
others as it takes. Zero is told. Who reads the tables of persons sees everything: they stay on the site.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fhir_adapter.cohort.estimate import NO_INTERVAL, Estimate
from fhir_adapter.cohort.parameters import Parameters
from fhir_adapter.cohort.study import Study

_AROUND = ("value", "ci_low", "ci_high")
_SHARE = (*_AROUND, "numerator", "events", "at_risk")
_EVERYTHING = (*_SHARE, "n", "denominator", "range_low", "range_high")
# Shares of one whole, by how their ids begin; those of responses add up, and the response rate is a sum of some.
_WHOLES = (
    ("baseline.male", "baseline.female", "baseline.other_sex"),
    ("baseline.bsab.",),
    ("baseline.bsab_agent.",),
    ("baseline.car_t.",),
    ("failure.",),
    ("response.",),
)
_SUM = "response.orr"
_STEPS, _AGES = "attrition.", "baseline.age"
_PEOPLE_IN_PARAMETERS = frozenset({"undetermined", "overridden"})


def disclosed(estimates: Iterable[Estimate], study: Study) -> tuple[Estimate, ...]:
    """The statistics as they may leave the site; unchanged where the study withholds nothing."""
    found, least = tuple(_top_coded(one, study.parameters.age_top) for one in estimates), study.parameters.min_cell
    if not least:
        return found
    whole = _small_levels(found, study, least) | _small_steps(found, least)
    shares = _complements(found, least)
    return tuple(_withheld(_uncounted(one), _fields(one, whole, shares, least), least) for one in found)


def hidden_cells(counts: Sequence[int], least: int) -> frozenset[int]:
    """Positions of the numbers to withhold in a set that adds up to a known one: the small ones, and as many of the
    next larger as it takes until nobody can tell the small ones from the rest of the sum.
    """
    small = {place for place, number in enumerate(counts) if is_small(number, least)}
    others = sorted((place for place, number in enumerate(counts) if number >= least), key=lambda place: counts[place])
    while small and others and (len(small) < 2 or sum(counts[place] for place in small) < least):
        small.add(others.pop(0))
    return frozenset(small)


def hidden_steps(totals: Sequence[int], least: int) -> frozenset[int]:
    """Positions to withhold in numbers of people that fall from step to step: no two that are told differ by few.

    The last, the cohort itself, is told.
    """
    hidden: set[int] = set()
    below = totals[-1] if totals else 0
    for place in range(len(totals) - 2, -1, -1):
        if is_small(totals[place] - below, least):
            hidden.add(place)
        else:
            below = totals[place]
    return frozenset(hidden)


def is_small(number: int | None, least: int) -> bool:
    return number is not None and 0 < number < least


def _fields(one: Estimate, whole: set[str], shares: set[str], least: int) -> tuple[str, ...]:
    """The fields of a statistic that are withheld, whether they have a value or not."""
    if one.id in whole or is_small(one.n, least):
        return _EVERYTHING
    rest = one.denominator - one.numerator if one.denominator is not None and one.numerator is not None else None
    if one.id in shares or any(is_small(number, least) for number in (one.numerator, rest, one.events)):
        return _SHARE
    return ("at_risk",) if is_small(one.at_risk, least) else ()


def _withheld(one: Estimate, fields: Sequence[str], least: int) -> Estimate:
    """The statistic without some fields: those that have a value are named as withheld. So are few `missing`."""
    names = [name for name in fields if getattr(one, name) is not None]
    names += ["missing"] if one.missing and (is_small(one.missing, least) or "n" in names) else []
    if not names:
        return one
    gone: dict[str, object] = {name: 0 if name in ("n", "missing") else None for name in names}
    kept = Parameters.model_fields.keys() | ({NO_INTERVAL} if "value" not in names else set())
    told = {name: said for name, said in one.parameters.items() if name in kept}
    return one.model_copy(update={**gone, "suppressed": tuple(names), "parameters": told})


def _uncounted(one: Estimate) -> Estimate:
    """The statistic without the numbers of people among its parameters: each is a part of a number that is told."""
    if not _PEOPLE_IN_PARAMETERS & one.parameters.keys():
        return one
    kept = {name: said for name, said in one.parameters.items() if name not in _PEOPLE_IN_PARAMETERS}
    return one.model_copy(update={"parameters": kept})


def _complements(found: Sequence[Estimate], least: int) -> set[str]:
    """Shares of one whole that must go with a small one of them."""
    hidden: set[str] = set()
    for begins in _WHOLES:
        parts = [one for one in found if one.id.startswith(begins) and "[" not in one.id and one.id != _SUM]
        gone = hidden_cells([one.numerator or 0 for one in parts], least)
        hidden |= {parts[place].id for place in gone}
    return hidden | ({_SUM} if any(name.startswith("response.") for name in hidden) else set())


def _small_levels(found: Sequence[Estimate], study: Study, least: int) -> set[str]:
    """Everything about the levels of a subgroup that are small, or that would tell how small another is."""
    sizes = {one.population: one.n for one in found if one.id.startswith("baseline.n[")}
    hidden: set[str] = set()
    for subgroup in study.subgroups:
        levels = [name for level in subgroup.levels if (name := subgroup.population(level)) in sizes]
        gone = {levels[place] for place in hidden_cells([sizes[name] for name in levels], least)}
        hidden |= {one.id for one in found if one.population in gone}
    return hidden


def _small_steps(found: Sequence[Estimate], least: int) -> set[str]:
    steps = [one for one in found if one.id.startswith(_STEPS)]
    return {steps[place].id for place in hidden_steps([one.n for one in steps], least)}


def _top_coded(one: Estimate, top: int) -> Estimate:
    """A statistic of ages without an age over `top`: every higher one is told as the next year."""
    ages = {name: getattr(one, name) for name in ("value", "range_low", "range_high")}
    higher: dict[str, object] = {name: top + 1 for name, years in ages.items() if years is not None and years > top}
    if not top or not one.id.startswith(_AGES) or not higher:
        return one
    return one.model_copy(update={**higher, "parameters": {**one.parameters, "age_top": top}})
