"""A clock for the scheduler, moved by hand, and nights that only note when they were."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.base import BaseScheduler

from fhir_adapter.unattended.cron import parse_cron
from fhir_adapter.unattended.scheduler import Nights, scheduler_of


class Clock:
    """The clock that the scheduler looks at; it stands still until a test moves it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, begin: datetime) -> None:
        clock = self
        self.time = begin

        class Moved(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return clock.time.astimezone(tz)

        for module in ("apscheduler.schedulers.base", "apscheduler.executors.base"):
            monkeypatch.setattr(f"{module}.datetime", Moved)


class Noted(Nights):
    """Nights that only note when they were; each lasts until `let_go`, if one is given."""

    def __init__(self, clock: Clock, let_go: threading.Event | None = None) -> None:
        super().__init__([])
        self.began: list[datetime] = []
        self._clock, self._let_go = clock, let_go

    def run(self) -> None:
        self.began.append(self._clock.time)
        if self._let_go:
            assert self._let_go.wait(10)


def started(expression: str, nights: Nights, *, in_threads: bool = False) -> Any:
    """A scheduler that has begun, whose turns are taken by hand."""
    scheduler = scheduler_of(parse_cron(expression), nights, 0, False, lambda _: None)
    if not in_threads:
        scheduler.add_executor(DebugExecutor(), "default")
    scheduler.wakeup = lambda: None
    BaseScheduler.start(scheduler)
    return scheduler


def live(scheduler: Any, clock: Clock, hours: int) -> None:
    """Let hours pass, minute by minute."""
    for _ in range(hours * 60):
        clock.time += timedelta(minutes=1)
        scheduler._process_jobs()


@contextmanager
def wall_clock(zone: str) -> Iterator[None]:
    """Set the time zone of this machine."""
    try:
        with patch.dict(os.environ, {"TZ": zone}):
            time.tzset()
            yield
    finally:
        time.tzset()
