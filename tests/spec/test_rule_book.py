"""The rule book is whole, and says what the tests say."""

from __future__ import annotations

from spec.rule_book import EDGE_CASES, PAGE, SECTIONS, edge_cases, page, sections, spoken


def test_every_file_of_rules_has_its_section() -> None:
    assert set(sections()) == set(SECTIONS)


def test_every_edge_case_has_a_sentence() -> None:
    assert {one.number for one in edge_cases()} == set(EDGE_CASES)


def test_a_name_is_read_as_a_sentence() -> None:
    assert spoken("the_order_is_cr_pr_sd") == "The order is CR PR SD."
    assert spoken("bulky_is_more_than_7_5_cm_before_car_t") == "Bulky is more than 7.5 cm before CAR-T."


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it: PYTHONPATH=tests python tests/spec/rule_book.py"
