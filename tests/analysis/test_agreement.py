"""Rules and reviewers: the share of equal answers, and Cohen's kappa against numbers worked out elsewhere."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from math import sqrt

import pytest
from analysis.judged_people import study

from fhir_adapter.analysis.agreement import agreement, kappa
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.review import Review, Ruling, Seen, Standing

Table = list[list[int]]


def pairs(table: Table) -> list[tuple[str, str]]:
    """One pair for every count of a square table: rows are the rule, columns the reviewers."""
    return [
        (f"class {one}", f"class {other}")
        for one, row in enumerate(table)
        for other, count in enumerate(row)
        for _ in range(count)
    ]


def variance(table: Table) -> Fraction:
    """The large-sample variance by the general delta method in exact fractions: the gradient of kappa over the cells.

    With p_o = trace and p_e = row margins times column margins, kappa = (p_o - p_e) / (1 - p_e).
    """
    n = sum(map(sum, table))
    size = range(len(table))
    shares = [[Fraction(count, n) for count in row] for row in table]
    rows = [sum(row) for row in shares]
    columns = [sum(row[place] for row in shares) for place in size]
    observed = sum(shares[place][place] for place in size)
    expected = sum(rows[place] * columns[place] for place in size)
    cells = [(one, other) for one in size for other in size]
    gradient = {
        (one, other): Fraction(one == other) / (1 - expected)
        - (columns[one] + rows[other]) * (1 - observed) / (1 - expected) ** 2
        for one, other in cells
    }
    mean = sum(shares[one][other] * gradient[one, other] for one, other in cells)
    return Fraction(sum(shares[one][other] * gradient[one, other] ** 2 for one, other in cells) - mean**2) / n


def test_kappa_as_sas_prints_it() -> None:
    """An example of PROC FREQ with AGREE, as quoted in the tests of statsmodels (test_inter_rater.py, BSD)."""
    table = [[0, 4, 1], [0, 8, 0], [0, 1, 5]]
    (found,) = (one for one in estimates(*reviews_of(table)).values() if one.method == "cohen-kappa")
    value, error, _ = kappa(pairs(table))
    assert [round(number or 0, 4) for number in (value, error)] == [0.4842, 0.1380]
    assert [round(end or 0, 4) for end in (found.ci_low, found.ci_high)] == [0.2137, 0.7547]


@pytest.mark.parametrize(
    "table",
    [[[20, 5], [10, 15]], [[1, 2], [3, 4]], [[45, 15], [25, 15]], [[0, 3], [4, 0]], [[7, 0, 1], [2, 9, 0], [0, 1, 3]]],
)
def test_the_error_is_that_of_the_delta_method_in_exact_fractions(table: Table) -> None:
    _, error, _ = kappa(pairs(table))
    assert error == pytest.approx(sqrt(variance(table)), abs=1e-9)


def test_kappa_of_a_table_worked_out_by_hand() -> None:
    """35 of 50 agree; margins 25/25 and 30/20: p_e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5, kappa = (0.7 - 0.5) / 0.5."""
    value, _, _ = kappa(pairs([[20, 5], [10, 15]]))
    assert value == pytest.approx(0.4, abs=1e-12)


def test_no_better_than_chance_is_nought_and_worse_is_below() -> None:
    assert kappa(pairs([[4, 4], [4, 4]]))[0] == pytest.approx(0)
    assert kappa(pairs([[0, 4], [4, 0]]))[0] == pytest.approx(-1)


def test_perfect_agreement_has_no_interval() -> None:
    assert kappa(pairs([[4, 0], [0, 3]])) == (1, None, "")


def test_kappa_needs_two_answers_that_can_differ() -> None:
    assert kappa([]) == (None, None, "nobody with two answers")
    assert kappa(pairs([[9]])) == (None, None, "only one answer was ever given")


# ------------------------------------------------------------------------------------------- what is compared


def review(
    by_rule: str, verdict: str, standing: Standing = "applied", records: Seen = "as-seen", rule: str = "failure"
) -> tuple[str, Review]:
    said = Ruling(person="P", rule=rule, verdict=verdict, reviewer="Chen", on=date(2026, 3, 1), reason="seen", line=2)
    found = Review(
        by_rule=by_rule, sentence_by_rule="", verdict=verdict, standing=standing, records=records, rulings=(said,)
    )
    return rule, found


def reviews_of(table: Table) -> list[tuple[str, Review]]:
    return [review(one, other) for one, other in pairs(table)]


def estimates(*reviews: tuple[str, Review]) -> dict[str, Estimate]:
    return {one.id: one for one in agreement(reviews, study())}


def test_the_share_is_of_people_in_whom_both_have_an_answer_on_the_same_records() -> None:
    found = estimates(
        review("relapsed", "relapsed"),
        review("relapsed", "refractory"),
        review("refractory", "refractory", records="not-recorded"),
        review("undetermined", "refractory"),
        review("grade 1 to 5", "refractory"),
        review("relapsed", "undetermined"),
        review("relapsed", "refractory", records="changed"),
        review("relapsed", "", standing="disputed"),
        review("relapsed", "refractory", standing="other-definitions"),
    )
    share = found["agreement.failure.agreed"]
    assert (share.numerator, share.denominator, share.missing) == (2, 3, 6)
    assert share.parameters == {"overridden": 5}
    assert found["agreement.failure.kappa"].n == 3


def test_every_rule_has_its_own_kappa_and_all_together_only_a_share() -> None:
    found = estimates(
        review("relapsed", "relapsed"),
        review("refractory", "refractory"),
        review("PR", "CR", rule="response"),
    )
    assert list(found) == [
        "agreement.failure.agreed",
        "agreement.failure.kappa",
        "agreement.response.agreed",
        "agreement.response.kappa",
        "agreement.all.agreed",
    ]
    assert (found["agreement.all.agreed"].numerator, found["agreement.all.agreed"].denominator) == (2, 3)


def test_the_interval_of_kappa_stays_between_minus_one_and_one() -> None:
    found = estimates(*reviews_of([[2, 0], [1, 2]]))
    one = found["agreement.failure.kappa"]
    assert one.ci_low is not None
    assert one.ci_high == 1
    assert one.ci_low < one.value < one.ci_high  # type: ignore[operator]


def test_nothing_to_compare_is_not_estimable_and_says_why() -> None:
    one = estimates(review("undetermined", "refractory"))["agreement.failure.kappa"]
    assert (one.value, one.not_estimable, one.missing) == (None, "nobody with two answers", 1)


def test_without_reviews_there_is_nothing() -> None:
    assert agreement([], study()) == ()


def test_few_people_are_withheld_and_with_them_whatever_would_tell_how_many() -> None:
    """Two of 22 differ: with `min_cell` 5 neither the share is told, nor its kappa, nor the share over all rules."""
    some = [*reviews_of([[10, 2], [0, 10]]), *(review("PR", "PR", rule="response") for _ in range(8))]
    found = {one.id: one for one in agreement(some, study(min_cell=5))}
    for name in ("agreement.failure.agreed", "agreement.failure.kappa", "agreement.all.agreed"):
        one = found[name]
        assert (one.value, one.ci_low, one.numerator, one.n) == (None, None, None, 0)
        assert {"value", "n"} <= set(one.suppressed)
    assert (found["agreement.response.agreed"].numerator, found["agreement.response.agreed"].suppressed) == (8, ())


def test_how_many_were_overridden_is_not_told_where_small_numbers_are_withheld() -> None:
    """20 of 40 agree, and 22 were overridden: two of them in whom the rule had no answer."""
    open_to_rule = [review("undetermined", "refractory") for _ in range(2)]
    confirmed = [review("undetermined", "undetermined") for _ in range(6)]
    some = [*reviews_of([[10, 10], [10, 10]]), *open_to_rule, *confirmed]
    asked = {one.id: one for one in agreement(some, study(min_cell=5))}
    share = asked["agreement.failure.agreed"]
    assert (share.numerator, share.denominator, share.missing) == (20, 40, 8)
    assert "overridden" not in share.parameters
    assert estimates(*some)["agreement.failure.agreed"].parameters == {"overridden": 22}
