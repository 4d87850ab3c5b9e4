"""Origin, event and censoring of every endpoint, one person and one question at a time."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged_people import person, source, study

from fhir_adapter.analysis.endpoints import ENDPOINTS, event_times
from fhir_adapter.cohort.estimate import EventTime, NotInEndpoint
from fhir_adapter.cohort.finding import Response
from fhir_adapter.cohort.judgement import Judgement


def times(judgement: Judgement, **parameters: Any) -> dict[str, EventTime]:
    return {time.endpoint: time for time in event_times(judgement, study(**parameters))[0]}


def left(judgement: Judgement, **parameters: Any) -> dict[str, NotInEndpoint]:
    return {one.endpoint: one for one in event_times(judgement, study(**parameters))[1]}


def told(time: EventTime) -> tuple[int | None, bool, str]:
    return time.days, time.event, time.reason


RESPONDER = ("PR 2024-01-29", "CR 2024-03-31", "PD 2024-06-29", "visit 2024-08-01", "death 2024-09-09")


def test_a_responder_who_progressed_and_died_has_every_endpoint() -> None:
    found = times(person(*RESPONDER))
    assert {name: told(time) for name, time in found.items()} == {
        "OS": (252, True, "death"),
        "PFS": (180, True, "progression"),
        "DOR": (152, True, "progression"),
        "DOCR": (90, True, "progression"),
        "EFS": (180, True, "progression"),
        "TTNT": (252, True, "death"),
        "TTP": (180, True, "progression"),
    }
    assert found["PFS"].source == "PD/2024-06-29/_history/1"
    assert found["OS"].source == "death/2024-09-09/_history/1"


def test_the_endpoints_come_in_one_order() -> None:
    assert [time.endpoint for time in event_times(person(*RESPONDER), study())[0]] == list(ENDPOINTS)


def test_alive_without_progression_is_censored_at_the_last_assessment_and_the_last_contact() -> None:
    found = times(person("CR 2024-01-29", "CR 2024-03-31", "visit 2024-05-01", "visit 2024-04-01"))
    assert told(found["PFS"]) == (90, False, "last assessment")
    assert told(found["OS"]) == (121, False, "last contact")
    assert told(found["TTNT"]) == (121, False, "last contact")


def test_pfs_can_be_censored_at_the_last_contact() -> None:
    p = person("CR 2024-03-31", "visit 2024-05-01")
    assert told(times(p, pfs_censor="last_contact")["PFS"]) == (121, False, "last contact")


def test_never_assessed_is_censored_on_day_0() -> None:
    found = times(person("visit 2024-05-01"))
    assert told(found["PFS"]) == (0, False, "not assessed")
    assert set(found) == {"OS", "PFS", "EFS", "TTNT", "TTP"}


def test_a_person_never_seen_again_is_censored_on_the_day_of_the_infusion() -> None:
    found = times(person("visit 2023-11-01"))
    assert told(found["OS"]) == (0, False, "no contact after the infusion")
    assert found["OS"].source == "Procedure/infusion/_history/1"


def test_a_death_without_progression_is_an_event_of_pfs_but_not_of_ttp() -> None:
    """Edge case 31: dead on day 14, never assessed."""
    found = times(person("death 2024-01-15"))
    assert told(found["PFS"]) == (14, True, "death")
    assert told(found["TTP"]) == (14, False, "death without progression")


def test_a_death_on_the_day_of_the_infusion_is_an_event_at_day_0() -> None:
    assert told(times(person("death 2024-01-01"))["OS"]) == (0, True, "death")


def test_progression_and_death_on_one_day_is_a_progression() -> None:
    assert told(times(person("PD 2024-02-01", "death 2024-02-01"))["PFS"]) == (31, True, "progression")


def test_time_can_start_at_the_apheresis() -> None:
    p = person("PR 2024-01-29", "PD 2024-02-28", "death 2024-03-31", apheresis="2023-12-02")
    found = times(p, time_origin="apheresis")
    assert (found["OS"].days, found["PFS"].days, found["DOR"].days) == (120, 88, 30)
    assert found["OS"].start == date(2023, 12, 2)


def test_without_an_apheresis_there_is_no_time_from_it() -> None:
    p = person("PR 2024-01-29", "PD 2024-02-28", apheresis=None)
    assert left(p, time_origin="apheresis")["OS"].reason == "no_apheresis_date"
    assert set(times(p, time_origin="apheresis")) == {"DOR"}


# What is known about the data cut


def test_a_contact_after_the_cut_proves_that_the_person_lived_at_the_cut() -> None:
    p = person("visit 2024-03-01", "visit 2024-09-01", cut=date(2024, 6, 30))
    assert told(times(p)["OS"]) == (181, False, "data cut")
    assert times(p)["OS"].source == "visit/2024-09-01/_history/1"


def test_truncation_ends_at_the_last_contact_before_the_cut() -> None:
    p = person("visit 2024-03-01", "visit 2024-09-01", cut=date(2024, 6, 30))
    assert told(times(p, alive_after_cut="truncate")["OS"]) == (60, False, "last contact")


def test_a_death_after_the_cut_has_not_happened_yet() -> None:
    p = person("visit 2024-03-01", "death 2024-09-01", cut=date(2024, 6, 30))
    assert told(times(p)["OS"]) == (181, False, "data cut")


def test_a_contact_on_the_cut_is_within_it() -> None:
    p = person("visit 2024-06-30", cut=date(2024, 6, 30))
    assert told(times(p)["OS"]) == (181, False, "last contact")


def test_a_death_known_to_the_month_of_the_cut_did_not_happen_when_a_later_contact_exists() -> None:
    p = person("death 2024-06", "visit 2024-07-15", cut=date(2024, 6, 20))
    assert told(times(p)["OS"]) == (171, False, "data cut")
    assert not left(p)


def test_a_death_before_the_cut_and_a_contact_after_it_contradict_each_other() -> None:
    p = person("death 2024-06-20", "visit 2024-07-15", cut=date(2024, 6, 20))
    assert left(p)["OS"].reason == "contact_after_death"


# Deaths without a date, and records that cannot both be true


def test_a_death_without_a_date_is_censored_and_said_so() -> None:
    p = person("PR 2024-02-01", "visit 2024-03-01", "death")
    assert told(times(p)["OS"]) == (60, False, "death without a date, last contact")
    assert told(times(p)["PFS"]) == (31, False, "death without a date, last assessment")
    assert told(times(p)["TTP"]) == (31, False, "last assessment")


def test_a_death_without_a_date_can_be_excluded_from_the_endpoints_it_would_end() -> None:
    p = person("PR 2024-02-01", "visit 2024-03-01", "death")
    assert {one.reason for one in left(p, undated_death="exclude").values()} == {"death_without_date"}
    assert set(left(p, undated_death="exclude")) == {"OS", "PFS", "DOR", "EFS", "TTNT"}


def test_a_progression_before_a_death_without_a_date_still_counts() -> None:
    p = person("PD 2024-02-01", "death")
    assert told(times(p, undated_death="exclude")["PFS"]) == (31, True, "progression")


def test_a_death_without_a_date_came_after_the_cut_when_a_later_contact_exists() -> None:
    p = person("visit 2024-03-01", "death", "visit 2024-07-15", cut=date(2024, 6, 20))
    assert told(times(p, undated_death="exclude")["OS"]) == (171, False, "data cut")


def test_a_dated_record_of_the_death_is_used_before_an_undated_one() -> None:
    assert told(times(person("death", "death 2024-03-01"))["OS"]) == (60, True, "death")


def test_a_contact_after_the_death_leaves_only_the_endpoints_that_rest_on_the_death() -> None:
    p = person("PR 2024-01-29", "PD 2024-02-01", "death 2024-03-01", "visit 2024-03-02")
    assert {name: one.reason for name, one in left(p).items()} == dict.fromkeys(("OS", "TTNT"), "contact_after_death")
    assert left(p)["OS"].sources == ("death/2024-03-01/_history/1", "visit/2024-03-02/_history/1")
    assert told(times(p)["PFS"]) == (31, True, "progression")


def test_a_contact_on_the_day_of_death_is_no_contradiction() -> None:
    assert not left(person("visit 2024-03-01", "death 2024-03-01"))


def test_a_progression_after_the_death_leaves_the_endpoints_that_rest_on_it() -> None:
    p = person("PR 2024-01-29", "death 2024-03-01", "PD 2024-04-01")
    assert set(left(p)) == {"PFS", "DOR", "EFS", "TTP"}
    assert {one.reason for one in left(p).values()} == {"progression_after_death"}
    assert told(times(p)["OS"]) == (60, True, "death")


def test_a_death_before_the_infusion_is_a_contradiction() -> None:
    assert left(person("death 2023-12-01"))["OS"].reason == "death_before_infusion"


def test_two_dates_of_death_contradict_each_other() -> None:
    assert left(person("death 2024-03-01", "death 2024-04-01"))["OS"].reason == "two_dates_of_death"


def test_two_records_of_one_death_are_as_exact_as_the_better_one() -> None:
    found = times(person("death 2024-03", "death 2024-03-09"))["OS"]
    assert (found.days, found.imputed) == (68, False)


def test_an_infusion_before_the_birth_leaves_every_endpoint() -> None:
    p = person("CR 2024-02-01", "visit 2024-03-01", birth="2024-05-01")
    assert {one.reason for one in left(p).values()} == {"birth_after_infusion"}
    assert not times(p)


def test_assessments_that_contradict_each_other_leave_what_rests_on_the_response() -> None:
    p = person("visit 2024-03-01", response=Response(best="", contradiction="CR and PD on one day"))
    assert left(p)["PFS"].reason == "response_not_settled"
    assert set(times(p)) == {"OS", "TTNT"}


# Partial dates (edge case 20)


def test_a_month_stands_for_its_fifteenth_and_is_flagged() -> None:
    found = times(person("visit 2024-02-10", "death 2024-03"))["OS"]
    assert (found.end, found.days, found.days_min, found.days_max) == (date(2024, 3, 15), 74, 60, 90)
    assert found.imputed
    assert found.event


def test_a_year_stands_for_the_first_of_july() -> None:
    found = times(person("death 2025"))["OS"]
    assert (found.end, found.days_min, found.days_max) == (date(2025, 7, 1), 366, 730)


def test_a_partial_death_lies_after_the_last_contact() -> None:
    found = times(person("visit 2024-10-20", "death 2024"))["OS"]
    assert (found.end, found.days, found.days_min, found.days_max) == (date(2024, 10, 20), 293, 293, 365)


def test_a_partial_death_lies_before_the_cut() -> None:
    found = times(person("visit 2024-01-10", "death 2024", cut=date(2024, 4, 30)))["OS"]
    assert (found.end, found.days_max) == (date(2024, 4, 30), 120)


def test_a_partial_progression_lies_before_the_death() -> None:
    found = times(person("PD 2024-03", "death 2024-03-05"))["PFS"]
    assert (found.end, found.days_min, found.days_max, found.reason) == (date(2024, 3, 5), 60, 64, "progression")


def test_a_partial_date_that_order_settles_is_not_imputed() -> None:
    found = times(person("visit 2024-03-31", "death 2024-03"))["OS"]
    assert (found.days, found.imputed) == (90, False)


def test_partial_dates_can_be_excluded() -> None:
    p = person("PD 2024-02-01", "death 2024-03")
    assert left(p, partial_date_policy="exclude")["OS"].reason == "date_not_exact"
    assert told(times(p, partial_date_policy="exclude")["PFS"]) == (31, True, "progression")


def test_partial_dates_can_stay_bounds() -> None:
    found = times(person("death 2024-03"), partial_date_policy="bounds")["OS"]
    assert (found.days, found.days_min, found.days_max, found.imputed) == (None, 60, 90, True)


def test_an_infusion_known_to_the_month_gives_bounds_too() -> None:
    found = times(person("death 2024-03-31", infusion="2024-01"))["OS"]
    assert (found.start, found.days, found.days_min, found.days_max) == (date(2024, 1, 15), 76, 60, 90)


def test_day_0_is_day_0_even_when_its_date_is_partial() -> None:
    found = times(person(infusion="2024-01"))["OS"]
    assert (found.days, found.days_min, found.days_max, found.imputed) == (0, 0, 0, False)


def test_the_last_contact_is_the_latest_sure_one() -> None:
    """A contact known to the month proves nothing beyond an exact one inside that month."""
    assert times(person("visit 2024-03-20", "visit 2024-03"))["OS"].days == 79
    found = times(person("visit 2024-02-20", "visit 2024-03"))["OS"]
    assert (found.days, found.days_min, found.days_max, found.imputed) == (74, 60, 90, True)


# New therapy and transplantation

SWITCHED = ("PR 2024-01-29", "PR 2024-02-28", "SD 2024-05-01", "PD 2024-06-29")


def test_a_new_therapy_is_ignored_by_pfs_by_default_and_ends_efs_and_ttnt() -> None:
    found = times(person(*SWITCHED, "drug 2024-03-11", next_therapy="2024-03-11"))
    assert told(found["PFS"]) == (180, True, "progression")
    assert told(found["EFS"]) == (70, True, "new therapy")
    assert told(found["TTNT"]) == (70, True, "new therapy")
    assert found["TTNT"].source == "drug/2024-03-11/_history/1"


def test_a_new_therapy_can_censor_at_the_last_assessment_before_it() -> None:
    found = times(person(*SWITCHED, next_therapy="2024-03-11"), new_therapy="censor_before")
    assert told(found["PFS"]) == (58, False, "last assessment before new therapy")
    assert told(found["DOR"]) == (30, False, "last assessment before new therapy")
    assert told(found["TTP"]) == (58, False, "last assessment before new therapy")


def test_a_new_therapy_before_any_assessment_censors_on_day_0() -> None:
    found = times(person("visit 2024-05-01", next_therapy="2024-01-20"), new_therapy="censor_before")
    assert told(found["PFS"]) == (0, False, "not assessed before new therapy")


def test_a_new_therapy_can_be_an_event() -> None:
    found = times(person(*SWITCHED, next_therapy="2024-03-11"), new_therapy="event")
    assert told(found["PFS"]) == (70, True, "new therapy")
    assert "TTP" in found
    assert told(found["TTP"]) == (180, True, "progression")


@pytest.mark.parametrize("rule", ["censor_before", "event"])
def test_a_new_therapy_after_or_on_the_day_of_the_progression_changes_nothing(rule: str) -> None:
    for day in ("2024-06-29", "2024-07-10"):
        found = times(person(*SWITCHED, next_therapy=day), new_therapy=rule)
        assert told(found["PFS"]) == (180, True, "progression")


IN_REMISSION = ("CR 2024-01-29", "CR 2024-03-25", "CR 2024-06-29", "visit 2024-07-01")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("ignore", (180, False, "last assessment")),
        ("censor", (91, False, "allogeneic transplantation")),
        ("event", (91, True, "allogeneic transplantation")),
    ],
)
def test_an_allogeneic_transplantation_in_remission_follows_its_own_parameter(rule: str, expected: tuple[Any]) -> None:
    """Edge case 30: never a progression; day 91, and neither the rule for new therapies nor TTNT sees it."""
    p = person(*IN_REMISSION, allogeneic="2024-04-01", next_therapy="2024-04-01", next_therapy_kind="allogeneic-hct")
    found = times(p, allo_hct_in_cr=rule, new_therapy="ignore")
    assert told(found["PFS"]) == expected
    assert told(times(p)["TTNT"]) == (182, False, "last contact")


def test_the_drug_after_a_transplantation_in_remission_is_the_new_therapy() -> None:
    p = person(
        *IN_REMISSION,
        "drug 2024-06-01",
        allogeneic="2024-04-01",
        next_therapy="2024-04-01",
        next_therapy_kind="allogeneic-hct",
    )
    assert told(times(p)["TTNT"]) == (152, True, "new therapy")


def test_a_transplantation_without_remission_is_a_new_therapy_like_any_other() -> None:
    p = person("PR 2024-01-29", allogeneic="2024-04-01", next_therapy="2024-04-01", next_therapy_kind="allogeneic-hct")
    assert told(times(p, allo_hct_in_cr="event", new_therapy="event")["PFS"]) == (91, True, "new therapy")
    assert told(times(p, allo_hct_in_cr="event")["PFS"]) == (28, False, "last assessment")


def test_a_person_without_an_infusion_date_has_no_times() -> None:
    p = person("CR 2024-02-01")
    without = p.model_copy(update={"index": p.index.model_copy(update={"value": None})})
    assert {one.reason for one in left(without).values()} == {"no_infusion_date"}
    assert not times(without)


def test_the_source_named_by_the_response_rule_wins() -> None:
    answer = Response(
        best="PD",
        progressed_on=person("PD 2024-02-01").response.value.progressed_on,
        sources={"progressed_on": str(source("Observation/scan"))},
    )  # type: ignore[union-attr]
    assert times(person("PD 2024-02-01", response=answer))["PFS"].source == "Observation/scan/_history/1"


DAYS = st.dates(date(2024, 1, 2), date(2025, 12, 31))
PRECISION = st.sampled_from([4, 7, 10])


@given(DAYS, PRECISION, DAYS, PRECISION)
def test_a_less_exact_record_never_excludes_what_the_exact_one_says(
    death: date, death_known: int, worse: date, worse_known: int
) -> None:
    """Whatever part of a date the record has: the true length lies within the bounds, and so does the one used."""
    worse = min(worse, death)
    exact = times(person(f"PD {worse}", f"death {death}"))
    vague = times(person(f"PD {worse.isoformat()[:worse_known]}", f"death {death.isoformat()[:death_known]}"))
    for endpoint, time in vague.items():
        true = exact[endpoint].days
        assert true is not None
        assert time.days is not None
        assert time.days_min <= true <= time.days_max
        assert time.days_min <= time.days <= time.days_max
        assert time.imputed == (time.days_min != time.days_max)
