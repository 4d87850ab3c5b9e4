"""Best response to CAR-T: the best category from the infusion to the first progression or the next therapy."""

from __future__ import annotations

import pytest
from spec.people import patient, response_of

from fhir_adapter.cohort.finding import Response

_INFUSION = "2024-01-01 | infusion\n"


def course(table: str, **parameters: object) -> Response:
    value = response_of(patient(_INFUSION + table), **parameters).value
    assert value is not None
    return value


def best(table: str, **parameters: object) -> str:
    return course(table, **parameters).best


def progressed(table: str, **parameters: object) -> str | None:
    found = course(table, **parameters).progressed_on
    return found.iso if found else None


def test_responses_may_deepen() -> None:
    found = course("2024-01-29 | PR\n2024-04-01 | CR")
    assert found.best == "CR"
    assert found.responded_on is not None
    assert found.responded_on.iso == "2024-01-29"
    assert found.complete_on is not None
    assert found.complete_on.iso == "2024-04-01"
    assert found.last_assessed_on is not None
    assert found.last_assessed_on.iso == "2024-04-01"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("CR", "PR", "CR"), ("PR", "SD", "PR"), ("SD", "PD", "SD"), ("NE", "PR", "PR"), ("PD", "CR", "PD")],
)
def test_the_order_is_cr_pr_sd_pd_ne(first: str, second: str, expected: str) -> None:
    """A response after a progression does not undo it."""
    assert best(f"2024-01-29 | {first}\n2024-04-01 | {second}") == expected


def test_a_single_progression_is_the_best_response_pd() -> None:
    assert best("2024-01-29 | PD") == "PD"
    assert progressed("2024-01-29 | PD") == "2024-01-29"


def test_never_assessed_is_ne() -> None:
    assert best("") == "NE"
    assert best("2024-02-01 | NE") == "NE"
    assert course("2024-02-01 | NE").last_assessed_on is None


def test_a_response_before_the_infusion_or_on_its_day_is_not_a_response_to_car_t() -> None:
    """A complete response to bridging."""
    assert best("2023-12-28 | CR") == "NE"
    assert best("2024-01-01 | CR") == "NE"
    assert best("2024-01-02 | CR") == "CR"


def test_a_response_after_a_new_therapy_is_not_a_response_to_car_t() -> None:
    table = "2024-01-29 | SD\n2024-02-10 | polatuzumab-vedotin\n2024-04-01 | CR"
    assert best(table) == "SD"
    assert best(table, bor_end="first_pd") == "CR"


def test_an_assessment_on_the_day_of_the_new_therapy_still_counts() -> None:
    assert best("2024-02-10 | PR\n2024-02-10 | polatuzumab-vedotin") == "PR"


def test_a_steroid_is_no_new_therapy() -> None:
    assert best("2024-01-10 | dexamethasone\n2024-01-29 | CR") == "CR"


def test_radiotherapy_ends_the_window_only_when_the_study_counts_it() -> None:
    table = "2024-01-29 | SD\n2024-02-10 | radiotherapy\n2024-04-01 | CR"
    assert best(table) == "CR"
    assert best(table, new_therapy_includes="drug, radiotherapy") == "SD"


def test_a_progression_after_a_new_therapy_is_still_a_progression() -> None:
    """It ends PFS, by the rule of the endpoint; it is not the best response."""
    table = "2024-01-29 | PR\n2024-02-10 | polatuzumab-vedotin\n2024-04-01 | PD"
    assert best(table) == "PR"
    assert progressed(table) == "2024-04-01"


# ------------------------------------------------------------------------------------ flare and indeterminate


def test_progression_on_day_13_may_be_a_flare_and_on_day_14_is_progression() -> None:
    assert progressed("2024-01-14 | PD") is None
    assert best("2024-01-14 | PD") == "NE"
    assert progressed("2024-01-15 | PD") == "2024-01-15"


def test_a_flare_that_a_scan_confirms_was_progression_from_its_first_day() -> None:
    assert progressed("2024-01-14 | PD\n2024-01-29 | PD") == "2024-01-14"


def test_a_flare_followed_by_a_response_was_none() -> None:
    table = "2024-01-14 | PD\n2024-01-29 | PR"
    assert progressed(table) is None
    assert best(table) == "PR"


def test_not_evaluable_in_between_neither_confirms_nor_refutes() -> None:
    assert progressed("2024-01-14 | PD\n2024-01-20 | NE\n2024-01-29 | PD") == "2024-01-14"


