"""The files of `analysis/`: one row per person and endpoint, one entry per statistic."""

from __future__ import annotations

import json
from collections.abc import Sequence

from fhir_adapter.cohort.estimate import Estimate, EventTime
from fhir_adapter.publish.csv_table import write_table

EVENT_TIMES = (
    *("subject_id", "endpoint", "start_date", "end_date", "days", "days_min", "days_max", "imputed", "event"),
    *("reason", "source"),
)


def analysis_files(times: Sequence[EventTime], estimates: Sequence[Estimate]) -> dict[str, bytes]:
    """Every file of `analysis/` by name."""
    rows = (
        {
            **{name: getattr(one, name) for name in EVENT_TIMES if name in EventTime.model_fields},
            "start_date": one.start,
            "end_date": one.end,
            "event": int(one.event),
        }
        for one in times
    )
    told = [json.loads(one.model_dump_json()) for one in estimates]
    return {
        "event_times.csv": write_table(EVENT_TIMES, rows),
        "estimates.json": (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode(),
    }
