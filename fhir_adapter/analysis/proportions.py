"""Proportions of people with exact (Clopper-Pearson) or Wilson intervals."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.finding import Json
from fhir_adapter.cohort.study import Study

Interval = tuple[float, float]


def clopper_pearson(part: int, of: int, level: float) -> Interval:
    """The exact interval from the beta distribution; it never leaves [0, 1] and always holds `part / of`."""
    from scipy.stats import beta

    tail = (1 - level) / 2
    low = 0.0 if part == 0 else float(beta.ppf(tail, part, of - part + 1))
    high = 1.0 if part == of else float(beta.ppf(1 - tail, part + 1, of - part))
    return low, high


def wilson(part: int, of: int, level: float) -> Interval:
    """Wilson's score interval without continuity correction."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, spread = part / of, z * z / of
    centre = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    # At 0 and at n the bound is the edge itself; the root leaves a speck of rounding there.
    low = 0.0 if part == 0 else max(0.0, centre - half)
    high = 1.0 if part == of else min(1.0, centre + half)
    return low, high


def proportion(
    figure: tuple[str, str, str],
    part: int,
    of: int,
    study: Study,
    *,
    missing: int = 0,
    population: str = "infused",
    parameters: dict[str, Json] | None = None,
    assessed: bool = True,
) -> Estimate:
    """`part` of `of` people. `figure` is id, endpoint and label; `missing` counts people with no known value.

    Whether the missing are inside the denominator is the caller's statement: baseline values leave them out,
    outcomes and toxicities after the infusion keep everybody who was infused. Where
    nobody at all was `assessed`, nothing is known: that is not a share of zero.
    """
    settings = study.parameters
    interval = {"clopper_pearson": clopper_pearson, "wilson": wilson}[settings.proportion_ci]
    known = of > 0 and assessed
    low, high = interval(part, of, settings.ci_level) if known else (None, None)
    return Estimate(
        id=figure[0],
        endpoint=figure[1],
        label=figure[2],
        population=population,
        method=settings.proportion_ci.replace("_", "-"),
        value=part / of if known else None,
        ci_level=settings.ci_level if known else None,
        ci_low=low,
        ci_high=high,
        n=of,
        numerator=part,
        denominator=of,
        not_estimable="" if known else "nobody with a known value" if missing else "nobody in the population",
        missing=missing,
        parameters=parameters or study.parameters.named("data_cut"),
    )
