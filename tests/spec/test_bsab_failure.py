"""Did the bispecific antibody fail: refractory (never responded), relapsed (responded, then progressed), or open?"""

from __future__ import annotations

import pytest
from spec.people import failure_of, patient

_AFTER = """
    2024-03-04 | apheresis
    2024-04-01 | infusion
"""
_DRUG = """
    2024-01-01 | glofitamab
    2024-01-08 | glofitamab
"""


def status(table: str, **parameters: object) -> str:
    return failure_of(patient(_AFTER + table), **parameters).verdict


# ------------------------------------------------------------------------------------- the rule of the study


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("PD", "", "refractory"),
        ("SD", "", "refractory"),
        ("SD", "PD", "refractory"),
        ("CR", "PD", "relapsed"),
        ("PR", "PD", "relapsed"),
        ("responded-unspecified", "PD", "relapsed"),
        ("NE", "PD", "refractory"),
        ("NE", "", "undetermined"),
        ("CR", "", "undetermined"),
        ("PR", "", "undetermined"),
        ("CR", "SD", "undetermined"),
    ],
)
def test_the_best_response_decides(first: str, second: str, expected: str) -> None:
    """A response without a documented progression leaves it open: the record does not show a failure."""
    later = f"2024-02-26 | {second}" if second else ""
    assert status(_DRUG + f"2024-01-29 | {first}\n{later}") == expected


def test_without_any_assessment_it_is_not_determined() -> None:
    """Never silently refractory."""
    assert status(_DRUG) == "undetermined"


def test_a_response_after_the_first_progression_does_not_count() -> None:
    found = failure_of(patient(_AFTER + _DRUG + "2024-01-22 | PD\n2024-02-20 | CR"))
    assert found.verdict == "refractory"
    assert found.value is not None
    assert found.value.best_response == "PD"
    assert found.value.progression is not None
    assert found.value.progression.iso == "2024-01-22"


def test_a_progression_after_the_collection_is_not_a_progression_on_the_antibody() -> None:
    assert status(_DRUG + "2024-01-29 | PR\n2024-03-05 | PD") == "undetermined"


def test_a_progression_on_the_day_of_the_collection_counts() -> None:
    assert status(_DRUG + "2024-01-29 | PR\n2024-03-04 | PD") == "relapsed"


def test_a_progression_on_the_day_of_the_first_dose_led_to_the_drug_and_is_not_its_result() -> None:
    assert status(_DRUG + "2024-01-01 | PD") == "undetermined"
    assert status(_DRUG + "2024-01-02 | PD") == "refractory"


def test_an_assessment_before_the_first_dose_belongs_to_the_line_before() -> None:
    assert status(_DRUG + "2023-12-20 | CR\n2024-02-01 | PD") == "refractory"


def test_without_a_known_collection_the_infusion_ends_the_window() -> None:
    table = "2024-04-01 | infusion\n" + _DRUG
    assert failure_of(patient(table + "2024-03-20 | PD")).verdict == "refractory"
    assert failure_of(patient(table + "2024-04-02 | PD")).verdict == "undetermined"


# ---------------------------------------------------------------------------------------- more than one line


def test_the_last_line_with_an_antibody_before_the_collection_is_judged() -> None:
    """Relapse after glofitamab, then refractory to epcoritamab."""
    table = """
        2023-01-02 | glofitamab
        2023-03-01 | CR
        2023-06-01 | PD
        2023-06-15 | epcoritamab
        2023-08-01 | SD
        2023-09-01 | PD
    """
    assert status(table) == "refractory"
    assert status(table, bsab_line_for_status="first") == "relapsed"
    assert status(table, bsab_line_for_status="best") == "relapsed"
    assert status(table, bsab_line_for_status="worst") == "refractory"


def test_the_next_line_closes_the_window_of_the_antibody() -> None:
    """The complete response of 1 February belongs to the chemotherapy that began on 10 January."""
    table = """
        2023-11-01 | glofitamab
        2023-12-20 | SD
        2024-01-10 | gemcitabine
        2024-01-10 | oxaliplatin
        2024-02-01 | CR
    """
    assert status(table) == "refractory"


def test_the_same_antibody_again_after_a_long_gap_is_a_line_of_its_own() -> None:
    table = """
        2022-01-03 | glofitamab
        2022-03-01 | CR
        2023-08-01 | PD
        2023-09-04 | glofitamab
        2023-11-01 | PD
    """
    assert status(table) == "refractory"


