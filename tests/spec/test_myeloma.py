"""What is different in multiple myeloma: IMWG categories, and what refractory means there.

Refractory is who never reaches a minimal response, or progresses on the antibody or within 60 days of its last dose;
relapsed is who reached at least a minimal response and progresses later (IMWG 2011). Categories: IMWG 2016.
"""

from __future__ import annotations

import pytest
from spec.people import day, failure_of, judged, left_at, patient, response_of, study

from fhir_adapter.cohort.events import Assessment, Source
from fhir_adapter.cohort.finding import Response
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.subject import in_order
from fhir_adapter.rules.appraisal import appraise

STUDY = "bsab-cart-myeloma"
_CELLS = """
    2024-09-02 | apheresis
    2024-10-21 | infusion ciltacabtagene-autoleucel
"""
_TECLISTAMAB = """
    2024-01-01 | teclistamab
    2024-05-31 | teclistamab
"""


def failed(table: str, **parameters: object) -> tuple[str, str]:
    """(status, best response of the antibody line)."""
    found = failure_of(patient(_CELLS + table), of=STUDY, **parameters)
    assert found.value is not None
    return found.value.status, found.value.best_response


def responded(table: str, **parameters: object) -> Response:
    value = response_of(patient(_CELLS + table), of=STUDY, **parameters).value
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("best", "progression", "expected"),
    [
        ("sCR", "2024-07-30", "refractory"),  # 60 days after the last dose
        ("sCR", "2024-07-31", "relapsed"),  # 61 days
        ("VGPR", "2024-05-20", "refractory"),  # on treatment
        ("VGPR", "2024-08-20", "relapsed"),
        ("MR", "2024-08-20", "relapsed"),
        ("MR", "2024-06-10", "refractory"),
        ("SD", "2024-08-20", "refractory"),
    ],
)
def test_the_time_from_the_last_dose_decides_after_a_minimal_response_or_better(
    best: str, progression: str, expected: str
) -> None:
    """Sixty days count as within; without a minimal response the disease is refractory whenever it progresses."""
    assert failed(_TECLISTAMAB + f"2024-03-01 | {best}\n{progression} | PD") == (expected, best)


def test_no_minimal_response_is_refractory_without_a_progression() -> None:
    assert failed(_TECLISTAMAB + "2024-03-01 | SD\n2024-05-01 | SD") == ("refractory", "SD")


def test_a_minimal_response_without_a_documented_progression_is_open() -> None:
    assert failed(_TECLISTAMAB + "2024-03-01 | MR") == ("undetermined", "MR")


def test_a_last_dose_known_to_the_month_leaves_open_what_its_days_decide_differently() -> None:
    doses = "2024-01-01 | teclistamab\n2024-05 | teclistamab\n2024-03-01 | VGPR\n"
    assert failed(doses + "2024-07-10 | PD") == ("undetermined", "VGPR")
    assert failed(doses + "2024-06-20 | PD") == ("refractory", "VGPR")
    assert failed(doses + "2024-08-20 | PD") == ("relapsed", "VGPR")


@pytest.mark.parametrize(
    ("better", "worse"),
    [("sCR", "CR"), ("CR", "VGPR"), ("VGPR", "PR"), ("PR", "MR"), ("MR", "SD"), ("SD", "NE")],
)
def test_the_categories_have_the_order_of_the_imwg(better: str, worse: str) -> None:
    assert responded(f"2024-11-20 | {worse}\n2025-01-20 | {better}").best == better
    assert responded(f"2024-11-20 | {better}\n2025-01-20 | {worse}").best == better


def test_a_response_begins_with_the_first_pr_or_better_and_is_complete_from_the_first_cr_or_scr() -> None:
    found = responded("2024-11-20 | MR\n2024-12-20 | VGPR\n2025-01-20 | sCR\n2025-02-20 | CR")
    assert found.responded_on is not None
    assert found.responded_on.iso == "2024-12-20"
    assert found.complete_on is not None
    assert found.complete_on.iso == "2025-01-20"


def test_a_minimal_response_is_no_response_and_shows_that_nothing_progressed() -> None:
    found = responded("2024-11-20 | MR\n2025-01-20 | MR")
    assert found.responded_on is None
    assert found.last_assessed_on is not None
    assert found.last_assessed_on.iso == "2025-01-20"


def test_a_stringent_complete_response_before_the_infusion_is_a_complete_one() -> None:
    assert responded("2024-10-14 | sCR\n2024-11-20 | VGPR").complete_before


