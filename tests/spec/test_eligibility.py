"""Who belongs to the cohort: a patient leaves at the first step that is not met, with one reason."""

from __future__ import annotations

import pytest
from spec.people import assessable_of, judged, left_at, patient

from fhir_adapter.cohort.judgement import STEPS, Judgement

_COHORT = {
    "diagnosis": "2022-05-01 | dlbcl",
    "bsab": "2024-01-08 | glofitamab",
    "failure": "2024-02-01 | PD",
    "collection": "2024-03-04 | apheresis",
    "infusion": "2024-04-01 | infusion",
}


def left(**changes: str) -> tuple[str, str] | None:
    return left_at(patient("\n".join({**_COHORT, **changes}.values())))


def test_everything_in_place_belongs_to_the_cohort() -> None:
    assert left() is None


@pytest.mark.parametrize("disease", ["dlbcl", "hgbl", "pmbl"])
def test_large_b_cell_lymphomas_belong(disease: str) -> None:
    assert left(diagnosis=f"2022-05-01 | {disease}") is None


def test_another_disease_leaves_at_the_diagnosis() -> None:
    assert left(diagnosis="2022-05-01 | mantle-cell-lymphoma") == ("diagnosis", "other_disease")
    assert left(diagnosis="") == ("diagnosis", "no_diagnosis")


def test_another_disease_beside_the_one_of_the_study_does_not_matter() -> None:
    assert left(diagnosis="2018-01-01 | follicular-lymphoma\n2022-05-01 | dlbcl") is None


def test_transformed_lymphoma_belongs_only_when_the_study_says_so() -> None:
    table = "\n".join({**_COHORT, "diagnosis": "2022-05-01 | transformed-lymphoma"}.values())
    assert left_at(patient(table)) == ("diagnosis", "other_disease")
    assert left_at(patient(table), transformed="include") is None


def test_a_diagnosis_without_a_day_is_a_diagnosis() -> None:
    assert left(diagnosis="? | dlbcl") is None


def test_whoever_had_no_bispecific_antibody_leaves() -> None:
    assert left(bsab="2024-01-08 | rituximab") == ("bsab", "no_bsab")


def test_a_bispecific_antibody_against_bcma_is_not_one_of_the_study() -> None:
    assert left(bsab="2024-01-08 | teclistamab") == ("bsab", "no_bsab")


def test_whoever_was_not_infused_leaves() -> None:
    assert left(infusion="") == ("car_t", "collected_not_infused")
    assert left(infusion="", collection="") == ("car_t", "no_infusion")
    assert left(infusion="", collection="2024-03-04 | apheresis | failed") == ("car_t", "no_infusion")


def test_whoever_had_the_bispecific_antibody_only_after_car_t_leaves() -> None:
    assert left(bsab="2024-07-01 | glofitamab", failure="") == ("bsab_before_apheresis", "bsab_only_after_car_t")


def test_whoever_had_the_bispecific_antibody_only_as_bridging_leaves() -> None:
    """Also called banked cells: collected before the first dose."""
    changes = {"bsab": "2024-03-11 | glofitamab", "failure": "2024-03-25 | PD"}
    assert left(**changes) == ("bsab_before_apheresis", "no_bsab_before_apheresis")
    table = "\n".join({**_COHORT, **changes}.values())
    assert left_at(patient(table), banked_cells="include") is None


def test_a_dose_that_may_not_have_been_given_does_not_decide() -> None:
    assert left(bsab="2024-01-08 | glofitamab | amount unknown") == ("bsab_before_apheresis", "undetermined")


def test_a_dose_that_may_lie_after_the_collection_does_not_decide() -> None:
    assert left(bsab="2024-03 | glofitamab") == ("bsab_before_apheresis", "undetermined")


def test_a_missing_collection_does_not_exclude() -> None:
    assert left(collection="") is None


# ------------------------------------------------------------------------------------------------ the failure


def test_a_response_without_progression_stays_and_is_counted_as_undetermined() -> None:
    assert left(failure="2024-02-01 | CR") is None
    assert left(failure="") is None


def test_the_study_may_exclude_whoever_is_undetermined() -> None:
    for failure in ("2024-02-01 | CR", ""):
        table = "\n".join({**_COHORT, "failure": failure}.values())
        assert left_at(patient(table), include_undetermined_failure=False) == ("failure", "undetermined")


def test_stopped_for_intolerance_without_progression_is_not_a_failure() -> None:
    changes = {"bsab": "2024-01-08 | glofitamab | intolerance", "failure": "2024-02-01 | CR"}
    assert left(**changes) == ("failure", "stopped_for_intolerance")
    table = "\n".join({**_COHORT, **changes}.values())
    assert left_at(patient(table), include_intolerance=True) is None


def test_stopped_for_intolerance_and_progressed_is_a_failure() -> None:
    assert left(bsab="2024-01-08 | glofitamab | intolerance", failure="2024-02-01 | PD") is None


def test_stopped_for_intolerance_with_stable_disease_is_exposed_and_undetermined() -> None:
    changes = {"bsab": "2024-01-08 | glofitamab | intolerance", "failure": "2024-02-01 | SD"}
    assert left(**changes) is None
    found = judged(patient("\n".join({**_COHORT, **changes}.values())))
    assert isinstance(found, Judgement)
    assert found.failure.verdict == "undetermined"


# -------------------------------------------------------------------------------------- assessable at the cut


@pytest.mark.parametrize(("cut", "expected"), [("2024-04-29", "met"), ("2024-04-28", "not met")])
def test_28_days_after_the_infusion_a_patient_is_assessable(cut: str, expected: str) -> None:
    """1 April 2024 + 28 days = 29 April."""
    table = "\n".join(_COHORT.values())
    assert assessable_of(patient(table), data_cut=cut).verdict == expected
    step = None if expected == "met" else ("assessable", "not_yet_assessable")
    assert left_at(patient(table), data_cut=cut) == step


def test_the_days_needed_are_a_parameter() -> None:
    table = "\n".join(_COHORT.values())
    assert left_at(patient(table), data_cut="2024-04-28", assessable_after_days=27) is None


def test_without_a_cut_everybody_is_assessable() -> None:
    assert assessable_of(patient("\n".join(_COHORT.values()))).verdict == "met"


def test_the_steps_have_one_order() -> None:
    assert STEPS == ("person", "diagnosis", "bsab", "car_t", "bsab_before_apheresis", "failure", "assessable")


def test_the_first_step_that_is_not_met_is_the_reason() -> None:
    assert left(diagnosis="", bsab="", infusion="") == ("diagnosis", "no_diagnosis")
    assert left(bsab="", infusion="") == ("bsab", "no_bsab")
