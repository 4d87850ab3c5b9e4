"""The job that somebody else's scheduler is to start, as its unit files need to know it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from fhir_adapter.settings import Settings
from fhir_adapter.unattended.cron import Cron, parse_cron


@dataclass(frozen=True)
class Job:
    """Which command, from which folder, when, and where it writes; every path is absolute."""

    command: tuple[str, ...]
    folder: Path
    writes_to: tuple[Path, ...]
    cron: Cron
    jitter_s: int


def job_of(settings: Settings, config: Path | None, flags: tuple[str, ...] = ()) -> Job:
    """A whole run with these settings, from the folder in which this is asked: relative paths mean what they mean here.

    `UsageError` names what is wrong with the cron expression.
    """
    metrics = (settings.metrics_file.absolute().parent,) if settings.metrics_file else ()
    return Job(
        command=(*_program(), *run_arguments(config, flags)),
        folder=Path.cwd(),
        writes_to=(settings.out.absolute(), *metrics),
        cron=parse_cron(settings.cron),
        jitter_s=settings.jitter,
    )


def run_arguments(config: Path | None, flags: tuple[str, ...] = ()) -> tuple[str, ...]:
    """`run`, with the settings of a file and with further flags."""
    return ("run", *(("--config", str(config.absolute())) if config else ()), *flags)


def _program() -> tuple[str, ...]:
    """This installation, whatever the PATH of a scheduler is."""
    script = Path(sys.executable).with_name("fhir-adapter")
    return (str(script),) if script.exists() else (sys.executable, "-m", "fhir_adapter")
