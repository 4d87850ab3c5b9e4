"""Lines of therapy before the collection, the line with the bispecific antibody included."""

from __future__ import annotations

import pytest
from spec.people import lines_of, patient

_AFTER = """
    2024-03-04 | apheresis
    2024-04-01 | infusion
"""
_BSAB = """
    2023-12-04 | glofitamab
    2023-12-11 | glofitamab
    2023-12-18 | glofitamab
"""


def count(table: str, **parameters: object) -> tuple[int, int]:
    """(fewest, most) lines."""
    value = lines_of(patient(_AFTER + table), **parameters).value
    assert value is not None
    return value.count.lowest, value.count.highest


def test_the_antibody_alone_is_one_line() -> None:
    assert count(_BSAB) == (1, 1)


def test_six_cycles_of_r_chop_are_one_line() -> None:
    drugs = ("rituximab", "cyclophosphamide", "doxorubicin", "vincristine")
    days = ("2022-01-03", "2022-01-24", "2022-02-14", "2022-03-07", "2022-03-28", "2022-04-18")
    r_chop = "".join(f"{day} | {drug}\n" for day in days for drug in drugs)
    found = lines_of(patient(_AFTER + r_chop + _BSAB)).value
    assert found is not None
    assert [line.agents for line in found.lines] == [tuple(sorted(drugs)), ("glofitamab",)]
    assert (found.lines[0].first.iso, found.lines[0].last.iso) == ("2022-01-03", "2022-04-18")


@pytest.mark.parametrize(("added", "expected"), [("2022-01-31", 2), ("2022-02-01", 3)])
def test_a_drug_added_in_the_first_28_days_belongs_to_the_regimen(added: str, expected: int) -> None:
    """28 days after 3 January is 31 January; a day later it is a change of the regimen."""
    table = f"2022-01-03 | rituximab\n2022-01-24 | rituximab\n{added} | lenalidomide\n"
    assert count(table + _BSAB) == (expected, expected)


def test_dropping_a_drug_is_no_new_line() -> None:
    table = """
        2022-01-03 | rituximab
        2022-01-03 | vincristine
        2022-01-24 | rituximab
        2022-02-14 | rituximab
    """
    assert count(table + _BSAB) == (2, 2)


@pytest.mark.parametrize(("again", "expected"), [("2022-07-02", 2), ("2022-07-03", 3)])
def test_the_same_drug_after_more_than_180_days_without_is_a_new_line(again: str, expected: int) -> None:
    """180 days after 3 January 2022 is 2 July 2022."""
    table = f"2022-01-03 | rituximab\n{again} | rituximab\n"
    assert count(table + _BSAB) == (expected, expected)


def test_the_gap_is_a_parameter() -> None:
    assert count("2022-01-03 | rituximab\n2022-04-04 | rituximab\n" + _BSAB, gap_days=90) == (3, 3)
    assert count("2022-01-03 | rituximab\n2022-04-03 | rituximab\n" + _BSAB, gap_days=90) == (2, 2)


def test_the_gap_begins_with_the_end_of_a_long_treatment() -> None:
    """Ibrutinib every day for two years, restarted two months later."""
    table = "2020-01-01 | ibrutinib | to 2022-01-01\n2022-03-01 | ibrutinib\n"
    assert count(table + _BSAB) == (2, 2)


def test_maintenance_with_a_drug_of_the_regimen_is_no_new_line() -> None:
    table = """
        2022-01-03 | rituximab
        2022-01-03 | bendamustine
        2022-03-07 | rituximab
        2022-05-09 | rituximab
    """
    assert count(table + _BSAB) == (2, 2)


@pytest.mark.parametrize(("drug", "expected"), [("obinutuzumab", 1), ("rituximab", 1), ("polatuzumab-vedotin", 2)])
def test_an_antibody_against_cd20_a_week_before_prepares_for_the_bispecific_antibody(drug: str, expected: int) -> None:
    """Polatuzumab a month before is a regimen of its own."""
    given = "2023-11-27" if expected == 1 else "2023-11-02"
    assert count(f"{given} | {drug}\n" + _BSAB) == (expected, expected)


def test_obinutuzumab_long_before_is_a_line() -> None:
    assert count("2023-08-01 | obinutuzumab\n2023-08-22 | obinutuzumab\n" + _BSAB) == (2, 2)


