"""The table of published numbers, and how a computed number is printed beside one."""

from __future__ import annotations

import pytest
from judged_people import person, study

from fhir_adapter.analysis.proportions import proportion
from fhir_adapter.analysis.published import COLUMNS, SHOWN, compare, parse, settings
from fhir_adapter.analysis.summaries import count, median_and_range
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.errors import StudyError

HEAD = ",".join(COLUMNS) + "\n"


def share(name: str, part: int, of: int) -> Estimate:
    return proportion((name, "x", "x"), part, of, study())


def chance(value: float | None, **more: bool) -> Estimate:
    return Estimate(id="x", endpoint="PFS", label="x", method="kaplan-meier", value=value, n=12, **more)


def printed(show: str, digits: int, *given: Estimate) -> str:
    return SHOWN[show](given, digits)


def test_numbers_are_printed_as_the_abstract_prints_them() -> None:
    assert printed("count", 0, share("a", 6, 12), share("b", 6, 12)) == "6:6"
    assert printed("count", 0, count(("n", "x", "x"), 12)) == "12"
    assert printed("n/N (%)", 1, share("a", 11, 12)) == "11/12 (91.7%)"
    assert printed("n/N (%)", 1, share("a", 12, 12)) == "12/12 (100%)"
    assert printed("%", 1, chance(6 / 11)) == "54.5%"
    assert printed("value", 1, chance(None, not_reached=True)) == "not reached"
    assert printed("median (range)", 1, median_and_range(("m", "x", "x"), [13.996, 5.29, 9.265], unit="mo")) == (
        "9.3 (5.3-14)"
    )


def test_what_cannot_be_estimated_is_printed_as_that() -> None:
    nobody = share("a", 0, 0)
    empty = median_and_range(("m", "x", "x"), [], unit="d")
    assert {printed("n/N (%)", 1, nobody), printed("%", 1, chance(None)), printed("value", 0, chance(None))} == {
        "not estimable"
    }
    assert printed("median (range)", 1, empty) == "not estimable"


def test_a_different_number_is_not_the_same() -> None:
    rows = parse(HEAD + "a,Bulky,3/12 (25%),1,n/N (%),\n")
    assert [row.same for row in compare([share("a", 3, 12)], rows)] == [True]
    assert [row.same for row in compare([share("a", 4, 12)], rows)] == [False]


def test_a_figure_that_was_not_computed_is_not_the_same() -> None:
    (row,) = compare([], parse(HEAD + "a,Bulky,,1,n/N (%),\n"))
    assert (row.computed, row.same) == ("", False)


def test_a_ratio_needs_both_of_its_numbers() -> None:
    rows = parse(HEAD + "a b,Male : female,6:6,0,count,\n")
    assert not compare([share("a", 6, 12)], rows)[0].same
    assert compare([share("a", 6, 12), share("b", 6, 12)], rows)[0].same


def test_a_row_under_other_parameters_is_compared_with_what_was_computed_under_them() -> None:
    rows = parse(HEAD + "a,Refractory,8/12 (66.7%),1,n/N (%),\na,Refractory,12/12 (100%),1,n/N (%),x=1; y=2\n")
    assert settings(rows) == ((), ("x=1", "y=2"))
    answers = {(): [share("a", 8, 12)], ("x=1", "y=2"): [share("a", 12, 12)]}
    assert [row.same for row in compare(answers, rows)] == [True, True]
    assert [row.same for row in compare(answers[()], rows)] == [True, False]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,figure\n", "the first line is not"),
        ("", "the first line is not"),
        (HEAD + "a,Bulky,3,one,count,\n", "line 2: `digits` is not a whole number"),
        (HEAD + "a,Bulky,3,1,fraction,\n", "line 2: `show` is not known"),
    ],
)
def test_a_table_that_cannot_be_read_names_the_line(text: str, says: str) -> None:
    with pytest.raises(StudyError, match=says) as error:
        parse(text, "2025.csv")
    assert error.value.message.startswith("2025.csv")


def test_the_people_of_other_tests_are_what_they_seem() -> None:
    """The builder derives the response as a plain reader would."""
    answer = person("PR 2024-02-01", "CR 2024-03-01", "PD 2024-04-01", "CR 2024-05-01").response.value
    assert answer is not None
    assert answer.best == "CR"
    assert answer.progressed_on == person("PD 2024-04-01").response.value.progressed_on  # type: ignore[union-attr]