def test_step_up_doses_are_one_line() -> None:
    table = """
        2023-12-01 | obinutuzumab
        2023-12-08 | glofitamab
        2023-12-15 | glofitamab
        2023-12-22 | glofitamab
        2024-01-20 | PR
        2024-02-20 | PD
    """
    assert status(table) == "relapsed"


def test_a_dose_shortly_before_collection_and_infusion_belongs_to_the_antibody_line() -> None:
    found = failure_of(
        patient("""
            2024-02-28 | glofitamab
            2024-03-02 | PD
            2024-03-04 | apheresis
            2024-03-11 | infusion
        """)
    )
    assert found.verdict == "refractory"


# -------------------------------------------------------------------------------------- the time to progression


@pytest.mark.parametrize(
    ("days", "limit", "expected"),
    [(28, 28, "refractory"), (29, 28, "relapsed"), (29, 183, "refractory"), (55, 183, "refractory")],
)
def test_by_interval_only_progression_within_the_limit_is_refractory(days: int, limit: int, expected: str) -> None:
    """Last dose on 8 January 2024; the limit itself is within it."""
    progressed = {28: "2024-02-05", 29: "2024-02-06", 55: "2024-03-03"}[days]
    table = _DRUG + f"2024-01-25 | CR\n{progressed} | PD"
    assert status(table, bsab_status_rule="pd_within", interval_days=limit) == expected
    assert status(table, bsab_status_rule="best_response_or_pd_within", interval_days=limit) == expected
    assert status(table, bsab_status_rule="best_response", interval_days=limit) == "relapsed"


@pytest.mark.parametrize(("progressed", "expected"), [("2024-03-02", "refractory"), ("2024-03-03", "relapsed")])
def test_a_limit_of_183_days_ends_with_its_last_day(progressed: str, expected: str) -> None:
    """1 September 2023 + 183 days = 2 March 2024."""
    table = f"2023-09-01 | glofitamab\n2023-11-01 | CR\n{progressed} | PD"
    assert status(table, bsab_status_rule="pd_within", interval_days=183) == expected
    assert status(table, bsab_status_rule="best_response_or_pd_within", interval_days=183) == expected


def test_the_interval_may_count_from_the_first_dose() -> None:
    table = """
        2023-11-01 | glofitamab
        2024-01-10 | glofitamab
        2024-01-20 | CR
        2024-02-01 | PD
    """
    asked = {"bsab_status_rule": "pd_within", "interval_days": 28}
    assert status(table, **asked) == "refractory"
    assert status(table, **asked, interval_anchor="first_dose") == "relapsed"


def test_the_interval_may_count_from_the_end_of_the_line() -> None:
    """The partner drug was given for longer than the antibody."""
    table = """
        2023-11-01 | glofitamab
        2023-11-01 | gemcitabine
        2024-01-10 | gemcitabine
        2024-01-20 | CR
        2024-02-01 | PD
    """
    asked = {"bsab_status_rule": "pd_within", "interval_days": 28}
    assert status(table, **asked) == "relapsed"
    assert status(table, **asked, interval_anchor="end_of_line") == "refractory"


@pytest.mark.parametrize(
    ("anchor", "told"),
    [("last_dose", "24 days after the last dose"), ("first_dose", "31 days after the first dose")],
)
def test_the_finding_says_from_where_it_counts(anchor: str, told: str) -> None:
    table = _DRUG + "2024-02-01 | PD"
    found = failure_of(patient(_AFTER + table), bsab_status_rule="pd_within", interval_anchor=anchor)
    assert any(told in one.says for one in found.steps)


def test_progression_between_two_doses_is_on_treatment() -> None:
    table = """
        2024-01-01 | glofitamab
        2024-01-29 | PD
        2024-02-05 | glofitamab
    """
    assert status(table, bsab_status_rule="pd_within", interval_days=0) == "refractory"


def test_by_interval_stable_disease_without_progression_is_open() -> None:
    table = _DRUG + "2024-01-29 | SD"
    assert status(table, bsab_status_rule="pd_within") == "undetermined"
    assert status(table, bsab_status_rule="best_response_or_pd_within") == "refractory"


