"""The files of `analysis/`: times to event and statistics, for people, for programs and for statisticians."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from fhir_adapter.cohort.estimate import Estimate, EventTime
from fhir_adapter.cohort.study import Study
from fhir_adapter.publish.adtte import adtte
from fhir_adapter.publish.codebook import codebook_files, columns
from fhir_adapter.publish.csv_table import Cell, write_long_table
from fhir_adapter.publish.parquet_tables import parquet_table
from fhir_adapter.publish.places import InMemory, Place
from fhir_adapter.publish.r_script import km_script

EVENT_TIMES = (
    *("subject_id", "endpoint", "start_date", "end_date", "days", "days_min", "days_max", "imputed", "event"),
    *("reason", "source"),
)


def write_analysis(place: Place, times: Sequence[EventTime], estimates: Sequence[Estimate], study: Study) -> None:
    """Every file of `analysis/` but what reviewers have decided; rows of people are never held all at once."""
    with place.open("event_times.csv") as file:
        write_long_table(file, EVENT_TIMES, _event_times(times))
    with place.open("adtte.csv") as file:
        write_long_table(file, [one.name for one in columns("adtte")], adtte(times, study))
    for name, content in _files(times, estimates, study):
        with place.open(name) as file:
            file.write(content)


def analysis_files(times: Sequence[EventTime], estimates: Sequence[Estimate], study: Study) -> dict[str, bytes]:
    """The same files in memory, by name."""
    place = InMemory()
    write_analysis(place, times, estimates, study)
    return place.files


def _files(times: Sequence[EventTime], estimates: Sequence[Estimate], study: Study) -> Iterator[tuple[str, bytes]]:
    told = [json.loads(one.model_dump_json()) for one in estimates]
    yield "event_times.parquet", parquet_table("event_times", _event_times(times))
    yield "estimates.json", (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()
    yield "estimates.parquet", parquet_table("estimates", map(_flat, told))
    yield "adtte.parquet", parquet_table("adtte", adtte(times, study))
    yield "km.R", km_script(estimates, study)
    yield from codebook_files(study).items()


_SAME_NAMES = frozenset(EVENT_TIMES) & frozenset(EventTime.__struct_fields__)


def _event_times(times: Sequence[EventTime]) -> Iterator[dict[str, Cell]]:
    for one in times:
        yield {
            **{name: getattr(one, name) for name in EVENT_TIMES if name in _SAME_NAMES},
            "start_date": one.start,
            "end_date": one.end,
            "event": int(one.event),
        }


def _flat(estimate: dict[str, object]) -> dict[str, object]:
    """A statistic as a row: its parameters are one JSON text."""
    return {**estimate, "parameters": json.dumps(estimate["parameters"], ensure_ascii=False, sort_keys=True)}
