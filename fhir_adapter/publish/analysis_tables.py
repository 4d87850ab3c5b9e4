"""The files of `analysis/`: times to event and statistics, for people, for programs and for statisticians."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from fhir_adapter.cohort.estimate import Estimate, EventTime
from fhir_adapter.cohort.study import Study
from fhir_adapter.publish.adtte import adtte
from fhir_adapter.publish.codebook import codebook_files, columns
from fhir_adapter.publish.csv_table import Cell, write_table
from fhir_adapter.publish.parquet_tables import parquet_table
from fhir_adapter.publish.r_script import km_script

EVENT_TIMES = (
    *("subject_id", "endpoint", "start_date", "end_date", "days", "days_min", "days_max", "imputed", "event"),
    *("reason", "source"),
)


def analysis_files(times: Sequence[EventTime], estimates: Sequence[Estimate], study: Study) -> dict[str, bytes]:
    """Every file of `analysis/` by name."""
    rows = list(_event_times(times))
    subjects = list(adtte(times, study))
    told = [json.loads(one.model_dump_json()) for one in estimates]
    return {
        "event_times.csv": write_table(EVENT_TIMES, rows),
        "event_times.parquet": parquet_table("event_times", rows),
        "estimates.json": (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode(),
        "estimates.parquet": parquet_table("estimates", map(_flat, told)),
        "adtte.csv": write_table([one.name for one in columns("adtte")], subjects),
        "adtte.parquet": parquet_table("adtte", subjects),
        "km.R": km_script(estimates, study),
        **codebook_files(study),
    }


def _event_times(times: Sequence[EventTime]) -> Iterator[dict[str, Cell]]:
    for one in times:
        yield {
            **{name: getattr(one, name) for name in EVENT_TIMES if name in EventTime.model_fields},
            "start_date": one.start,
            "end_date": one.end,
            "event": int(one.event),
        }


def _flat(estimate: dict[str, object]) -> dict[str, object]:
    """A statistic as a row: its parameters are one JSON text."""
    return {**estimate, "parameters": json.dumps(estimate["parameters"], ensure_ascii=False, sort_keys=True)}
