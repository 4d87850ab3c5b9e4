"""Numbers 1 to 6: a server that asks for patience, or fails for a while."""

from __future__ import annotations

import re

import pytest
from front import repeated, says
from served_hospital import Hospital

DATE = "Date: Wed, 21 Oct 2026 07:26:30 GMT"


def waited(hospital: Hospital) -> float:
    """The fake seconds between the first and the second request for Observations."""
    first, second = [asked.at for asked in hospital.front.asked if asked.type == "Observation"][:2]
    return second - first


def test_01_too_many_requests_with_a_wait_in_seconds(hospital: Hospital) -> None:
    """HTTP 429 with `Retry-After: 120`: no request before 120 seconds have passed, then success (exit 0)."""
    hospital.front.on("Observation", says("429 Too Many", "Retry-After: 120"))
    hospital.is_whole(hospital.fetch())
    assert 120 <= waited(hospital) <= 130


def test_02_too_many_requests_with_a_wait_until_an_instant(hospital: Hospital) -> None:
    """HTTP 429 with `Retry-After` as a date 90 seconds ahead of the server's own clock: waits about 90 seconds."""
    wish = "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT"
    hospital.front.on("Observation", says("429 Too Many", wish, DATE))
    hospital.is_whole(hospital.fetch())
    assert 90 <= waited(hospital) <= 100


def test_03_a_wait_until_an_instant_without_a_zone(hospital: Hospital) -> None:
    """HTTP 503 with `Retry-After: Wed, 21 Oct 2026 07:28:00` (no zone): taken as UTC, no crash."""
    hospital.front.on("Observation", says("503 Busy", "Retry-After: Wed, 21 Oct 2026 07:28:00", DATE))
    hospital.is_whole(hospital.fetch())
    assert 90 <= waited(hospital) <= 100


@pytest.mark.parametrize("wish", ["-5", "1.5", "abc", ""])
def test_04a_a_wait_that_makes_no_sense(wish: str, hospital: Hospital) -> None:
    """HTTP 503 with `Retry-After` of -5, 1.5, abc or nothing: our own growing waits instead, no crash."""
    hospital.front.on("Observation", *repeated(says("503 Busy", f"Retry-After: {wish}"), 3))
    hospital.is_whole(hospital.fetch())
    assert len(hospital.waits) == 3
    assert all(0 < wait <= 60 for wait in hospital.waits)


def test_04b_a_wait_beyond_every_deadline(hospital: Hospital) -> None:
    """HTTP 503 with `Retry-After: 99999999999`: ends at once with exit 4; what was fetched is saved."""
    hospital.front.on("Observation", says("503 Busy", "Retry-After: 99999999999"), page=3)
    night = hospital.fetch(concurrency=1)
    assert night.ended.code == 4
    assert re.search(r"not ready .* asks to wait 99999999999 s", night.ended.err)
    assert hospital.waits == []
    assert sum(key.startswith("Observation/") for key in night.held) == 30
    hospital.heals(night)


def test_05_five_errors_then_an_answer(hospital: Hospital) -> None:
    """HTTP 500 five times, then 200: success, after five waits; the ledger counts 5 retries."""
    hospital.front.on("Observation", *repeated(says("500 Error"), 5))
    night = hospital.fetch()
    hospital.is_whole(night)
    assert (len(hospital.waits), night.ledger["Observation"].retries) == (5, 5)
    assert len(hospital.front.pages("Observation")) == 8 + 5


def test_06_errors_for_ever(hospital: Hospital) -> None:
    """HTTP 500 for ever on one page: given up after `max_tries`; the stream is incomplete (exit 5)."""
    hospital.front.on("Observation", says("500 Error"), page=2, for_ever=True)
    night = hospital.fetch(max_tries=4)
    assert hospital.front.pages("Observation") == [1, 2, 2, 2, 2]
    hospital.is_incomplete(night, "Observation", "in 4 attempts: HTTP 500")
