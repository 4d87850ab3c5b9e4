"""What is withheld because it tells of too few people."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from analysis.judged_people import study

from fhir_adapter.analysis.disclosure import disclosed, hidden_cells, hidden_steps
from fhir_adapter.analysis.proportions import proportion
from fhir_adapter.analysis.summaries import count, median_and_range
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.study import Study

LEAST = 11
STUDY = study()


def asked(**parameters: Any) -> Study:
    return study(**{"min_cell": LEAST, **parameters})


def share(name: str, part: int, of: int, **more: int) -> Estimate:
    return proportion((name, name.partition(".")[0], name), part, of, STUDY, **more)


def only(one: Estimate) -> Estimate:
    (found,) = disclosed([one], asked())
    return found


def told(estimates: list[Estimate], given: Study | None = None) -> dict[str, float | None]:
    """The values that are left, by id."""
    return {one.id: one.value for one in disclosed(estimates, given or asked())}


def test_a_study_that_withholds_nothing_gets_every_number_as_it_is() -> None:
    few = [share("baseline.bulky", 1, 12), count(("baseline.n", "baseline", "People"), 3)]
    assert disclosed(few, asked(min_cell=0)) == tuple(few)


@pytest.mark.parametrize(
    ("part", "withheld"), [(0, False), (1, True), (10, True), (11, False), (29, False), (30, True)]
)
def test_a_share_of_few_people_or_of_all_but_few_is_withheld(part: int, withheld: bool) -> None:
    """The value and the interval would tell the number; how many there are in all stays."""
    one = only(share("baseline.bulky", part, 40))
    assert (one.value is None) == withheld
    assert (one.numerator is None) == withheld
    assert ({"value", "ci_low", "ci_high", "numerator"} <= set(one.suppressed)) == withheld
    assert (one.n, one.denominator) == (40, 40)


def test_a_statistic_of_few_people_is_withheld_with_their_number() -> None:
    one = only(median_and_range(("washout.median", "washout", "Washout"), range(1, 8), unit="d"))
    assert (one.value, one.n, one.range_low, one.range_high) == (None, 0, None, None)
    assert set(one.suppressed) == {"value", "n", "range_low", "range_high"}


def test_a_curve_with_few_events_is_withheld_and_few_at_risk_are_not_counted() -> None:
    curve = Estimate(
        id="os.12m", endpoint="OS", label="OS", method="kaplan-meier", value=0.5, n=40, events=20, at_risk=4
    )
    assert only(curve).suppressed == ("at_risk",)
    assert only(curve).value == 0.5
    assert set(only(curve.model_copy(update={"events": 4})).suppressed) == {"value", "events", "at_risk"}


def test_what_belongs_to_a_withheld_number_goes_with_it() -> None:
    """Of the parameters those of the study stay; `undetermined` is a number of people."""
    one = share("crs.any", 3, 40).model_copy(update={"parameters": {"ae_window_days": "0-30", "undetermined": 2}})
    assert only(one).parameters == {"ae_window_days": "0-30"}


def test_a_number_of_people_among_the_parameters_is_not_told() -> None:
    """Not known in 19: that the grade is open in 17 of them would tell of 2 in whom nothing was assessed."""
    one = share("crs.any", 20, 60, missing=19).model_copy(update={"parameters": {"undetermined": 17, "crs_scale": "x"}})
    told_of = only(one)
    assert (told_of.value, told_of.missing, told_of.suppressed) == (20 / 60, 19, ())
    assert told_of.parameters == {"crs_scale": "x"}


def test_few_people_of_unknown_value_are_not_counted() -> None:
    one = only(share("baseline.bulky", 20, 40, missing=3))
    assert (one.missing, one.suppressed, one.value) == (0, ("missing",), 0.5)


def test_nobody_can_tell_the_withheld_numbers_of_a_sum_from_the_rest() -> None:
    """What is withheld adds up to `min_cell` at least, and is never a single number, where the whole allows it."""
    for counts in itertools.product((0, 1, 5, 10, 11, 14, 20), repeat=3):
        gone = hidden_cells(counts, LEAST)
        small = {place for place, number in enumerate(counts) if 0 < number < LEAST}
        assert small <= gone
        assert all(counts[place] for place in gone)
        assert small or not gone
        if small and sum(counts) >= LEAST and sum(number > 0 for number in counts) > 1:
            assert len(gone) > 1
            assert sum(counts[place] for place in gone) >= LEAST


def test_shares_of_one_whole_are_withheld_together() -> None:
    """45 responses: of 2, 13 and 30 the 2 could be computed, so the 13 go with it, and the sum of some of them, too."""
    found = told(
        [
            share("response.orr", 43, 45),
            *(share(f"response.{name}", number, 45) for name, number in (("cr", 30), ("pr", 13), ("sd", 2))),
        ]
    )
    assert found == {"response.orr": None, "response.cr": 30 / 45, "response.pr": None, "response.sd": None}


def test_the_levels_of_a_subgroup_are_withheld_together() -> None:
    """Of 40 people 5 had relapsed: the 35 others would tell."""
    compared = asked(subgroups=("bsab_failure=relapsed|refractory",))
    levels = [
        one.model_copy(update={"id": f"{one.id}[{population}]", "population": population})
        for population, people in (("bsab_failure=relapsed", 5), ("bsab_failure=refractory", 35))
        for one in (count(("baseline.n", "baseline", "People"), people), share("response.cr", people // 2, people))
    ]
    assert set(told(levels, compared).values()) == {None}
    assert told([share("response.cr", 20, 40)], compared) == {"response.cr": 0.5}


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        ([71, 54, 36, 20], set()),
        ([71, 68, 36, 20], {0}),
        ([71, 40, 30, 28, 20], {2, 3}),
        ([20, 20, 20], set()),
        ([], set()),
    ],
)
def test_a_step_at_which_few_left_is_withheld(totals: list[int], expected: set[int]) -> None:
    gone = hidden_steps(totals, LEAST)
    assert gone == expected
    shown = [total for place, total in enumerate(totals) if place not in gone]
    assert all(above - below == 0 or above - below >= LEAST for above, below in itertools.pairwise(shown))


def test_the_attrition_is_withheld_step_by_step() -> None:
    steps = [
        count((f"attrition.{name}", "attrition", name), people) for name, people in (("a", 50), ("b", 47), ("c", 30))
    ]
    assert told(steps) == {"attrition.a": 50, "attrition.b": 47, "attrition.c": 30} | {"attrition.a": None}


def test_ages_above_the_top_are_told_as_the_next_year() -> None:
    ages = median_and_range(("baseline.age", "baseline", "Age"), [40, 70, 93], unit="a")
    (one,) = disclosed([ages], asked(min_cell=0, age_top=89))
    assert (one.value, one.range_low, one.range_high) == (70, 40, 90)
    assert one.parameters["age_top"] == 89
    (other,) = disclosed([ages], asked(min_cell=0))
    assert other.range_high is not None
    assert math.isclose(other.range_high, 93)
