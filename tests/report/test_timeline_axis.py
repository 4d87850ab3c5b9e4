"""The time axis of a person: in stretches of different scale, never out of order, honest about partial dates."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report.course import person

from fhir_adapter.cohort.subject import EVENT_FIELDS
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.report.timeline.axis import Axis, axis_of

LEFT, RIGHT = 190.0, 1260.0


def axis(table: str = "", **parameters: object) -> Axis:
    one = person(table, **parameters) if table else person(**parameters)
    days = [event.on for name in EVENT_FIELDS for event in getattr(one.subject, name) if event.on]
    return axis_of(one, days, LEFT, RIGHT)


def test_a_course_has_four_stretches_from_the_first_record_to_the_data_cut() -> None:
    drawn = axis()
    titles = [one.title for one in drawn.stretches]
    assert titles == ["earlier", "from the antibody on", "days from the infusion", "follow-up"]
    assert [one.first.isoformat() for one in drawn.stretches] == [
        "2021-02-01",
        "2022-12-26",
        "2023-04-25",
        "2023-06-09",
    ]
    assert drawn.stretches[-1].end == date(2024, 6, 2)


def test_the_stretches_fill_the_whole_width_without_a_gap() -> None:
    drawn = axis()
    assert (drawn.stretches[0].left, drawn.stretches[-1].right) == (LEFT, pytest.approx(RIGHT))
    for one, following in pairwise(drawn.stretches):
        assert (one.right, one.end) == (following.left, following.first)


@given(st.dates(date(2021, 2, 1), date(2024, 5, 31)), st.integers(1, 400))
def test_a_later_day_is_never_drawn_before_an_earlier_one(day: date, more: int) -> None:
    drawn = axis()
    assert LEFT <= drawn.x(day) <= drawn.x(day + timedelta(days=more)) <= RIGHT + 1e-6
    assert drawn.x(day) < drawn.x(day + timedelta(days=1)) + 1e-9


def test_around_the_infusion_the_days_are_counted_from_it() -> None:
    around = axis().stretches[2]
    ticks = {tick.text: tick.below for tick in around.ticks()}
    assert ticks["0"] == "05-09"
    assert ticks["7"] == "05-16"
    assert ticks["−7"] == "05-02"


def test_an_infusion_known_to_a_month_has_no_day_zero() -> None:
    around = axis("2021 | dlbcl\n2023-01-09 | glofitamab\n2023-02-09 | PD\n2023-03-01 | apheresis\n2023-05 | infusion")
    titles = [one.title for one in around.stretches]
    assert "around the infusion" in titles
    assert all(one.zero is None for one in around.stretches)


def test_a_partial_date_covers_every_day_it_can_be() -> None:
    drawn = axis()
    month = PartialDate.parse("2024-02")
    assert month
    assert drawn.span(month) == (drawn.x(date(2024, 2, 1)), drawn.x(date(2024, 3, 1)))
    assert drawn.x(date(2024, 2, 1)) < drawn.middle(month) < drawn.x(date(2024, 3, 1))


@given(st.dates(date(2021, 2, 1), date(2024, 5, 31)), st.sampled_from([4, 7]))
def test_every_day_that_a_partial_date_can_be_is_within_what_is_drawn(day: date, length: int) -> None:
    drawn, on = axis(), PartialDate.parse(day.isoformat()[:length])
    assert on
    left, right = drawn.span(on)
    assert left <= drawn.x(day) <= drawn.night(day) <= right


def test_labels_of_ticks_do_not_touch() -> None:
    for stretch in axis().stretches:
        for one, following in pairwise(stretch.ticks()):
            assert following.x - one.x >= 7 * max(len(one.text), len(following.text))


def test_somebody_who_was_never_infused_has_no_stretch_around_it() -> None:
    assert [one.title for one in axis("2020-01-01 | dlbcl\n2023-01-09 | rituximab").stretches] == ["whole course"]


@pytest.mark.parametrize("table", ["? | dlbcl", "2020-01-01 | dlbcl", "1900 | dlbcl\n2023-01-09 | rituximab"])
def test_few_records_have_an_axis_as_well(table: str) -> None:
    drawn = axis(table, cut="none")
    assert drawn.left < drawn.right
    for stretch in drawn.stretches:
        assert stretch.first < stretch.end
        list(stretch.ticks())