def test_late_progression_of_a_patient_who_never_responded_depends_on_the_rule() -> None:
    """Progression 54 days after the last dose, without a response: refractory by response, relapsed by interval."""
    table = _DRUG + "2024-01-22 | SD\n2024-03-02 | PD"
    asked = {"interval_days": 28}
    assert status(table, bsab_status_rule="best_response", **asked) == "refractory"
    assert status(table, bsab_status_rule="best_response_or_pd_within", **asked) == "refractory"
    assert status(table, bsab_status_rule="pd_within", **asked) == "relapsed"


def test_an_infusion_over_weeks_counts_from_its_end() -> None:
    """17 days after the end of the infusion, 45 after its start."""
    table = "2024-01-01 | blinatumomab | to 2024-01-29\n2024-02-15 | PD"
    assert status(table, bsab_status_rule="pd_within", interval_days=28) == "refractory"


def test_a_stopped_last_dose_leaves_the_interval_open() -> None:
    """21 days from the dose that may have been given, 40 from the one that was."""
    table = """
        2024-01-01 | glofitamab
        2024-01-20 | glofitamab | amount unknown
        2024-02-10 | PD
    """
    assert status(table, bsab_status_rule="pd_within", interval_days=28) == "undetermined"
    assert status(table, bsab_status_rule="pd_within", interval_days=60) == "refractory"
    assert status(table, bsab_status_rule="pd_within", interval_days=20) == "relapsed"


# ------------------------------------------------------------------------------------------------ intolerance


def test_stopped_for_toxicity_with_stable_disease_is_exposed_but_not_refractory() -> None:
    table = "2024-01-01 | glofitamab | intolerance\n2024-01-29 | SD"
    assert status(table) == "undetermined"
    assert status(table, toxicity_stop_with_sd="refractory") == "refractory"


def test_stopped_for_toxicity_in_remission_and_relapsed_is_relapsed() -> None:
    assert status("2024-01-01 | glofitamab | intolerance\n2024-01-20 | CR\n2024-02-20 | PD") == "relapsed"


def test_stopped_for_toxicity_with_progression_is_refractory() -> None:
    assert status("2024-01-01 | glofitamab | intolerance\n2024-01-20 | PD") == "refractory"


# ------------------------------------------------------------------------------------- days with two answers


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (("CR", "PR"), "relapsed"),
        (("SD", "PD"), "refractory"),
        (("PR", "SD"), "undetermined"),
        (("PR", "PD"), "undetermined"),
    ],
)
def test_two_answers_on_one_day_matter_only_when_they_lead_to_different_classes(
    answers: tuple[str, str], expected: str
) -> None:
    table = _DRUG + "".join(f"2024-01-29 | {one}\n" for one in answers) + "2024-02-20 | PD"
    assert status(table) == expected


def test_not_evaluable_beside_another_answer_contradicts_nothing() -> None:
    assert status(_DRUG + "2024-01-29 | PD\n2024-01-29 | NE") == "refractory"
    assert status(_DRUG + "2024-01-29 | CR\n2024-01-29 | NE\n2024-02-20 | PD") == "relapsed"


# --------------------------------------------------------------------------------------------- partial dates


def test_a_progression_known_to_the_month_is_enough_when_the_whole_month_is_in_the_window() -> None:
    found = failure_of(patient(_AFTER + _DRUG + "2024-01-20 | PR\n2024-02 | PD"))
    assert found.verdict == "relapsed"
    assert found.value is not None
    assert found.value.progression is not None
    assert found.value.progression.iso == "2024-02"


def test_a_progression_in_the_month_of_the_collection_may_lie_after_it() -> None:
    assert status(_DRUG + "2024-01-20 | PR\n2024-03 | PD") == "undetermined"


def test_a_response_in_the_month_of_the_progression_may_have_come_first_or_not() -> None:
    assert status(_DRUG + "2024-02 | PR\n2024-02-14 | PD") == "undetermined"


def test_a_progression_in_the_month_of_the_only_dose_may_have_come_before_it() -> None:
    assert status("2024-01-15 | glofitamab\n2024-01 | PD") == "undetermined"


