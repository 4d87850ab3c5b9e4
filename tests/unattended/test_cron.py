"""A cron expression means what cron means by it, whatever the schedulers below think of weekdays and day fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.errors import UsageError
from fhir_adapter.unattended.cron import Cron, parse_cron
from fhir_adapter.unattended.scheduler import trigger_of

SUNDAY = datetime(2026, 11, 22, tzinfo=UTC)
NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def fires(expression: str, begin: datetime, days: int) -> list[datetime]:
    """When the scheduler would run within some days."""
    trigger, found, now = trigger_of(parse_cron(expression)), [], begin
    while (due := trigger.get_next_fire_time(found[-1] if found else None, now)) < begin + timedelta(days=days):
        found.append(due)
        now = due
    return found


def weekdays(expression: str) -> list[str]:
    return [NAMES[due.weekday()] for due in fires(expression, SUNDAY, 7)]


def is_due(cron: Cron, moment: datetime) -> bool:
    """What crontab(5) says, minute by minute."""
    if moment.minute not in cron.minutes or moment.hour not in cron.hours or moment.month not in cron.months:
        return False
    by_day, by_weekday = moment.day in cron.days, moment.isoweekday() % 7 in cron.weekdays
    return by_day or by_weekday if cron.either_day else by_day and by_weekday


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 2 * * 0", ["Sun"]),
        ("0 2 * * 7", ["Sun"]),
        ("0 2 * * sun", ["Sun"]),
        ("0 2 * * 1", ["Mon"]),
        ("0 2 * * 6", ["Sat"]),
        ("0 2 * * 1-5", ["Mon", "Tue", "Wed", "Thu", "Fri"]),
        ("0 2 * * MON-FRI", ["Mon", "Tue", "Wed", "Thu", "Fri"]),
        ("0 2 * * 5-7", ["Sun", "Fri", "Sat"]),
        ("0 2 * * 0,3", ["Sun", "Wed"]),
        ("0 2 * * */2", ["Sun", "Tue", "Thu", "Sat"]),
        ("@weekly", ["Sun"]),
    ],
)
def test_weekdays_are_numbered_from_sunday_as_in_cron(expression: str, days: list[str]) -> None:
    assert weekdays(expression) == days


def test_a_day_that_fits_one_of_two_limited_day_fields_is_enough() -> None:
    days = [due.day for due in fires("0 2 13 * fri", datetime(2026, 11, 1, tzinfo=UTC), 30)]
    assert days == [6, 13, 20, 27]
    days = [due.day for due in fires("0 2 1,15 * mon", datetime(2026, 11, 1, tzinfo=UTC), 30)]
    assert days == [1, 2, 9, 15, 16, 23, 30]


@pytest.mark.parametrize(
    ("expression", "same"),
    [
        ("0 2 * * *", "0 2 * * *"),
        ("*/15 * * * *", "0,15,30,45 * * * *"),
        ("00 02 * JAN-mar SUN", "0 2 * 1-3 0"),
        ("0 2 * * 1-5,7", "0 2 * * 0-5"),
        ("0-59 0-23 1-31 1-12 0-7", "* * * * *"),
        ("0 1-9/4 1,2 * *", "0 1,5,9 1,2 * *"),
        ("@daily", "0 0 * * *"),
        ("  0\t2 * *  * ", "0 2 * * *"),
    ],
)
def test_every_expression_has_one_spelling(expression: str, same: str) -> None:
    assert str(parse_cron(expression)) == same
    assert str(parse_cron(same)) == same


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("60 2 * * *", "minute `60`"),
        ("0 24 * * *", "hour `24`"),
        ("0 2 0 * *", "day of the month `0`"),
        ("0 2 32 * *", "day of the month `32`"),
        ("0 2 * 13 *", "month `13`"),
        ("0 2 * * 8", "weekday `8`"),
        ("0 2 * * funday", "weekday `funday`"),
        ("0 x * * *", "hour `x`"),
        ("-1 2 * * *", "minute `-1`"),
        ("5-1 2 * * *", "runs backwards"),
        ("0 2 * * fri-mon", "runs backwards"),
        ("*/0 2 * * *", "steps by nothing"),
        ("5/15 2 * * *", "steps from one number"),
        ("0 2 */2 * mon", "limits both day fields"),
        ("0 2 1 * */2", "limits both day fields"),
        ("0 2 31 2,4 *", "does not exist"),
        ("0 2 30 2 *", "does not exist"),
        ("0 2 * *", "five fields, this one has 4"),
        ("0 0 2 * * *", "five fields, this one has 6"),
        ("", "five fields"),
        ("@reboot", "five fields"),
        ("1,,2 2 * * *", "minute ``"),
        ("²  2 * * *", "minute `²`"),
    ],
)
def test_a_mistake_names_the_field(expression: str, says: str) -> None:
    with pytest.raises(UsageError) as problem:
        parse_cron(expression)
    assert says in problem.value.message
    assert problem.value.hint


def test_the_29th_of_february_comes() -> None:
    trigger = trigger_of(parse_cron("0 2 29 2 *"))
    assert trigger.get_next_fire_time(None, SUNDAY) == datetime(2028, 2, 29, 2, tzinfo=UTC)


def field(lowest: int, highest: int) -> st.SearchStrategy[str]:
    number = st.integers(lowest, highest)
    pair = st.tuples(number, number).map(lambda two: f"{min(two)}-{max(two)}")
    part = st.one_of(number.map(str), pair, st.tuples(pair, st.integers(1, 9)).map(lambda two: f"{two[0]}/{two[1]}"))
    return st.one_of(st.just("*"), st.lists(part, min_size=1, max_size=3).map(",".join))


EXPRESSIONS = st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 7)).map(" ".join)


@given(EXPRESSIONS, st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC)))
def test_the_scheduler_runs_exactly_when_cron_would(expression: str, begin: datetime) -> None:
    cron = parse_cron(expression)
    due = trigger_of(cron).get_next_fire_time(None, begin)
    assert due >= begin
    assert is_due(cron, due)
    moment = begin.replace(second=0, microsecond=0) + timedelta(minutes=bool(begin.second or begin.microsecond))
    for _ in range(24 * 60):  # the day before it is silent
        if moment >= due:
            break
        assert not is_due(cron, moment)
        moment += timedelta(minutes=1)


def test_a_random_delay_only_delays() -> None:
    trigger = trigger_of(parse_cron("0 2 * * *"), 600)
    dues = [trigger.get_next_fire_time(None, SUNDAY) for _ in range(50)]
    at_two = SUNDAY + timedelta(hours=2)
    assert all(at_two <= due <= at_two + timedelta(minutes=10) for due in dues)
    assert len(set(dues)) > 1
