"""Washout: whole calendar days from the last dose of a bispecific antibody to the collection of the cells."""

from __future__ import annotations

import pytest
from spec.people import exposure_of, judged, patient, washout_of

from fhir_adapter.cohort.finding import Span
from fhir_adapter.cohort.judgement import Judgement


def days(table: str, **parameters: object) -> tuple[int, int] | None:
    """(shortest, longest) washout; None when it is not known."""
    value = washout_of(patient(table), **parameters).value
    return (value.shortest, value.longest) if isinstance(value, Span) else None


def test_it_counts_from_the_last_dose_to_the_collection() -> None:
    found = washout_of(
        patient("""
            2024-01-08 | glofitamab
            2024-01-15 | glofitamab
            2024-01-22 | glofitamab
            2024-03-04 | apheresis
            2024-04-01 | infusion
        """)
    )
    assert found.value is not None
    assert found.value.days == 42  # 9 days of January, 29 of February, 4 of March
    assert found.verdict == "met"


def test_a_leap_day_is_a_day() -> None:
    assert days("""
        2024-02-28 | glofitamab
        2024-03-01 | apheresis
        2024-04-01 | infusion
    """) == (2, 2)


def test_hours_do_not_count_only_calendar_days() -> None:
    assert days("""
        2024-01-31T23:50:00+08:00 | glofitamab
        2024-02-01T00:10:00+08:00 | apheresis
        2024-03-01                | infusion
    """) == (1, 1)


def test_a_dose_on_the_day_of_the_collection_is_a_washout_of_0_and_flagged() -> None:
    person = patient("""
        2024-01-08 | glofitamab
        2024-03-04 | glofitamab
        2024-03-04 | apheresis
        2024-04-01 | infusion
    """)
    washed, exposed = washout_of(person), exposure_of(person).value
    assert washed.value is not None
    assert washed.value.days == 0
    assert exposed is not None
    assert exposed.same_day_as_apheresis


def test_a_dose_after_the_collection_is_bridging_and_does_not_shorten_the_washout() -> None:
    person = patient("""
        2024-01-08 | glofitamab
        2024-03-04 | apheresis
        2024-03-11 | glofitamab
        2024-04-01 | infusion
    """)
    washed, exposed = washout_of(person), exposure_of(person).value
    assert washed.value is not None
    assert washed.value.days == 56
    assert exposed is not None
    assert exposed.bridging


def test_a_dose_after_the_infusion_is_neither_washout_nor_bridging() -> None:
    person = patient("""
        2024-01-08 | glofitamab
        2024-03-04 | apheresis
        2024-04-01 | infusion
        2024-06-01 | glofitamab
    """)
    washed, exposed = washout_of(person), exposure_of(person).value
    assert washed.value is not None
    assert washed.value.days == 56
    assert exposed is not None
    assert not exposed.bridging


def test_the_last_dose_of_any_bispecific_antibody_counts() -> None:
    assert days("""
        2023-05-01 | blinatumomab
        2024-01-08 | glofitamab
        2024-03-04 | apheresis
        2024-04-01 | infusion
    """) == (56, 56)


@pytest.mark.parametrize("drug", ["obinutuzumab", "rituximab", "teclistamab", "polatuzumab-vedotin", "lenalidomide"])
def test_a_drug_that_is_no_bispecific_antibody_of_the_study_does_not_shorten_it(drug: str) -> None:
    assert days(f"""
        2024-01-08 | glofitamab
        2024-02-20 | {drug}
        2024-03-04 | apheresis
        2024-04-01 | infusion
    """) == (56, 56)


def test_a_month_alone_gives_an_interval() -> None:
    """The last dose was given between 1 and 31 January: 33 to 63 days before 4 March 2024."""
    found = washout_of(
        patient("""
            2024-01    | glofitamab
            2024-03-04 | apheresis
            2024-04-01 | infusion
        """)
    )
    assert found.value == Span(shortest=33, longest=63)
    assert found.verdict == "undetermined"


def test_a_collection_known_to_the_month_gives_an_interval() -> None:
    """Between 1 and 31 March: 53 to 83 days after 8 January 2024."""
    assert days("""
        2024-01-08 | glofitamab
        2024-03    | apheresis
        2024-04-20 | infusion
    """) == (53, 83)


def test_a_month_before_an_exact_dose_does_not_matter() -> None:
    assert days("""
        2023-12    | glofitamab
        2024-01-08 | glofitamab
        2024-03-04 | apheresis
        2024-04-01 | infusion
    """) == (56, 56)