def test_a_last_dose_known_to_the_month_leaves_an_interval_rule_open_only_near_the_limit() -> None:
    """Last dose 1 to 31 January, progression on 20 February: 20 to 50 days."""
    table = "2023-12-01 | glofitamab\n2024-01 | glofitamab\n2024-02-20 | PD"
    asked = {"bsab_status_rule": "pd_within"}
    assert status(table, **asked, interval_days=19) == "relapsed"
    assert status(table, **asked, interval_days=28) == "undetermined"
    assert status(table, **asked, interval_days=50) == "refractory"


# --------------------------------------------------------------------------------------- indeterminate responses


@pytest.mark.parametrize(
    ("policy", "table", "expected"),
    [
        ("nonevent_until_confirmed", "2024-01-22 | IR", "undetermined"),
        ("nonevent_until_confirmed", "2024-01-22 | IR\n2024-02-20 | PD", "refractory"),
        ("nonevent_until_confirmed", "2024-01-22 | IR\n2024-02-20 | PR", "undetermined"),
        ("as_pd", "2024-01-22 | IR", "refractory"),
        ("as_pd", "2024-01-15 | PR\n2024-01-22 | IR", "relapsed"),
        ("as_sd", "2024-01-22 | IR", "refractory"),
    ],
)
def test_an_indeterminate_response_follows_its_policy(policy: str, table: str, expected: str) -> None:
    assert status(_DRUG + table, ir_policy=policy) == expected


def test_a_dose_known_to_the_month_may_open_a_line_of_its_own_or_join_the_next() -> None:
    """On 1 January the second course is a line with an antibody that nobody assessed; the stable disease is older."""
    table = """
        2023-06-01 | glofitamab
        2023-06-02 | SD
        2024-01    | glofitamab
        2024-01-02 | polatuzumab-vedotin
    """
    assert status(table) == "undetermined"
    assert status(table.replace("2024-01    |", "2024-01-01 |")) == "undetermined"


# ------------------------------------------------------------------------------------------ limits of the definition


def test_one_dose_may_be_too_little_to_call_the_lymphoma_refractory() -> None:
    """A study may ask for a minimum exposure: below it, progression is no proof that the drug does not work."""
    once = patient("2024-01-01 | glofitamab\n2024-02-01 | PD\n2024-03-01 | apheresis\n2024-04-01 | infusion")
    assert failure_of(once).verdict == "refractory"
    short = failure_of(once, refractory_min_doses=2)
    assert short.verdict == "undetermined"
    assert "refractory needs 2 doses" in short.sentence
    twice = patient(
        "2024-01-01 | glofitamab\n2024-01-08 | glofitamab\n2024-02-01 | PD\n"
        "2024-03-01 | apheresis\n2024-04-01 | infusion"
    )
    assert failure_of(twice, refractory_min_doses=2).verdict == "refractory"


def test_a_relapse_needs_no_minimum_exposure() -> None:
    """A response was seen, so the exposure was enough."""
    answered = patient(
        "2024-01-01 | glofitamab\n2024-01-20 | CR\n2024-02-01 | PD\n2024-03-01 | apheresis\n2024-04-01 | infusion"
    )
    assert failure_of(answered, refractory_min_doses=5).verdict == "relapsed"


def test_stable_disease_for_long_may_not_be_refractory() -> None:
    """Stable for more than six months is not refractory where a study limits the time, and without a response it is
    no relapse either."""
    held = "2024-01-01 | glofitamab\n2024-03-01 | SD\n{} | PD\n2024-12-01 | apheresis\n2024-12-30 | infusion"
    for progressed, expected in (("2024-06-01", "refractory"), ("2024-07-02", "refractory"), ("2024-07-03", None)):
        found = failure_of(patient(held.format(progressed)), sd_limit_days=183)
        assert found.verdict == (expected or "undetermined")
    assert failure_of(patient(held.format("2024-07-03"))).verdict == "refractory"
    assert failure_of(patient(held.format("2024-07")), sd_limit_days=183).verdict == "undetermined"


def test_refractory_on_treatment_is_progression_soon_after_the_last_dose() -> None:
    """On treatment: progression within 28 days of the last dose; later it is a relapse."""
    rule = {"bsab_status_rule": "pd_within", "interval_days": 28}
    for progressed, expected in (("2024-02-05", "refractory"), ("2024-02-06", "relapsed")):
        person = patient(f"2024-01-08 | glofitamab\n{progressed} | PD\n2024-03-01 | apheresis\n2024-04-01 | infusion")
        assert failure_of(person, **rule).verdict == expected
