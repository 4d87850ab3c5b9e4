"""One group of a MeasureReport: the populations the Measure asks for, the score, and who was left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_adapter.errors import StudyError
from fhir_adapter.publish import identity
from fhir_adapter.publish.answer import answer, code_in
from fhir_adapter.publish.codes import MEASURE_SCORING
from fhir_adapter.publish.documents import Resource
from fhir_adapter.publish.stratifier import Figures, stratifier

COHORT_SIZE = "baseline.n"
GROUP_SCORING = "http://hl7.org/fhir/us/cqfmeasures/StructureDefinition/cqfm-scoring"


def estimate_id(group: Mapping[str, Any], family: str) -> str:
    """The estimate that a group of a Measure asks for; `StudyError` when its code does not say."""
    if named := code_in(group.get("code"), identity.STATISTIC_CODES):
        return named
    raise StudyError(
        f"a group of the Measure {family!r} names no statistic",
        f"give it a code with system {identity.STATISTIC_CODES} and the id of an estimate",
    )


def report_group(group: Resource, name: str, scoring: str, figures: Figures) -> Resource:
    """The group of a MeasureReport that answers the group of a Measure which asks for the estimate `name`.

    `StudyError` when the group is stratified by something that can never be known.
    """
    told = answer(group.get("population", ()), scoring, figures.estimates.get(name), figures.estimates.get(COHORT_SIZE))
    strata = [stratifier(declared, group, name, scoring, figures) for declared in group.get("stratifier", ())]
    built = {**told, "code": group["code"], "stratifier": strata}
    return {element: content for element, content in built.items() if content}


def scoring(group: Resource, measure: Resource) -> str:
    """How this group is scored: as the whole Measure, or as it says itself where groups are scored differently.

    Said in one of the two places: a validator reads the scoring of the Measure only, and holds every group to it.
    `StudyError` when neither says, or when they differ.
    """
    own = (part for part in group.get("extension", ()) if part.get("url") == GROUP_SCORING)
    concept = next((part.get("valueCodeableConcept") for part in own), None)
    said = {code for one in (concept, measure.get("scoring")) if (code := code_in(one, MEASURE_SCORING))}
    if len(said) == 1:
        return said.pop()
    problem = "scored otherwise than its Measure" if said else "not said to be scored in any way"
    raise StudyError(
        f"a group of the Measure {measure['id']!r} is {problem}",
        f"where groups differ, leave out Measure.scoring and give each group the extension {GROUP_SCORING}",
    )
