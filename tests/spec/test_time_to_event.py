"""Overall and progression-free survival of one patient: from the infusion to the event or to censoring."""

from __future__ import annotations

import pytest
from spec.people import judged, patient, study

from fhir_adapter.analysis.endpoints import event_times
from fhir_adapter.cohort.estimate import EventTime
from fhir_adapter.cohort.judgement import Judgement

_COHORT = """
    1960-01-01 | born
    2022-05-01 | dlbcl
    2023-09-04 | glofitamab
    2023-11-01 | PD
    2023-12-04 | apheresis
    2024-01-01 | infusion
"""
Answer = tuple[int | None, str, str]


def times(table: str, **parameters: object) -> dict[str, EventTime]:
    asked = study(**parameters)
    found = judged(patient(_COHORT + table), **parameters)
    assert isinstance(found, Judgement)
    return {str(one.endpoint): one for one in event_times(found, asked)[0]}


def left(table: str, **parameters: object) -> dict[str, str]:
    """Endpoint and reason for which the records do not allow an answer."""
    found = judged(patient(_COHORT + table), **parameters)
    assert isinstance(found, Judgement)
    return {str(one.endpoint): one.reason for one in event_times(found, study(**parameters))[1]}


def told(one: EventTime) -> Answer:
    return one.days, "event" if one.event else "censored", one.reason


def overall(table: str, **parameters: object) -> Answer:
    return told(times(table, **parameters)["OS"])


def pfs(table: str, **parameters: object) -> Answer:
    return told(times(table, **parameters)["PFS"])


# ------------------------------------------------------------------------------------------ overall survival


def test_death_of_any_cause_is_the_event() -> None:
    """1 January to 1 July 2024: 182 days."""
    assert overall("2024-03-01 | visit\n2024-07-01 | death") == (182, "event", "death")


def test_the_living_are_censored_at_the_last_contact() -> None:
    assert overall("2024-03-01 | visit\n2024-05-01 | visit") == (121, "censored", "last contact")


def test_never_seen_again_is_censored_on_day_0() -> None:
    days, status, _ = overall("")
    assert (days, status) == (0, "censored")


def test_a_contact_after_the_cut_follows_the_patient_to_the_cut() -> None:
    table = "2024-03-01 | visit\n2024-08-01 | visit"
    assert overall(table, data_cut="2024-07-01") == (182, "censored", "data cut")
    assert overall(table, data_cut="2024-07-01", alive_after_cut="truncate") == (60, "censored", "last contact")


def test_a_death_after_the_cut_has_not_happened_yet() -> None:
    table = "2024-03-01 | visit\n2024-08-01 | death"
    assert overall(table, data_cut="2024-07-01") == (182, "censored", "data cut")
    assert overall(table) == (213, "event", "death")


def test_a_death_on_the_day_of_the_cut_counts() -> None:
    assert overall("2024-07-01 | death", data_cut="2024-07-01") == (182, "event", "death")


def test_a_patient_lost_before_the_cut_is_censored_at_the_last_contact() -> None:
    assert overall("2024-03-01 | visit", data_cut="2024-07-01") == (60, "censored", "last contact")


def test_a_death_without_a_day_is_never_alive() -> None:
    days, status, reason = overall("2024-03-01 | visit\n? | death")
    assert (days, status) == (60, "censored")
    assert "death without a date" in reason
    assert left("2024-03-01 | visit\n? | death", undated_death="exclude")["OS"] == "death_without_date"


def test_a_death_known_to_the_month_is_imputed_in_its_middle_and_flagged() -> None:
    found = times("2024-03-01 | visit\n2024-07 | death")["OS"]
    assert told(found) == (196, "event", "death")  # 15 July
    assert (found.days_min, found.days_max, found.imputed) == (182, 212, True)


def test_a_partial_date_may_stay_an_interval_or_exclude() -> None:
    found = times("2024-07 | death", partial_date_policy="bounds")["OS"]
    assert (found.days, found.days_min, found.days_max) == (None, 182, 212)
    assert left("2024-07 | death", partial_date_policy="exclude")["OS"] == "date_not_exact"


