"""How the last run ended, as a file that the textfile collector of Prometheus' node exporter reads.

Written after every run, also a failed one. Labels are resource types; a value is a count or a time.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fhir_adapter.unattended.record import OUTCOMES, Ending
from fhir_adapter.whole_file import write_whole

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def write_metrics(path: Path, ending: Ending, mode: int) -> None:
    """Replace the metrics file as a whole, readable as `mode` says; `OSError` when it cannot be written."""
    from prometheus_client import generate_latest

    write_whole(path, generate_latest(_registry(ending)), mode)


def _registry(ending: Ending) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    _add(registry, "last_run_timestamp_seconds", "When the last run ended.", _seconds(ending.ended_at))
    _add(registry, "last_run_exit_code", "Exit code of the last run.", ending.exit_code)
    _add(registry, "last_run_duration_seconds", "How long the last run took.", ending.seconds)
    _add(registry, "last_run_retries", "Requests that the last run had to repeat.", ending.retries)
    if ending.last_success:
        at = _seconds(ending.last_success.ended_at)
        _add(registry, "last_success_timestamp_seconds", "When the last run with exit code 0 ended.", at)
    _add_streams(registry, ending)
    return registry


def _add(registry: CollectorRegistry, name: str, meaning: str, value: float) -> None:
    from prometheus_client import Gauge

    Gauge(f"fhir_adapter_{name}", meaning, registry=registry).set(value)


def _add_streams(registry: CollectorRegistry, ending: Ending) -> None:
    from prometheus_client import Gauge

    resources = Gauge(
        "fhir_adapter_last_run_resources", "Resources of the last run.", ["type", "outcome"], registry=registry
    )
    complete = Gauge(
        "fhir_adapter_last_run_complete", "Whether everything announced was received.", ["type"], registry=registry
    )
    for type, counts in ending.streams.items():
        complete.labels(type).set(counts.complete)
        for outcome in OUTCOMES:
            resources.labels(type, outcome).set(getattr(counts, outcome))


def _seconds(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()
