"""How long the server's wish and our own backoff make us wait."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.ehr.retry import Backoff, parse_http_date, parse_retry_after

NOON = datetime(2026, 10, 21, 12, 0, tzinfo=UTC)
NOW = NOON.timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 1),
        ("99999999999", 99_999_999_999),
        ("Wed, 21 Oct 2026 12:01:30 GMT", 90),
        ("Wednesday, 21-Oct-26 12:01:30 GMT", 90),
        ("Wed Oct 21 12:01:30 2026", 90),
        ("Wed, 21 Oct 2026 12:01:30", 90),
        ("Wed, 21 Oct 2026 14:01:30 +0200", 90),
        ("Wed, 21 Oct 2026 11:00:00 GMT", 1),
    ],
)
def test_seconds_and_dates_are_understood_in_every_spelling(text: str, seconds: float) -> None:
    assert parse_retry_after(text, NOW) == seconds


@pytest.mark.parametrize(
    "text",
    [None, "", "-5", "1.5", "abc", "soon", "1e3", "١٢", "²", "9" * 16, "9" * 5_000, "Wed, 99 Oct 2026 12:00:00 GMT"],
)
def test_what_is_not_understood_is_left_to_our_own_backoff(text: str | None) -> None:
    assert parse_retry_after(text, NOW) is None


def test_an_instant_in_epoch_milliseconds_or_seconds_is_not_taken_for_a_length() -> None:
    in_a_minute = NOW + 60
    assert parse_retry_after(str(int(in_a_minute * 1000)), NOW) == pytest.approx(60, abs=0.01)
    assert parse_retry_after(str(int(in_a_minute)), NOW) == pytest.approx(60, abs=1)


def test_a_date_is_read_against_the_clock_of_the_server() -> None:
    ahead = NOON + timedelta(hours=3)
    wish = format_datetime(ahead + timedelta(seconds=30), usegmt=True)
    assert parse_retry_after(wish, ahead.timestamp()) == 30


@given(st.one_of(st.none(), st.text(), st.from_regex(r"[A-Za-z]{3}, ?[0-9]{1,5} [A-Za-z]{3} [0-9:+\- ]+")))
def test_no_text_crashes_the_parser_or_makes_it_wait_less_than_a_second(text: str | None) -> None:
    wait = parse_retry_after(text, NOW)
    assert wait is None or wait >= 1


@given(st.integers(min_value=-(10**20), max_value=10**20))
def test_no_number_makes_it_wait_less_than_a_second(number: int) -> None:
    wait = parse_retry_after(str(number), NOW)
    assert wait is None or wait >= 1


@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)))
def test_every_date_we_could_be_sent_is_read_back(moment: datetime) -> None:
    assert parse_http_date(format_datetime(moment, usegmt=True)) == moment.replace(microsecond=0).timestamp()


@given(st.integers(min_value=1, max_value=10_000), st.integers())
def test_our_own_waits_grow_but_stay_between_floor_and_cap(failures: int, seed: int) -> None:
    wait = Backoff(base_s=1, cap_s=60, rng=random.Random(seed)).wait(failures)
    assert 0.5 <= wait <= min(60, 2**failures)


def test_the_wait_asked_for_is_never_cut_short() -> None:
    assert all(120 <= Backoff().obey(120) <= 125 for _ in range(100))