def test_time_may_begin_at_the_collection() -> None:
    assert overall("2024-07-01 | death", time_origin="apheresis") == (210, "event", "death")


def test_a_contact_after_the_death_cannot_be_true() -> None:
    assert left("2024-07-01 | death\n2024-07-03 | visit")["OS"] == "contact_after_death"
    assert "OS" not in left("2024-07-01 | death\n2024-07-01 | visit")


# --------------------------------------------------------------------------------- progression-free survival


def test_progression_is_the_event() -> None:
    assert pfs("2024-01-29 | PR\n2024-04-01 | PD\n2024-07-01 | death") == (91, "event", "progression")


def test_death_without_progression_is_the_event() -> None:
    assert pfs("2024-01-29 | CR\n2024-07-01 | death") == (182, "event", "death")


def test_death_on_day_14_without_an_assessment_is_an_event() -> None:
    assert pfs("2024-01-15 | death") == (14, "event", "death")


def test_without_an_event_the_last_assessment_censors() -> None:
    table = "2024-01-29 | PR\n2024-04-01 | CR\n2024-06-01 | visit"
    assert pfs(table) == (91, "censored", "last assessment")
    assert pfs(table, pfs_censor="last_contact") == (152, "censored", "last contact")


def test_an_assessment_that_was_not_evaluable_does_not_prove_freedom_from_progression() -> None:
    assert pfs("2024-01-29 | PR\n2024-04-01 | NE") == (28, "censored", "last assessment")


def test_never_assessed_is_censored_on_day_0() -> None:
    days, status, _ = pfs("2024-06-01 | visit")
    assert (days, status) == (0, "censored")


def test_a_flare_before_day_14_that_is_not_confirmed_is_no_event() -> None:
    assert pfs("2024-01-10 | PD\n2024-01-29 | PR") == (28, "censored", "last assessment")
    assert pfs("2024-01-10 | PD\n2024-01-29 | PD") == (9, "event", "progression")


def test_progression_after_the_cut_is_censored_at_the_last_assessment_before_it() -> None:
    assert pfs("2024-01-29 | PR\n2024-07-02 | PD", data_cut="2024-07-01") == (28, "censored", "last assessment")


_TREATED = "2024-01-29 | PR\n2024-02-20 | polatuzumab-vedotin\n2024-04-01 | PD"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("ignore", (91, "event", "progression")),
        ("censor_before", (28, "censored", "last assessment before new therapy")),
        ("event", (50, "event", "new therapy")),
    ],
)
def test_a_new_therapy_before_the_progression_follows_its_parameter(rule: str, expected: Answer) -> None:
    assert pfs(_TREATED, new_therapy=rule) == expected


@pytest.mark.parametrize("rule", ["ignore", "censor_before", "event"])
def test_a_new_therapy_after_the_progression_changes_nothing(rule: str) -> None:
    table = "2024-01-29 | PR\n2024-04-01 | PD\n2024-04-10 | polatuzumab-vedotin"
    assert pfs(table, new_therapy=rule) == (91, "event", "progression")


@pytest.mark.parametrize("rule", ["ignore", "censor_before", "event"])
def test_a_new_therapy_does_not_touch_overall_survival(rule: str) -> None:
    assert overall(_TREATED + "\n2024-07-01 | death", new_therapy=rule) == (182, "event", "death")


_GRAFTED = "2024-01-29 | CR\n2024-03-01 | allogeneic-hct\n2024-05-01 | CR\n2024-07-01 | death"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("ignore", (182, "event", "death")),
        ("censor", (60, "censored", "allogeneic transplantation")),
        ("event", (60, "event", "allogeneic transplantation")),
    ],
)
def test_an_allogeneic_transplantation_in_remission_follows_its_parameter(rule: str, expected: Answer) -> None:
    """It is never a progression."""
    assert pfs(_GRAFTED, allo_hct_in_cr=rule) == expected


def test_assessments_that_contradict_each_other_on_progression_leave_pfs_and_not_os() -> None:
    table = "2024-04-01 | CR\n2024-04-01 | PD\n2024-07-01 | death"
    assert "PFS" in left(table)
    assert overall(table) == (182, "event", "death")


