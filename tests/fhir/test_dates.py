"""FHIR dates as intervals of calendar days, on the site's own calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.fhir.dates import NotADate, PartialDate

SHANGHAI, BERLIN, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


def days(text: str, zone: ZoneInfo | None = None) -> tuple[str, str]:
    found = PartialDate.parse(text, zone)
    assert found is not None
    return found.earliest.isoformat(), found.latest.isoformat()


INTERVALS = [
    ("2024", "2024-01-01", "2024-12-31"),
    ("2024-02", "2024-02-01", "2024-02-29"),
    ("2023-02", "2023-02-01", "2023-02-28"),
    ("2100-02", "2100-02-01", "2100-02-28"),
    ("2024-12", "2024-12-01", "2024-12-31"),
    ("2024-02-29", "2024-02-29", "2024-02-29"),
    (" 2024-05-01 ", "2024-05-01", "2024-05-01"),
    ("2024-05-01T10:00", "2024-05-01", "2024-05-01"),
    ("2024-05-01T10:00:00", "2024-05-01", "2024-05-01"),
    ("2024-05-01T23:59:59.999999999+02:00", "2024-05-01", "2024-05-01"),
]


@pytest.mark.parametrize(("text", "first", "last"), INTERVALS)
def test_a_date_is_as_exact_as_it_is_written(text: str, first: str, last: str) -> None:
    assert days(text) == (first, last)


MOVED = [
    ("2024-05-01T16:00:00Z", SHANGHAI, "2024-05-02"),
    ("2024-05-01T15:59:59Z", SHANGHAI, "2024-05-01"),
    ("2024-05-01T15:59:59.9Z", SHANGHAI, "2024-05-01"),
    ("2024-05-01T16:00Z", SHANGHAI, "2024-05-02"),
    ("2024-05-01T23:30:00-08:00", SHANGHAI, "2024-05-02"),
    ("2024-05-01T00:30:00+08:00", BERLIN, "2024-04-30"),
    ("2024-01-01T04:59:00Z", NEW_YORK, "2023-12-31"),
    # daylight saving: midnight UTC is 01:00 in Berlin's winter, 02:00 in its summer
    ("2024-03-30T23:00:00Z", BERLIN, "2024-03-31"),
    ("2024-03-31T22:00:00Z", BERLIN, "2024-04-01"),
    ("2024-10-27T22:59:00Z", BERLIN, "2024-10-27"),
    ("2016-12-31T23:59:60Z", SHANGHAI, "2017-01-01"),  # a leap second
    ("2024-02-28T20:00:00Z", SHANGHAI, "2024-02-29"),
    # without an offset nobody knows the moment, so the day stays
    ("2024-05-01T23:30:00", NEW_YORK, "2024-05-01"),
    ("2024-05-01", NEW_YORK, "2024-05-01"),
    ("2024-05", NEW_YORK, "2024-05"),
]


@pytest.mark.parametrize(("text", "zone", "iso"), MOVED)
def test_a_moment_counts_on_the_local_day_and_a_day_is_never_moved(text: str, zone: ZoneInfo, iso: str) -> None:
    found = PartialDate.parse(text, zone)
    assert found is not None
    assert found.iso == iso
    assert found.text == text


@pytest.mark.parametrize("text", ["2024-05-01T16:00:00Z", "2024-05-01T00:30:00-11:00"])
def test_without_a_site_a_moment_keeps_the_day_it_was_written_with(text: str) -> None:
    assert days(text) == ("2024-05-01", "2024-05-01")


@pytest.mark.parametrize(
    "text", ["0001-01-01", "0001", "9999-12-31T23:59:59Z", "9999-12-31", "9999", "0001-01-01T00:00:00Z"]
)
def test_placeholders_are_no_date(text: str) -> None:
    assert PartialDate.parse(text) is None
    assert PartialDate.parse(text, SHANGHAI) is None


NO_DATES = [
    "",
    " ",
    "24",
    "2024-5-1",
    "2024-13",
    "2024-00",
    "2024-02-30",
    "2023-02-29",
    "2024/05/01",
    "01.05.2024",
    "20240501",
    "2024-05-01 10:00",
    "2024-05-01T",
    "2024-05-01T10",
    "2024-05-01T10:00:00+8",
    "2024-05-01T10:00:00+0800",
    "2024-05-01t10:00:00z",
    "May 2024",
    "2024年5月1日",
    "0000-01-01",
    "-2024",
    "2024-05-01T10:00:00Z extra",
]


@pytest.mark.parametrize("text", NO_DATES)
def test_what_is_no_fhir_date_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(NotADate) as caught:
        PartialDate.parse(text, SHANGHAI)
    assert str(caught.value) == "not a FHIR date"


@pytest.mark.parametrize("text", ["2024-05-01T25:00:00Z", "2024-05-01T10:61:00Z", "2024-05-01T10:00:00+99:00"])
def test_a_moment_no_clock_shows_is_refused_where_it_must_be_moved(text: str) -> None:
    with pytest.raises(NotADate):
        PartialDate.parse(text, SHANGHAI)


def test_exactness_and_the_way_it_is_written() -> None:
    day, month, year = (PartialDate.parse(text) for text in ("2024-05-01", "2024-05", "2024"))
    assert day
    assert month
    assert year
    assert [one.exact for one in (day, month, year)] == [True, False, False]
    assert [one.day for one in (day, month, year)] == [date(2024, 5, 1), None, None]
    assert [one.iso for one in (day, month, year)] == ["2024-05-01", "2024-05", "2024"]
    assert PartialDate.on(date(2024, 5, 1)) == PartialDate(day.earliest, day.latest, "2024-05-01")
    assert PartialDate(date(2024, 4, 30), date(2024, 5, 2)).iso == "2024-04-30/2024-05-02"
    assert PartialDate(date(2024, 1, 1), date(2024, 2, 29)).iso == "2024-01-01/2024-02-29"
    assert PartialDate(date(2023, 1, 1), date(2024, 12, 31)).iso == "2023-01-01/2024-12-31"


def test_order_is_certain_or_possible() -> None:
    may, june, third = (PartialDate.parse(text) for text in ("2024-05", "2024-06", "2024-05-03"))
    assert may
    assert june
    assert third
    assert may.surely_before(june)
    assert not june.surely_before(may)
    assert not may.surely_before(third)
    assert not third.surely_before(may)
    assert third.perhaps_on_or_before(may)
    assert may.perhaps_on_or_before(third)
    assert not june.perhaps_on_or_before(may)
    assert third.surely_on_or_before(third)
    assert not third.surely_before(third)


def test_days_between_partial_dates_are_an_interval() -> None:
    may, third = PartialDate.parse("2024-05"), PartialDate.parse("2024-05-03")
    june_first = PartialDate.parse("2024-06-01")
    assert may
    assert third
    assert june_first
    assert third.days_until(june_first) == (29, 29)
    assert may.days_until(june_first) == (1, 31)
    assert june_first.days_until(may) == (-31, -1)
    assert may.days_until(third) == (-28, 2)


DATES = st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 12, 31))


@st.composite
def partial_dates(draw: st.DrawFn) -> PartialDate:
    text = draw(DATES).isoformat()[: draw(st.sampled_from([4, 7, 10]))]
    found = PartialDate.parse(text)
    assert found
    return found


@given(partial_dates())
def test_what_was_read_is_written_the_same(found: PartialDate) -> None:
    assert found.iso == found.text
    assert PartialDate.parse(found.iso) == found


@given(partial_dates(), st.lists(DATES, max_size=4))
def test_readings_stand_for_every_day(found: PartialDate, anchors: list[date]) -> None:
    """Whatever compares with the anchors says of some reading what it says of any day of the interval."""
    readings = found.readings(anchors)
    assert readings == tuple(sorted(set(readings)))
    assert found.earliest == readings[0]
    assert found.latest == readings[-1]

    def signs(day: date) -> tuple[int, ...]:
        return tuple((day > anchor) - (day < anchor) for anchor in anchors)

    span = (found.latest - found.earliest).days
    assert {signs(found.earliest + timedelta(days=n)) for n in range(span + 1)} == {signs(day) for day in readings}


@given(partial_dates(), partial_dates())
def test_certainty_and_possibility_agree(one: PartialDate, other: PartialDate) -> None:
    least, most = one.days_until(other)
    assert least <= most
    assert one.surely_before(other) == (least > 0)
    assert one.surely_on_or_before(other) == (least >= 0)
    assert one.perhaps_on_or_before(other) == (most >= 0)
    assert other.days_until(one) == (-most, -least)


@given(st.text(max_size=40))
def test_any_text_is_a_date_or_refused(text: str) -> None:
    for zone in (None, SHANGHAI):
        try:
            found = PartialDate.parse(text, zone)
        except NotADate:
            continue
        assert found is None or found.earliest <= found.latest


@given(st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_the_offset_a_moment_is_written_with_does_not_matter(moment: datetime, minutes: int) -> None:
    here = moment.replace(microsecond=0, tzinfo=UTC)
    there = here.astimezone(timezone(timedelta(minutes=minutes)))
    assert days(here.isoformat(), SHANGHAI) == days(there.isoformat(), SHANGHAI)


CLOCKS_CHANGE = [datetime(2024, 3, 30), datetime(2024, 10, 26), datetime(2024, 3, 9), datetime(1991, 4, 13)]
NEAR_A_CHANGE = st.builds(
    lambda day, seconds: day + timedelta(seconds=seconds), st.sampled_from(CLOCKS_CHANGE), st.integers(0, 3 * 86400)
)
ANY_TIME = st.datetimes(min_value=datetime(1890, 1, 1), max_value=datetime(2100, 1, 1))
WRITTEN = st.sampled_from(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S.9"])
OFFSETS = st.integers(-14 * 60, 14 * 60) | st.just(0)


@given(
    NEAR_A_CHANGE | ANY_TIME, WRITTEN, OFFSETS, st.sampled_from([SHANGHAI, BERLIN, NEW_YORK, ZoneInfo("Asia/Kolkata")])
)
def test_the_day_in_a_zone_is_that_of_its_clock(moment: datetime, written: str, minutes: int, zone: ZoneInfo) -> None:
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    text = f"{moment:{written}}{sign}{hours:02}:{rest:02}"
    kept = moment.replace(second=0 if written.endswith("%M") else moment.second, microsecond=0)
    clock = kept.replace(tzinfo=timezone(timedelta(minutes=minutes))).astimezone(zone)
    assert days(text, zone) == (clock.date().isoformat(),) * 2


@pytest.mark.parametrize(
    "time", ["T24:00:00Z", "T23:59:60+08:00", "T25:00:00Z", "T10:61:00Z", "T10:00:00+25:00", "T1:0Z"]
)
def test_an_odd_time_of_day_is_read_or_refused_alike_on_every_day(time: str) -> None:
    """Also on the day on which the clocks of the zone change, which is never put together from what is remembered."""

    def steps(day: str) -> int | None:
        try:
            found = PartialDate.parse(f"{day}{time}", BERLIN)
        except NotADate:
            return None
        return (found.earliest - date.fromisoformat(day)).days if found else None

    assert steps("2024-03-30") == steps("2024-02-10")
