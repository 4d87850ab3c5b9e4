"""The scheduler in the foreground: a whole run in a process of its own whenever it is due, never two at a time."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fhir_adapter.unattended.cron import Cron
from fhir_adapter.unattended.logs import tell

if TYPE_CHECKING:
    from apscheduler.events import JobEvent
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers.base import BaseTrigger

# A machine that slept makes up for a night that it missed by less; later, the hospital's day has begun.
GRACE_S = 6 * 3600
_NIGHT = "night"
_MONDAY_FIRST = (6, 0, 1, 2, 3, 4, 5)  # APScheduler's number of each weekday from Sunday


def trigger_of(cron: Cron, jitter_s: int = 0) -> BaseTrigger:
    """What APScheduler calls this schedule: its weekdays begin on Monday, and it wants both day fields to agree."""
    from apscheduler.triggers.combining import OrTrigger
    from apscheduler.triggers.cron import CronTrigger

    days, weekdays = _listed(cron.days), _listed([_MONDAY_FIRST[day] for day in cron.weekdays])
    ways = [(days, "*"), ("*", weekdays)] if cron.either_day else [(days, weekdays)]
    time_of_day = {"minute": _listed(cron.minutes), "hour": _listed(cron.hours), "month": _listed(cron.months)}
    triggers = [CronTrigger(day=day, day_of_week=weekday, timezone=UTC, **time_of_day) for day, weekday in ways]
    return OrTrigger(triggers, jitter=jitter_s or None)


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))


class Nights:
    """Runs one command after the other, each in a process of its own, so that no night can spoil the next."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self) -> None:
        """Run the command to its end; nothing is started any more after `stop`."""
        with self._guard:
            if self._stopped:
                return
            # A session of its own: Ctrl-C reaches it once, through `stop`.
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                self._command, stdin=subprocess.DEVNULL, start_new_session=True
            )
        began = time.monotonic()
        code = self._process.wait()
        # A process that a signal has killed has the code that a shell would show.
        exit_code = 128 - code if code < 0 else code
        level = logging.WARNING if exit_code else logging.INFO
        seconds = round(time.monotonic() - began, 1)
        tell("night_ended", f"the run ended with exit code {exit_code}", level, exit_code=exit_code, seconds=seconds)

    def stop(self, signum: int) -> None:
        """Pass a signal on to the run that is going, and wait until it has ended."""
        with self._guard:
            self._stopped = True
            process = self._process
        if process is not None and process.poll() is None:
            tell("stopping", "stopping: the run ends what it is storing")
            process.send_signal(signum)
            process.wait()


def run_forever(
    cron: Cron,
    nights: Nights,
    *,
    jitter_s: int = 0,
    now: bool = False,
    on_next: Callable[[datetime], None] = lambda _: None,
) -> None:
    """Run the nights as scheduled until a signal raises here; it is passed on first.

    `now` runs once at the start too. `on_next` is told when the next run is due, whenever that changes.
    """
    scheduler = scheduler_of(cron, nights, jitter_s, now, on_next)
    try:
        # In a thread of its own: what a signal raises in APScheduler's loop, the loop may swallow.
        scheduler.start()
        _tell_next(scheduler, on_next)
        threading.Event().wait()
    except (KeyboardInterrupt, SystemExit) as end:
        nights.stop(signal.SIGINT if isinstance(end, KeyboardInterrupt) else signal.SIGTERM)
        if scheduler.running:
            scheduler.shutdown(wait=True)
        raise


def scheduler_of(
    cron: Cron, nights: Nights, jitter_s: int, now: bool, on_next: Callable[[datetime], None]
) -> BackgroundScheduler:
    """The scheduler of these nights, not yet started."""
    from apscheduler import events
    from apscheduler.schedulers.background import BackgroundScheduler

    scheduler = BackgroundScheduler(timezone=UTC)
    at_start = {"next_run_time": datetime.now(UTC)} if now else {}
    scheduler.add_job(
        nights.run,
        trigger_of(cron, jitter_s),
        id=_NIGHT,
        coalesce=True,
        max_instances=1,
        misfire_grace_time=GRACE_S,
        **at_start,
    )

    reasons = {
        events.EVENT_JOB_MISSED: "it is too late for it",
        events.EVENT_JOB_MAX_INSTANCES: "the run before is still going",
        events.EVENT_JOB_ERROR: "it could not be started",
    }

    def left_out(event: JobEvent) -> None:
        tell("night_left_out", f"a run was left out: {reasons[event.code]}", logging.WARNING)

    scheduler.add_listener(lambda _: _tell_next(scheduler, on_next), events.EVENT_JOB_SUBMITTED)
    scheduler.add_listener(left_out, sum(reasons))
    return scheduler


def _tell_next(scheduler: BackgroundScheduler, on_next: Callable[[datetime], None]) -> None:
    due = scheduler.get_job(_NIGHT).next_run_time
    at = due.isoformat(timespec="seconds")
    tell("next_run", f"next run at {at}", due=at)
    on_next(due)
