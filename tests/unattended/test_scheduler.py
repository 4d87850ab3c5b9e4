"""The scheduler: once a night, never two runs at a time, and a good end."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apscheduler.triggers.cron import CronTrigger
from nightclock import Clock, Noted, live, started, wall_clock
from whole_runs import COMMAND, bundles, server_with

from fhir_adapter.unattended import scheduler as nights_module
from fhir_adapter.unattended.scheduler import GRACE_S, Nights


def test_on_the_clock_on_the_wall_there_would_be_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the schedule in UTC is for, and that a test would see it."""
    monkeypatch.setattr(nights_module, "trigger_of", lambda *_: CronTrigger.from_crontab("30 1 * * *"))
    clock = Clock(monkeypatch, datetime(2026, 10, 31, 12, tzinfo=UTC))
    nights = Noted(clock)
    with wall_clock("America/New_York"):
        live(started("30 1 * * *", nights), clock, 24)
    assert len(nights.began) == 2


def test_a_run_that_is_still_going_is_not_doubled(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, let_go = Clock(monkeypatch, datetime(2026, 11, 22, 1, 59, tzinfo=UTC)), threading.Event()
    nights = Noted(clock, let_go)
    scheduler = started("* * * * *", nights, in_threads=True)
    with caplog.at_level(logging.WARNING, "fhir_adapter"):
        live(scheduler, clock, 1)
    let_go.set()
    scheduler._executors["default"].shutdown()
    assert len(nights.began) == 1
    assert "a run was left out: the run before is still going" in caplog.messages


@pytest.mark.parametrize(("asleep_s", "runs"), [(GRACE_S - 60, 1), (GRACE_S + 60, 0)])
def test_a_machine_that_slept_makes_up_for_one_night_if_it_is_not_too_late(
    asleep_s: int, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, datetime(2026, 11, 22, 1, tzinfo=UTC))
    nights = Noted(clock)
    scheduler = started("0 2 * * *", nights)
    clock.time = datetime(2026, 11, 22, 2, tzinfo=UTC) + timedelta(seconds=asleep_s)
    scheduler._process_jobs()
    assert len(nights.began) == runs


def test_several_missed_nights_are_made_up_for_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, datetime(2026, 11, 22, 1, tzinfo=UTC))
    nights = Noted(clock)
    scheduler = started("0 * * * *", nights)
    clock.time += timedelta(days=3, minutes=30)
    scheduler._process_jobs()
    assert len(nights.began) == 1


def ended(caplog: pytest.LogCaptureFixture) -> list[int]:
    return [record.facts["exit_code"] for record in caplog.records if getattr(record, "event", "") == "night_ended"]


@pytest.mark.parametrize(("body", "code"), [("", 0), ("raise SystemExit(5)", 5), ("os.kill(os.getpid(), 9)", 137)])
def test_how_a_night_ended_is_told_and_the_next_one_comes(
    body: str, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    nights = Nights([sys.executable, "-c", f"import os; {body}"])
    with caplog.at_level(logging.INFO, "fhir_adapter"):
        nights.run()
        nights.run()
    assert ended(caplog) == [code, code]


def test_nothing_is_started_any_more_after_the_stop(tmp_path: Path) -> None:
    nights = Nights([sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')"])
    nights.stop(signal.SIGTERM)
    nights.run()
    assert not (tmp_path / "ran").exists()


# As a process


def as_event(line: str) -> dict[str, Any]:
    """A line of standard error; all of it has to be JSON."""
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:
        raise AssertionError(f"not JSON: {line}") from None
    return event


class Scheduler:
    """`fhir-adapter schedule` with JSON on standard error, in a process of its own."""

    def __init__(self, home: Path, *arguments: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FHIR_ADAPTER__")}
        self._process = subprocess.Popen(
            [str(COMMAND), "schedule", "-c", "site.toml", "--log-format", "json", *arguments],
            cwd=home,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.told: list[dict[str, Any]] = []

    def wait_for(self, event: str) -> dict[str, Any]:
        """Read on until something is told."""
        assert self._process.stderr
        for line in self._process.stderr:
            self.told.append(as_event(line))
            if self.told[-1]["event"] == event:
                return self.told[-1]
        raise AssertionError(f"{event} was never told: {self.told}")

    def stop(self, signum: int) -> int:
        """Send a signal and wait for the end."""
        self._process.send_signal(signum)
        assert self._process.stderr
        self.told += [as_event(line) for line in self._process.stderr]
        return self._process.wait(30)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder with the settings of a site, whose server has one patient."""
    with server_with(bundles("SYN-12")) as sandbox:
        settings = f'server = "{sandbox.base_url}"\npublish = false\ncron = "0 2 * * *"\n'
        (tmp_path / "site.toml").write_text(settings, encoding="utf-8")
        yield tmp_path


def test_a_night_runs_to_its_end_and_the_scheduler_goes_on_until_it_is_stopped(site: Path) -> None:
    scheduler = Scheduler(site, "--now")
    assert scheduler.wait_for("night_ended")["exit_code"] == 0
    assert (site / "out/report/index.html").exists()
    assert json.loads((site / "out/store/next-run.json").read_bytes())["due_at"].endswith("T02:00:00+00:00")
    assert scheduler.stop(signal.SIGTERM) == 143
    assert not (site / "out/store/next-run.json").exists()
    (run,) = {one["run"] for one in scheduler.told if one["event"] == "run_started"}
    assert run != scheduler.told[0]["run"]


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_is_passed_on_to_the_run_that_is_going(site: Path, signum: int, code: int) -> None:
    scheduler = Scheduler(site, "--now")
    scheduler.wait_for("stream_complete")
    assert scheduler.stop(signum) == code
    (night,) = (one for one in scheduler.told if one["event"] == "night_ended")
    assert night["exit_code"] == code
    assert json.loads((site / "out/store/last-run.json").read_bytes())["exit_code"] == code