def test_progression_before_day_28_may_be_the_slow_fall_of_the_protein() -> None:
    assert responded("2024-11-17 | PD\n2024-12-20 | VGPR").best == "VGPR"
    assert responded("2024-11-18 | PD\n2024-12-20 | VGPR").best == "PD"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("VGPR", "VGPR", "VGPR"),
        ("VGPR", "sCR", "VGPR"),
        ("sCR", "PR", "PR"),
        ("PR", "SD", "SD"),
        ("PR", "PD", "SD"),
        ("PR", "NE", "SD"),
        ("MR", "MR", "MR"),
        ("PD", "VGPR", "SD"),
        ("PD", "PD", "PD"),
        ("NE", "PD", "PD"),
    ],
)
def test_a_study_may_count_only_what_the_next_assessment_shows_again(first: str, second: str, expected: str) -> None:
    """A progression that the next assessment does not show is not counted; nothing contradicts one that stands last."""
    table = f"2024-11-20 | {first}\n2025-01-20 | {second}"
    assert responded(table, response_confirmation="next_assessment").best == expected


def test_an_assessment_after_a_new_therapy_confirms_nothing_and_contradicts_nothing() -> None:
    table = "2024-11-20 | VGPR\n2024-12-20 | VGPR\n2025-01-20 | PD\n2025-02-01 | elranatamab\n2025-04-01 | sCR"
    found = responded(table, response_confirmation="next_assessment")
    assert found.best == "VGPR"
    assert found.progressed_on is not None
    assert found.progressed_on.iso == "2025-01-20"


@pytest.mark.parametrize(("policy", "counted"), [("ignore", ["VGPR"]), ("category", ["VGPR", "PD"])])
def test_a_deauville_score_says_nothing_about_the_imwg_category(policy: str, counted: list[str]) -> None:
    """It is shown as not counted; a study may have it say a category."""
    known = patient(_CELLS + "2024-11-20 | VGPR")
    source = Source(reference="Observation/pet", version="1")
    score = Assessment(
        on=day("2025-01-20"), source=source, category="NE", method="deauville", deauville=5, uptake="more"
    )
    person = known.model_copy(update={"assessments": in_order([*known.assessments, score])})
    found = appraise(person, study(STUDY, deauville=policy))
    assert [one.category for one in found.assessments] == counted
    assert [one.flags for one in found.overruled] == [("a-deauville-score-is-not-counted",)] * (2 - len(counted))


def test_both_targets_of_the_antibodies_are_told_and_daratumumab_is_none_of_them() -> None:
    table = """
        1960-01-01 | born
        2018-01-01 | multiple-myeloma
        2022-01-01 | daratumumab
        2023-01-01 | talquetamab
        2024-01-01 | teclistamab
        2024-03-01 | PD
    """
    found = judged(patient(_CELLS + table), of=STUDY)
    assert isinstance(found, Judgement)
    assert found.exposure.value is not None
    exposures = {one.agent: one.targets for one in found.exposure.value.exposures}
    assert exposures == {"talquetamab": ("CD3", "GPRC5D"), "teclistamab": ("CD3", "BCMA")}
    without = _CELLS + table.replace("talquetamab", "pomalidomide").replace("teclistamab", "pomalidomide")
    assert left_at(patient(without), of=STUDY) == ("bsab", "no_bsab")


@pytest.mark.parametrize("disease", ["plasmacytoma", "plasma-cell-leukemia", "dlbcl"])
def test_neither_plasmacytoma_nor_plasma_cell_leukaemia_is_multiple_myeloma(disease: str) -> None:
    table = f"2018-01-01 | {disease}" + _TECLISTAMAB + "2024-03-01 | PD"
    assert left_at(patient(_CELLS + table), of=STUDY) == ("diagnosis", "other_disease")


def test_scores_of_lymphoma_are_not_asked_for() -> None:
    table = "1950-01-01 | born\n2018-01-01 | multiple-myeloma\n2024-08-20 | ldh 500 (-250)\n2024-08-20 | ECOG 2\n"
    found = judged(patient(_CELLS + table + _TECLISTAMAB + "2024-03-01 | PD"), of=STUDY)
    assert isinstance(found, Judgement)
    asked = {finding.rule for finding in found.findings()}
    assert asked.isdisjoint({"ipi", "r_ipi", "aa_ipi", "nccn_ipi", "sites", "bulk"})
    assert {"age", "lines", "failure", "washout", "response"} <= asked
