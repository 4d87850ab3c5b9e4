"""Counts, medians with ranges, and worst grades."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.finding import Json

Figure = tuple[str, str, str]
"""Id, endpoint and label of a statistic."""


def count(
    figure: Figure, people: int, *, population: str = "infused", parameters: dict[str, Json] | None = None
) -> Estimate:
    """A number of people."""
    name, endpoint, label = figure
    return Estimate(
        id=name,
        endpoint=endpoint,
        label=label,
        population=population,
        method="count",
        value=people,
        n=people,
        parameters=parameters or {},
    )


def median_and_range(
    figure: Figure, values: Iterable[float | None], *, unit: str, parameters: dict[str, Json] | None = None
) -> Estimate:
    """The median of the known values, with the smallest and the largest; None counts as missing.

    With an even number of people the median is the mean of the two in the middle.
    """
    given = list(values)
    known = sorted(value for value in given if value is not None)
    name, endpoint, label = figure
    return Estimate(
        id=name,
        endpoint=endpoint,
        label=label,
        method="median",
        value=median(known) if known else None,
        unit=unit,
        n=len(known),
        range_low=known[0] if known else None,
        range_high=known[-1] if known else None,
        missing=len(given) - len(known),
        not_estimable="" if known else "nobody with a known value" if given else "nobody in the population",
        parameters=parameters or {},
    )


def worst(figure: Figure, grades: Sequence[tuple[int, int]], *, missing: int, parameters: dict[str, Json]) -> Estimate:
    """The worst grade of anybody, from each person's (smallest, largest) possible grade.

    Both ends are in the range; there is no value when they differ: then the worst grade is not settled.
    """
    name, endpoint, label = figure
    low = max((grade[0] for grade in grades), default=None)
    high = max((grade[1] for grade in grades), default=None)
    reason = "" if low == high else f"the worst grade lies between {low} and {high}"
    return Estimate(
        id=name,
        endpoint=endpoint,
        label=label,
        method="max",
        value=low if low == high else None,
        n=len(grades),
        range_low=low,
        range_high=high,
        missing=missing,
        not_estimable=reason if grades else "nobody with a known value",
        parameters=parameters,
    )
