"""The catalogue of faults is whole, and its page says what the tests say."""

from __future__ import annotations

from catalogue import ELSEWHERE, HERE, NOT_DONE, NUMBERS, PAGE, missing_numbers, page, read_faults


def test_no_test_has_a_number_that_does_not_belong_here() -> None:
    assert {fault.number for fault in read_faults()} <= set(NUMBERS)
    assert sorted([*NUMBERS, *ELSEWHERE, *NOT_DONE]) == list(range(1, 101))


def test_every_number_has_a_test() -> None:
    assert missing_numbers() == []


def test_no_two_tests_have_the_same_name() -> None:
    names = [(fault.number, fault.letter) for fault in read_faults()]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_what_is_held_to_elsewhere_is_there() -> None:
    assert [path for path in ELSEWHERE.values() if not (HERE.parents[1] / path).exists()] == []


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it again: python tests/faults/catalogue.py"
