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
EXCLUSION_REASON = "exclusion-reason"
OBSERVATION = "measure-observation"
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
    """The group of a MeasureReport that answers the group of a Measure which asks for the estimate `name`.

    `StudyError` when the group is stratified by something that the attrition does not know.
    """
    estimate = estimates.get(name)
    built: Resource = {
        "extension": [statistic.extension(estimate) if estimate else statistic.not_computed()],
        "code": group["code"],
        "population": list(_populations(group, estimate, estimates.get(COHORT_SIZE))),
        "stratifier": [_stratifier(declared, name, flow) for declared in group.get("stratifier", ())],
    }
    if scoring != "cohort":
        built["measureScore"] = statistic.score(estimate, scoring)
    return {element: content for element, content in built.items() if content}


def scoring(group: Resource, measure: Resource) -> str:
    """How this group is scored: as the whole Measure, or as it says itself where groups are scored differently.

    Said in one of the two places: a validator reads the scoring of the Measure only, and holds every group to it.
    `StudyError` when neither says, or when they differ.
    """
    own = (part for part in group.get("extension", ()) if part.get("url") == GROUP_SCORING)
    concept = next((part.get("valueCodeableConcept") for part in own), None)
    said = {code for one in (concept, measure.get("scoring")) if (code := _code(one, MEASURE_SCORING))}
    if len(said) == 1:
        return said.pop()
    problem = "scored otherwise than its Measure" if said else "not said to be scored in any way"
    raise StudyError(
        f"a group of the Measure {measure['id']!r} is {problem}",
        f"where groups differ, leave out Measure.scoring and give each group the extension {GROUP_SCORING}",
    )


def _populations(group: Resource, estimate: Estimate | None, cohort: Estimate | None) -> Iterator[Resource]:
    """Every population that the Measure asks for, also one that the statistic does not have: it is `not-applicable`.

    What is observed (`measure-observation`) is no set of people: the score is its answer.
    """
    counts = _counts(estimate, cohort) if estimate else {}
    for asked in group.get("population", ()):
        code = _code(asked.get("code"), MEASURE_POPULATION)
        if code != OBSERVATION:
            yield _population(code, counts.get(code))


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
    counted = {"_count": statistic.no_value("not-applicable")} if count is None else {"count": count}
    return {"code": {"coding": [{"system": MEASURE_POPULATION, "code": code}]}, **counted}


def _code(concept: Mapping[str, Any] | None, system: str) -> str:
    codings = (concept or {}).get("coding", ())
    return next((str(part.get("code", "")) for part in codings if part.get("system") == system), "")


def _stratifier(declared: Resource, name: str, flow: Sequence[FlowRow]) -> Resource:
    """Who left at this step, by reason: people outside the group's count, hence `denominator-exclusion`.

    A step that nobody left has the stratifier all the same, without stratum: the Measure asked for it.
    """
    if not name.startswith(STEP) or _code(declared.get("code"), identity.STRATIFIER_CODES) != EXCLUSION_REASON:
        raise StudyError(
            f"the group {name!r} of a Measure has a stratifier that cannot be filled",
            f"only the steps of the attrition are stratified, by {EXCLUSION_REASON} ({identity.STRATIFIER_CODES})",
        )
    strata = [
        {
            "value": {"coding": [{"system": identity.EXCLUSION_CODES, "code": row.reason}]},
            "population": [_population("denominator-exclusion", row.n_out)],
        }
        for row in flow
        if row.step == name.removeprefix(STEP) and row.reason and row.n_out
    ]
    code: Resource = {"code": [declared["code"]]}
    return {**code, "stratum": strata} if strata else code