def test_progression_after_the_death_leaves_pfs_and_not_os() -> None:
    table = "2024-07-01 | death\n2024-07-05 | PD"
    assert left(table)["PFS"] == "progression_after_death"
    assert overall(table) == (182, "event", "death")


# --------------------------------------------------------------------------------------- the other endpoints


def test_duration_of_response_runs_from_the_first_response_of_responders_only() -> None:
    found = times("2024-01-29 | PR\n2024-03-01 | CR\n2024-04-01 | PD")
    assert told(found["DOR"]) == (63, "event", "progression")
    assert told(found["DOCR"]) == (31, "event", "progression")
    assert "DOR" not in times("2024-01-29 | SD\n2024-04-01 | PD")


def test_event_free_survival_ends_with_a_new_therapy_and_time_to_progression_does_not_end_with_death() -> None:
    found = times("2024-01-29 | PR\n2024-02-20 | polatuzumab-vedotin\n2024-07-01 | death")
    assert told(found["EFS"]) == (50, "event", "new therapy")
    assert told(found["TTNT"]) == (50, "event", "new therapy")
    assert told(found["TTP"]) == (182, "censored", "death without progression")


# --------------------------------------------------------------------------------- what a study may ask otherwise


def test_a_progression_after_missed_visits_is_censored_at_the_last_assessment() -> None:
    """Nobody knows when it came: with two visits missed, the time ends where the disease was last seen quiet."""
    table = "2024-01-29 | PR\n2024-07-28 | PD"  # 181 days later
    asked = {"missed_visits": 2, "visit_interval_days": 90}
    assert pfs(table) == (209, "event", "progression")
    assert pfs(table, **asked) == (28, "censored", "last assessment before 2 missed visits")
    in_time = "2024-01-29 | PR\n2024-07-27 | PD"
    assert pfs(in_time, **asked) == (208, "event", "progression")
    assert pfs("2024-07-01 | death", **asked) == (0, "censored", "last assessment before 2 missed visits")
    assert overall("2024-07-01 | death", **asked) == (182, "event", "death")
    assert pfs(table, missed_visits="off") == (209, "event", "progression")


def test_event_free_survival_may_ask_for_a_response_by_a_day() -> None:
    """No response at the last assessment up to that day is an event; one that came in time is none."""
    stable = "2024-01-29 | SD\n2024-03-30 | SD\n2024-06-01 | PR\n2024-09-01 | PD"
    due = {"efs_response_by_day": 90}
    assert told(times(stable)["EFS"]) == (244, "event", "progression")
    assert told(times(stable, **due)["EFS"]) == (89, "event", "no PR by day 90")
    assert told(times(stable, **due)["PFS"]) == (244, "event", "progression")
    partial = "2024-01-29 | PR\n2024-09-01 | PD"
    assert told(times(partial, **due)["EFS"]) == (244, "event", "progression")
    assert told(times(partial, **due, efs_response="CR")["EFS"]) == (28, "event", "no CR by day 90")
    assert told(times("2024-06-01 | PR", **due)["EFS"]) == (152, "censored", "last assessment")


def test_a_death_may_censor_the_time_to_the_next_therapy() -> None:
    assert told(times("2024-07-01 | death")["TTNT"]) == (182, "event", "death")
    assert told(times("2024-07-01 | death", ttnt_death="censor")["TTNT"]) == (
        182,
        "censored",
        "death without new therapy",
    )


@pytest.mark.parametrize("endpoint", ["OS", "PFS", "DOR", "DOCR", "EFS", "TTNT", "TTP"])
@pytest.mark.parametrize(
    "table",
    [
        "2024-01-29 | CR\n2024-06-01 | visit",
        "2024-01-29 | CR\n2024-06-01 | PD\n2024-07-01 | death",
        "2024-01-29 | CR\n2024-03-01 | polatuzumab-vedotin\n2024-07-01 | death",
        "2024-01-29 | CR\n2024-03-01 | allogeneic-hct\n? | death",
    ],
)
def test_every_event_and_censoring_has_a_reason_and_a_record(table: str, endpoint: str) -> None:
    one = times(table)[endpoint]
    assert one.reason
    assert "/_history/" in one.source
