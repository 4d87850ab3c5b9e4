"""The Measures of the reference study ask for exactly what the analysis of that study computes."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.cohort.judgement import STEPS
from fhir_adapter.mapping.study import read_study
from fhir_adapter.publish.group import GROUP_SCORING, estimate_id
from fhir_adapter.publish.identity import STRATIFIER_CODES
from fhir_adapter.publish.stratifier import STEP, subgroup_id

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
FAMILIES = {one.family: one.resource for one in read_study("bsab-cart-dlbcl").study.measures}


def own_scorings(measure: Any) -> list[str]:
    """What each group says about its own scoring; empty where it leaves that to the Measure."""
    parts = [[one for one in group.get("extension", ()) if one["url"] == GROUP_SCORING] for group in measure["group"]]
    return [one[0]["valueCodeableConcept"]["coding"][0]["code"] if one else "" for one in parts]


def stratifiers(group: Any) -> list[str]:
    """The codes a group is stratified by."""
    codings = [one["code"]["coding"][0] for one in group.get("stratifier", ())]
    assert {one["system"] for one in codings} <= {STRATIFIER_CODES}
    return [one["code"] for one in codings]


@pytest.mark.parametrize("version", ["5.0", "6.0"])
def test_every_statistic_is_reported_and_every_reported_statistic_exists(version: str) -> None:
    study = read_study("bsab-cart-dlbcl", {"ctcae_version": version}).study
    computed = [one.id for one in estimate((), (), [(step, 0) for step in STEPS], study)]
    groups = [(estimate_id(group, one.family), group) for one in study.measures for group in one.resource["group"]]
    strata = [
        subgroup_id(name, subgroup.population(level))
        for name, group in groups
        for subgroup in study.subgroups
        for level in subgroup.levels
        if subgroup.column in stratifiers(group)
    ]
    assert sorted([*(name for name, _ in groups), *strata]) == sorted(computed)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_prose_of_a_criterion_does_not_pretend_to_be_in_an_expression_language(family: str) -> None:
    criteria = [one["criteria"] for group in FAMILIES[family]["group"] for one in group["population"]]
    assert criteria
    for one in criteria:
        assert set(one) == {"_language", "expression"}
        assert one["_language"] == {"extension": [{"url": ABSENT, "valueCode": "not-applicable"}]}
        assert one["expression"]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_scoring_is_said_once_by_the_measure_or_by_every_group(family: str) -> None:
    own = own_scorings(FAMILIES[family])
    if "scoring" in FAMILIES[family]:
        assert not any(own)
    else:
        assert all(own)
        assert len(set(own)) > 1


def test_families_of_one_kind_and_mixed_families_are_both_there() -> None:
    mixed = {family for family, measure in FAMILIES.items() if "scoring" not in measure}
    assert mixed == {"baseline", "crs-icans", "laboratory-toxicity", "response"}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_group_asks_for_the_populations_of_its_scoring(family: str) -> None:
    measure = FAMILIES[family]
    whole = measure["scoring"]["coding"][0]["code"] if "scoring" in measure else ""
    wanted = {
        "proportion": ["initial-population", "denominator", "numerator"],
        "continuous-variable": ["initial-population", "measure-population", "measure-observation"],
        "cohort": ["initial-population"],
    }
    for group, own in zip(measure["group"], own_scorings(measure), strict=True):
        asked = [one["code"]["coding"][0]["code"] for one in group["population"]]
        assert asked == wanted[own or whole]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_steps_of_the_attrition_and_no_other_group_are_stratified_by_the_reason_to_leave(family: str) -> None:
    for group in FAMILIES[family]["group"]:
        step = estimate_id(group, family).startswith(STEP)
        assert ("exclusion-reason" in stratifiers(group)) == step
        assert not step or len(stratifiers(group)) == 1
