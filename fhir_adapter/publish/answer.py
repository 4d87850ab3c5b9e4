"""What a report says about one statistic: the people counted, the score, and the extension with the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.publish import statistic
from fhir_adapter.publish.codes import MEASURE_POPULATION
from fhir_adapter.publish.documents import Resource

OBSERVATION = "measure-observation"
# The field of an estimate that each population counts. Where the field is withheld, so is the count.
_COUNTED = {
    "initial-population": "n",
    "measure-population": "n",
    "denominator": "denominator",
    "numerator": "numerator",
}


def answer(asked: Sequence[Resource], scoring: str, estimate: Estimate | None, cohort: Estimate | None) -> Resource:
    """`extension`, `population` and `measureScore` of a group or stratum.

    `asked` are the populations of the Measure; `cohort` is the size of the cohort, if it was computed. None is a
    statistic that was not computed.
    """
    built: Resource = {
        "extension": [statistic.extension(estimate) if estimate else statistic.not_computed()],
        "population": list(_populations(asked, estimate, cohort)),
    }
    return built if scoring == "cohort" else {**built, "measureScore": statistic.score(estimate, scoring)}


def population(code: str, count: int | None, reason: str = "not-applicable") -> Resource:
    """One population; without count it says the reason, a code of data-absent-reason."""
    counted = {"_count": statistic.no_value(reason)} if count is None else {"count": count}
    return {"code": {"coding": [{"system": MEASURE_POPULATION, "code": code}]}, **counted}


def code_in(concept: Mapping[str, Any] | None, system: str) -> str:
    """The code that a CodeableConcept has in a system; empty when it has none."""
    codings = (concept or {}).get("coding", ())
    return next((str(part.get("code", "")) for part in codings if part.get("system") == system), "")


def _populations(asked: Sequence[Resource], estimate: Estimate | None, cohort: Estimate | None) -> Iterator[Resource]:
    """Every population that the Measure asks for, also one that the statistic does not have: it is `not-applicable`.

    What is observed (`measure-observation`) is no set of people: the score is its answer.
    """
    counts = _counts(estimate, cohort) if estimate else {}
    withheld = estimate.suppressed if estimate else ()
    for one in asked:
        code = code_in(one.get("code"), MEASURE_POPULATION)
        if code == OBSERVATION:
            continue
        is_masked = counts.get(code) is None and _COUNTED.get(code) in withheld
        yield population(code, counts.get(code), "masked" if is_masked else "not-applicable")


def _counts(estimate: Estimate, cohort: Estimate | None) -> dict[str, int | None]:
    """People per population code. A Kaplan-Meier estimate is not a proportion: it has no numerator.

    The initial population of a statistic about the cohort is the cohort, with those whose value is not known.
    """
    people = None if "n" in estimate.suppressed else estimate.n
    whole = people
    if cohort and cohort.population == estimate.population and estimate.method != cohort.method:
        whole = None if "n" in cohort.suppressed else max(estimate.n, cohort.n)
    return {
        "initial-population": whole,
        "measure-population": people,
        "denominator": estimate.denominator,
        "numerator": estimate.numerator,
    }
