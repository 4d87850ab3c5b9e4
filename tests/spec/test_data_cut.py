"""The data cut: what surely happened after it does not exist, but a later contact proves that the patient lived."""

from __future__ import annotations

from datetime import date

from spec.people import judged, left_at, patient

from fhir_adapter.cohort.judgement import Judgement

_CUT = date(2024, 6, 1)
_COHORT = """
    2022-05-01 | dlbcl
    2024-01-08 | glofitamab
    2024-02-01 | PD
    2024-03-04 | apheresis
    2024-04-01 | infusion
    2024-04-29 | PR
"""


def at_cut(table: str, cut: str = "2024-06-01", **parameters: object) -> Judgement:
    found = judged(patient(_COHORT + table), data_cut=cut, **parameters)
    assert isinstance(found, Judgement)
    return found


def test_a_response_after_the_cut_does_not_exist() -> None:
    assert at_cut("2024-06-02 | CR").response.verdict == "PR"
    assert at_cut("2024-06-01 | CR").response.verdict == "CR"


def test_a_progression_after_the_cut_does_not_exist() -> None:
    value = at_cut("2024-06-02 | PD").response.value
    assert value is not None
    assert value.progressed_on is None


def test_a_patient_infused_after_the_cut_is_not_infused_yet() -> None:
    assert left_at(patient(_COHORT), data_cut="2024-03-20") == ("car_t", "collected_not_infused")


def test_a_new_therapy_after_the_cut_does_not_exist() -> None:
    index = at_cut("2024-06-02 | polatuzumab-vedotin").index.value
    assert index is not None
    assert index.next_therapy is None


def test_a_contact_after_the_cut_proves_that_the_patient_lived_at_the_cut() -> None:
    subject = patient(_COHORT + "2024-05-01 | visit\n2024-07-01 | visit\n2024-08-01 | visit").as_of(_CUT)
    assert [one.on.iso for one in subject.contacts if one.on] == ["2024-05-01"]
    assert subject.alive_after_cut is not None


def test_a_death_after_the_cut_proves_it_too() -> None:
    subject = patient(_COHORT + "2024-07-01 | death").as_of(_CUT)
    assert subject.deaths == ()
    assert subject.alive_after_cut is not None


def test_without_a_later_record_nothing_is_proven() -> None:
    subject = patient(_COHORT + "2024-05-01 | visit\n2024-05-20 | death").as_of(_CUT)
    assert len(subject.deaths) == 1
    assert subject.alive_after_cut is None


def test_a_contact_in_the_month_of_the_cut_proves_nothing_beyond_it() -> None:
    subject = patient(_COHORT + "2024-06 | visit").as_of(_CUT)
    assert subject.alive_after_cut is None


def test_a_partial_date_that_reaches_past_the_cut_is_kept() -> None:
    subject = patient(_COHORT + "2024-06 | CR").as_of(_CUT)
    assert "CR" in {one.category for one in subject.assessments}


def test_a_record_without_a_day_is_kept() -> None:
    assert len(patient(_COHORT + "? | death").as_of(_CUT).deaths) == 1


def test_the_cut_twice_is_the_cut_once() -> None:
    subject = patient(_COHORT + "2024-05-20 | CR\n2024-07-01 | visit").as_of(_CUT)
    assert subject.as_of(_CUT) == subject
