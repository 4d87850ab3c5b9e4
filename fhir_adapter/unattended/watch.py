"""Watches a run from its beginning to its end, and tells everybody who wants to know: log, metrics, hooks, `status`.

Whatever goes wrong with the telling is told as a warning and never changes how the run ends.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from fhir_adapter.errors import FhirAdapterError, LockedError, UsageError, exit_code_of
from fhir_adapter.fhir.resource_types import kind_of
from fhir_adapter.instant import written
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store, StreamLedger
from fhir_adapter.unattended.hooks import check_hooks, run_hook
from fhir_adapter.unattended.logs import Retries, tell
from fhir_adapter.unattended.metrics import write_metrics
from fhir_adapter.unattended.record import OUTCOMES, Counts, Ending, Success, read_ending, write_ending


@contextmanager
def watched(command: str, settings: Settings, started_at: str) -> Iterator[None]:
    """Watch a run of `command` that began at an instant; an exception that ends it goes on."""
    check_telling(settings)
    tell("run_started", command=command)
    problem: BaseException | None = None
    began = time.monotonic()
    with Retries() as retries:
        try:
            yield
        except BaseException as raised:
            problem = raised
            raise
        finally:
            seconds = round(time.monotonic() - began, 3)
            _tell_everybody(command, settings, started_at, seconds, problem, retries.count)


def check_telling(settings: Settings) -> None:
    """`UsageError` when metrics or hooks cannot work as the settings name them."""
    check_hooks(settings.hooks)
    if settings.metrics_file and not settings.metrics_file.parent.is_dir():
        raise UsageError(
            "the folder of the setting `metrics_file` does not exist", "make it, or name the collector's folder"
        )


def _tell_everybody(
    command: str, settings: Settings, started_at: str, seconds: float, problem: BaseException | None, retries: int
) -> None:
    try:
        ending = _ending(command, settings, started_at, seconds, problem, retries)
        tell("run_ended", f"{command} ended with exit code {ending.exit_code}", **_facts(ending))
        _write_down(ending, settings, problem)
        run_hook(settings.hooks, ending)
    except Exception as bug:  # the exit code has to stay that of the run
        tell("not_written", f"how the run ended could not be told: {type(bug).__name__}", logging.WARNING)


def _ending(
    command: str, settings: Settings, started_at: str, seconds: float, problem: BaseException | None, retries: int
) -> Ending:
    out = OutputFolder(settings.out)
    exit_code = exit_code_of(problem) if problem else 0
    ended_at = written(datetime.now(UTC))
    before = read_ending(out)
    return Ending(
        command=command,
        started_at=started_at,
        ended_at=ended_at,
        seconds=seconds,
        exit_code=exit_code,
        problem=type(problem).__name__ if problem else "",
        retries=retries,
        streams=_counts(_ledger(out, started_at)),
        last_success=(before.last_success if before else None) if exit_code else Success(started_at, ended_at),
    )


def _write_down(ending: Ending, settings: Settings, problem: BaseException | None) -> None:
    if isinstance(problem, LockedError):
        return  # the other run will tell about itself
    if not isinstance(problem, UsageError):  # else nothing was begun
        _write("how the run ended", lambda: write_ending(OutputFolder(settings.out), ending))
    if settings.metrics_file:
        path, mode = settings.metrics_file, int(settings.metrics_mode, 8)
        _write("the metrics file", lambda: write_metrics(path, ending, mode))


def _facts(ending: Ending) -> dict[str, Any]:
    told = msgspec.to_builtins(ending)
    return {key: told[key] for key in ("command", "exit_code", "problem", "seconds", "retries", "streams")}


def _ledger(out: OutputFolder, started_at: str) -> Iterable[StreamLedger]:
    """The accounts of the run that began at an instant; none when it ended before it fetched."""
    with suppress(FhirAdapterError), Store.watch(out.store) as store:
        last = store.runs()[-1:]
        if last and last[0].started_at == started_at:
            return store.ledger(last[0].run)
    return ()


def _counts(ledger: Iterable[StreamLedger]) -> dict[str, Counts]:
    """The accounts by resource type: a stream may be named after a file, and no name of a file leaves the folder."""
    counts: dict[str, Counts] = {}
    for stream in ledger:
        type = kind_of(stream.stream)
        counts[type] = _sum(counts.get(type, Counts()), stream)
    return counts


def _sum(counts: Counts, stream: StreamLedger) -> Counts:
    summed = {name: getattr(counts, name) + getattr(stream, name) for name in OUTCOMES}
    return Counts(**summed, complete=counts.complete and stream.complete and stream.balances)


def _write(what: str, write: Callable[[], None]) -> None:
    try:
        write()
    except OSError as problem:
        reason = os.strerror(problem.errno or 0)
        tell("not_written", f"{what} could not be written: {reason}", logging.WARNING)