def test_a_partner_drug_makes_one_line_with_the_antibody() -> None:
    table = _BSAB + "2023-12-04 | gemcitabine\n2023-12-04 | oxaliplatin\n"
    found = lines_of(patient(_AFTER + table)).value
    assert found is not None
    assert [line.agents for line in found.lines] == [("gemcitabine", "glofitamab", "oxaliplatin")]


def test_transplantation_and_its_conditioning_belong_to_the_salvage_line() -> None:
    """Four days of BEAM a month after the salvage are no line, nor is the transplantation."""
    table = """
        2022-06-01 | cisplatin
        2022-06-01 | cytarabine
        2022-06-22 | cisplatin
        2022-07-15 | carmustine
        2022-07-16 | etoposide
        2022-07-19 | melphalan
        2022-07-20 | autologous-hct
    """
    assert count(table + _BSAB) == (2, 2)


def test_radiotherapy_is_no_line() -> None:
    assert count("2023-06-01 | radiotherapy\n" + _BSAB) == (1, 1)


def test_a_steroid_before_the_regimen_is_no_line() -> None:
    assert count("2023-10-01 | prednisone\n" + _BSAB) == (1, 1)


def test_bridging_is_no_prior_line_unless_the_study_says_so() -> None:
    table = _BSAB + "2024-03-06 | polatuzumab-vedotin\n"
    assert count(table) == (1, 1)
    assert count(table, prior_lines="include_bridging") == (2, 2)


def test_lymphodepletion_is_no_line_even_when_bridging_counts() -> None:
    table = _BSAB + "2024-03-27 | fludarabine\n2024-03-27 | cyclophosphamide\n"
    assert count(table) == (1, 1)
    assert count(table, prior_lines="include_bridging") == (1, 1)


def test_a_drug_on_the_day_of_the_collection_still_counts() -> None:
    assert count(_BSAB + "2024-03-04 | polatuzumab-vedotin\n") == (2, 2)


def test_what_was_given_before_the_collection_counts_even_when_the_infusion_follows_soon() -> None:
    """Seven days from vein to vein: the antibody is no conditioning."""
    found = lines_of(
        patient("""
            2023-01-02 | rituximab
            2024-02-28 | glofitamab
            2024-03-04 | apheresis
            2024-03-11 | infusion
        """)
    ).value
    assert found is not None
    assert (found.count.lowest, found.count.highest) == (2, 2)


def test_an_earlier_car_t_is_a_line_and_its_lymphodepletion_is_not() -> None:
    """R-CHOP, CAR-T, bispecific antibody."""
    table = """
        2021-01-04 | rituximab
        2021-09-01 | apheresis
        2021-09-25 | fludarabine
        2021-09-25 | cyclophosphamide
        2021-09-30 | infusion axicabtagene-ciloleucel
    """
    assert count(table + _BSAB) == (3, 3)


# ------------------------------------------------------------------------------------ what the record leaves open


def test_a_month_that_leaves_the_regimen_open_gives_a_range() -> None:
    """Lenalidomide between 1 and 28 February 2022: 28 days after the start end on 14 February."""
    table = "2022-01-17 | rituximab\n2022-02-07 | rituximab\n2022-02 | lenalidomide\n"
    assert count(table + _BSAB) == (2, 3)


def test_a_year_that_leaves_the_order_open_does_not_change_the_number_when_it_cannot() -> None:
    assert count("2019 | rituximab\n2021 | polatuzumab-vedotin\n" + _BSAB) == (3, 3)


def test_a_partial_date_may_close_a_gap() -> None:
    """Two courses 304 days apart; a dose of the year between them may join them, when given in the middle."""
    table = "2022-01-03 | rituximab\n2022 | rituximab\n2022-11-03 | rituximab\n"
    assert count(table + _BSAB) == (2, 3)


def test_a_drug_in_the_month_of_the_collection_may_be_bridging() -> None:
    assert count(_BSAB + "2024-03 | polatuzumab-vedotin\n") == (1, 2)


def test_obinutuzumab_in_the_month_before_may_or_may_not_prepare_for_the_antibody() -> None:
    """On 1 November it is 33 days before the antibody: a line; on 27 November it prepares for it."""
    assert count("2023-11 | obinutuzumab\n" + _BSAB) == (1, 2)


def test_a_stopped_dose_without_amount_may_be_no_line() -> None:
    assert count("2022-01-03 | polatuzumab-vedotin | amount unknown\n" + _BSAB) == (1, 2)