def test_a_progression_ten_months_later_does_not_confirm_a_flare() -> None:
    """An indeterminate response is to be resolved within 12 weeks; what comes later is a progression of its own."""
    assert progressed("2024-01-08 | PD\n2024-11-01 | PD") == "2024-11-01"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("nonevent_until_confirmed", ("NE", None)),
        ("as_pd", ("PD", "2024-01-29")),
        ("as_sd", ("SD", None)),
    ],
)
def test_an_indeterminate_response_alone_follows_its_policy(policy: str, expected: tuple[str, str | None]) -> None:
    table = "2024-01-29 | IR"
    assert (best(table, ir_policy=policy), progressed(table, ir_policy=policy)) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("nonevent_until_confirmed", "2024-02-26"),
        ("as_pd", "2024-02-26"),
        ("as_sd", "2024-03-25"),
    ],
)
def test_a_confirmed_indeterminate_response_dates_the_progression(policy: str, expected: str) -> None:
    table = "2024-01-29 | PR\n2024-02-26 | IR\n2024-03-25 | PD"
    assert progressed(table, ir_policy=policy) == expected
    assert best(table, ir_policy=policy) == "PR"


def test_the_first_planned_assessment_is_a_parameter() -> None:
    assert progressed("2024-01-25 | PD", first_planned_assessment_day=28) is None


# --------------------------------------------------------------------------------------- days with two answers


def test_two_answers_on_one_day_that_change_the_best_response_leave_it_open() -> None:
    found = response_of(patient(_INFUSION + "2024-01-29 | CR\n2024-01-29 | PR"))
    assert found.verdict == "undetermined"
    assert found.value is not None
    assert found.value.best == ""
    assert found.value.responded_on is not None
    assert found.value.responded_on.iso == "2024-01-29"


def test_two_answers_on_one_day_do_not_matter_when_a_better_one_is_known() -> None:
    assert best("2024-01-29 | CR\n2024-04-01 | CR\n2024-04-01 | PR") == "CR"


def test_a_best_response_that_every_reading_agrees_on_is_settled() -> None:
    """Stable or partial at the first scan, complete at the second: complete."""
    found = course("2024-01-29 | SD\n2024-01-29 | PR\n2024-04-01 | CR")
    assert found.best == "CR"
    assert found.progressed_on is None
    assert found.last_assessed_on is not None
    assert found.last_assessed_on.iso == "2024-04-01"


def test_response_and_progression_on_one_day_contradict_each_other() -> None:
    assert course("2024-04-01 | CR\n2024-04-01 | PD").contradiction


def test_the_same_answer_twice_is_no_contradiction() -> None:
    assert best("2024-01-29 | PR\n2024-01-29 | PR") == "PR"


def test_not_evaluable_beside_another_answer_contradicts_nothing() -> None:
    assert best("2024-01-29 | PR\n2024-01-29 | NE") == "PR"


# --------------------------------------------------------------------------------------------- partial dates


def test_a_month_is_enough_when_the_order_is_clear() -> None:
    found = course("2024-02 | CR\n2024-05 | PD")
    assert found.best == "CR"
    assert found.progressed_on is not None
    assert found.progressed_on.iso == "2024-05"


def test_a_response_in_the_month_of_the_progression_may_have_come_first_or_not() -> None:
    """Complete response in March, progression on 10 March: the best response is CR or PD."""
    assert best("2024-03 | CR\n2024-03-10 | PD") == ""


def test_a_progression_in_the_month_of_the_infusion_may_have_led_to_it() -> None:
    """2024-01 with the infusion on 1 January: from the 2nd on it would be a flare or a progression."""
    found = response_of(patient("2024-01-10 | infusion\n2024-01 | PD\n2024-03-01 | CR"))
    assert found.verdict == "undetermined"


def test_an_undecided_order_does_not_matter_when_every_reading_agrees() -> None:
    assert best("2024-02-01 | CR\n2024-03 | SD\n2024-03-10 | PD") == "CR"


def test_a_new_therapy_in_the_month_of_the_infusion_may_have_come_before_the_response() -> None:
    assert best("2024-01-20 | CR\n2024-01 | polatuzumab-vedotin") == ""
    assert best("2024-02-20 | CR\n2024-02-10 | CR\n2024-03 | polatuzumab-vedotin") == "CR"
