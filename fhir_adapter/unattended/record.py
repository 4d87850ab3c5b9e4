"""What is remembered beside the landing store: how the last run ended, and when the next one is due.

Counts and times only. Each is one small file, replaced as a whole; whoever reads sees the old or the new.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.whole_file import write_whole

OUTCOMES = ("received", "stored", "duplicate", "quarantined", "deleted", "swept")
_Kind = TypeVar("_Kind", bound=msgspec.Struct)


class Counts(msgspec.Struct, frozen=True):
    """What became of the resources of one type in one run; `swept` were found gone by a complete fetch."""

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    deleted: int = 0
    swept: int = 0
    complete: bool = True


class Success(msgspec.Struct, frozen=True):
    """When the last run that ended with exit code 0 began and ended, as instants."""

    started_at: str
    ended_at: str


class Ending(msgspec.Struct, frozen=True):
    """How a run has ended.

    `problem` is the kind of the error (empty: none), `streams` the counts by resource type, empty when the run ended
    before it fetched. `started_at` and `ended_at` are instants.
    """

    command: str
    started_at: str
    ended_at: str
    seconds: float
    exit_code: int
    problem: str
    retries: int
    streams: dict[str, Counts]
    last_success: Success | None


class NextRun(msgspec.Struct, frozen=True):
    """When the scheduler that is running will start the next run: an instant; `cron` is its schedule."""

    due_at: str
    cron: str


def write_ending(out: OutputFolder, ending: Ending) -> None:
    """Remember how a run has ended, if there is a landing store to remember it beside; `OSError` when it cannot."""
    if out.store.parent.is_dir():
        _write(out.store.parent / "last-run.json", ending)


def read_ending(out: OutputFolder) -> Ending | None:
    return _read(out.store.parent / "last-run.json", Ending)


def write_next_run(out: OutputFolder, next_run: NextRun) -> None:
    """Remember when the next run is due; `OSError` when it cannot."""
    _write(out.store.parent / "next-run.json", next_run)


def read_next_run(out: OutputFolder) -> NextRun | None:
    return _read(out.store.parent / "next-run.json", NextRun)


def forget_next_run(out: OutputFolder) -> None:
    (out.store.parent / "next-run.json").unlink(missing_ok=True)


def _write(path: Path, thing: msgspec.Struct) -> None:
    write_whole(path, msgspec.json.encode(thing) + b"\n")


def _read(path: Path, kind: type[_Kind]) -> _Kind | None:
    """What is remembered; None when there is nothing, or nothing that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None