def test_a_dose_in_the_month_of_the_collection_may_lie_on_either_side() -> None:
    """Before the collection it leaves 0 to 3 days, after it the earlier dose counts: 0 to 56 days in all."""
    person = patient("""
        2024-01-08 | glofitamab
        2024-03    | glofitamab
        2024-03-04 | apheresis
        2024-04-20 | infusion
    """)
    exposed = exposure_of(person).value
    assert washout_of(person).value == Span(shortest=0, longest=56)
    assert exposed is not None
    assert not exposed.same_day_as_apheresis


def test_a_collection_known_to_the_month_of_the_infusion_lies_before_it() -> None:
    """Between 1 and 20 March: 53 to 72 days after 8 January."""
    assert days("""
        2024-01-08 | glofitamab
        2024-03    | apheresis
        2024-03-20 | infusion
    """) == (53, 72)


def test_a_stopped_dose_without_amount_may_or_may_not_have_been_given() -> None:
    """Given on 5 February: 28 days; not given: 56 days from the dose before."""
    found = washout_of(
        patient("""
            2024-01-08 | glofitamab
            2024-02-05 | glofitamab | amount unknown
            2024-03-04 | apheresis
            2024-04-01 | infusion
        """)
    )
    assert found.value == Span(shortest=28, longest=56)
    assert found.verdict == "undetermined"


def test_a_stopped_dose_before_the_last_certain_one_does_not_matter() -> None:
    assert days("""
        2024-01-01 | glofitamab | amount unknown
        2024-01-08 | glofitamab
        2024-03-04 | apheresis
        2024-04-01 | infusion
    """) == (56, 56)


def test_an_infusion_over_weeks_counts_from_its_end() -> None:
    assert days("""
        2024-01-01 | blinatumomab | to 2024-01-29
        2024-03-04 | apheresis
        2024-04-01 | infusion
    """) == (35, 35)


def test_a_running_infusion_without_an_end_is_a_washout_of_0_and_flagged() -> None:
    person = patient("""
        2024-02-20 | blinatumomab | ongoing
        2024-03-04 | apheresis
        2024-04-01 | infusion
    """)
    washed, exposed = washout_of(person), exposure_of(person).value
    assert washed.value is not None
    assert washed.value.days == 0
    assert exposed is not None
    assert exposed.same_day_as_apheresis


def test_a_planned_end_after_the_collection_is_cut_off_there() -> None:
    assert days("""
        2024-02-20 | blinatumomab | to 2024-03-19
        2024-03-04 | apheresis
        2024-04-01 | infusion
    """) == (0, 0)


def test_without_a_collection_it_is_not_known_but_the_patient_stays() -> None:
    table = """
        2023-01-01 | dlbcl
        2024-01-08 | glofitamab
        2024-01-29 | PD
        2024-04-01 | infusion
    """
    assert days(table) is None
    found = judged(patient(table))
    assert isinstance(found, Judgement)
    assert found.washout.verdict == "undetermined"


def test_it_can_be_counted_to_the_infusion() -> None:
    assert days(
        """
        2024-01-08 | glofitamab
        2024-03-04 | apheresis
        2024-04-01 | infusion
        """,
        washout_to="infusion",
    ) == (84, 84)


def test_cells_banked_before_the_first_dose_have_no_washout() -> None:
    """Not a negative number: the washout is not defined, and it says so."""
    found = washout_of(
        patient("""
            2023-12-01 | apheresis
            2024-01-08 | glofitamab
            2024-04-01 | infusion
        """),
        banked_cells="include",
    )
    assert found.value is None
    assert "not defined" in found.sentence


def test_including_banked_cells_changes_nothing_for_a_patient_with_bridging() -> None:
    assert days(
        """
        2024-01-08 | glofitamab
        2024-03-04 | apheresis
        2024-03-11 | glofitamab
        2024-04-01 | infusion
        """,
        banked_cells="include",
    ) == (56, 56)


def test_one_dose_recorded_as_two_administrations_of_a_day_is_one_dose() -> None:
    """A change of the bag, or an interruption for CRS."""
    exposed = exposure_of(
        patient("""
            2024-01-08T09:00:00+08:00 | glofitamab
            2024-01-08T14:30:00+08:00 | glofitamab
            2024-01-15                | glofitamab
            2024-03-04                | apheresis
            2024-04-01                | infusion
        """)
    ).value
    assert exposed is not None
    assert [one.doses for one in exposed.exposures] == [2]
