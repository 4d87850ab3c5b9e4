"""One group of a MeasureReport: the populations the Measure asks for, the score, and who was left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.errors import StudyError
from fhir_adapter.publish import identity, statistic
from fhir_adapter.publish.codes import MEASURE_POPULATION, MEASURE_SCORING
from fhir_adapter.publish.documents import Resource

STEP = "attrition."
COHORT_SIZE = "baseline.n"
GROUP_SCORING = "http://hl7.org/fhir/us/cqfmeasures/StructureDefinition/cqfm-scoring"


def estimate_id(group: Mapping[str, Any], family: str) -> str:
    """The estimate that a group of a Measure asks for; `StudyError` when its code does not say."""
    if named := _code(group.get("code"), identity.STATISTIC_CODES):
        return named
    raise StudyError(
        f"a group of the Measure {family!r} names no statistic",
        f"give it a code with system {identity.STATISTIC_CODES} and the id of an estimate",
    )


def report_group(
    group: Resource, name: str, scoring: str, estimates: Mapping[str, Estimate], flow: Sequence[FlowRow]
) -> Resource:
    """The group of a MeasureReport that answers the group of a Measure which asks for the estimate `name`."""
    estimate = estimates.get(name)
    if estimate is None:
        return {
            "extension": [statistic.not_computed()],
            "code": group["code"],
            "measureScore": statistic.absent("not-applicable"),
        }
    asked = [_code(population.get("code"), MEASURE_POPULATION) for population in group.get("population", ())]
    counts = _counts(estimate, estimates.get(COHORT_SIZE))
    built: Resource = {
        "extension": [statistic.extension(estimate)],
        "code": group["code"],
        "population": [_population(code, counts[code]) for code in asked if counts.get(code) is not None],
        "stratifier": list(_stratifiers(name.removeprefix(STEP), flow)) if name.startswith(STEP) else [],
    }
    if scoring != "cohort":
        built["measureScore"] = statistic.score(estimate)
    return {element: content for element, content in built.items() if content}


def scoring(group: Resource, measure: Resource) -> str:
    """How this group is scored: as it says itself, else as the whole Measure."""
    own = (part for part in group.get("extension", ()) if part.get("url") == GROUP_SCORING)
    concept = next((part.get("valueCodeableConcept") for part in own), measure.get("scoring"))
    return _code(concept, MEASURE_SCORING)


def _counts(estimate: Estimate, cohort: Estimate | None) -> dict[str, int | None]:
    """People per population code. A Kaplan-Meier estimate is not a proportion: it has no numerator.

    The initial population of a statistic about the cohort is the cohort, with those whose value is not known.
    """
    whole = estimate.n
    if cohort and cohort.population == estimate.population and estimate.method != cohort.method:
        whole = max(whole, cohort.n)
    return {
        "initial-population": whole,
        "measure-population": estimate.n,
        "denominator": estimate.denominator,
        "numerator": estimate.numerator,
    }


def _population(code: str, count: int | None) -> Resource:
    return {"code": {"coding": [{"system": MEASURE_POPULATION, "code": code}]}, "count": count}


def _code(concept: Mapping[str, Any] | None, system: str) -> str:
    codings = (concept or {}).get("coding", ())
    return next((str(part.get("code", "")) for part in codings if part.get("system") == system), "")


def _stratifiers(step: str, flow: Sequence[FlowRow]) -> Iterator[Resource]:
    """Who left at this step, by reason: people outside the group's count, hence `denominator-exclusion`."""
    strata = [
        {
            "value": {"coding": [{"system": identity.EXCLUSION_CODES, "code": row.reason}]},
            "population": [_population("denominator-exclusion", row.n_out)],
        }
        for row in flow
        if row.step == step and row.reason and row.n_out
    ]
    if strata:
        code = {"system": identity.STRATIFIER_CODES, "code": "exclusion-reason"}
        yield {"code": [{"coding": [code]}], "stratum": strata}
