"""What `peers.py` measures: libraries that read all Observations and keep those of some people as rows.

PYTHON peer_readers.py TASK OBSERVATIONS IDS

A row is the subject, the code, the day, the value and its unit. Each library is used as its own documentation shows it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from costs import tell

Row = tuple[Any, ...]
VIEW = {
    "resourceType": "ViewDefinition",
    "status": "active",
    "resource": "Observation",
    "select": [
        {
            "column": [
                {"name": "subject", "path": "subject.reference", "type": "string"},
                {"name": "code", "path": "code.coding.first().code", "type": "code"},
                {"name": "on", "path": "effective.ofType(dateTime)", "type": "dateTime"},
                {"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"},
                {"name": "unit", "path": "value.ofType(Quantity).code", "type": "code"},
            ]
        }
    ],
}
PATHS = [
    ("subject", "subject.reference"),
    ("code", "code.coding[0].code"),
    ("on", "effectiveDateTime"),
    ("value", "valueQuantity.value"),
    ("unit", "valueQuantity.code"),
]
PAGE = 500


def _row(found: Any) -> Row:
    """Of dictionaries."""
    quantity = found.get("valueQuantity") or {}
    on = found.get("effectiveDateTime")
    return (
        found["subject"]["reference"],
        found["code"]["coding"][0]["code"],
        on,
        quantity.get("value"),
        quantity.get("code"),
    )


def _of(rows: Iterable[Row], wanted: set[str]) -> float:
    return sum(1 for row in rows if row[0] in wanted)


def by_orjson(path: Path, wanted: set[str]) -> Callable[[], float]:
    import orjson

    def read() -> float:
        with path.open("rb") as lines:
            return _of((_row(orjson.loads(line)) for line in lines), wanted)

    return read


def by_fhir_resources(path: Path, wanted: set[str]) -> Callable[[], float]:
    from fhir.resources.R4B.observation import Observation

    def rows() -> Iterator[Row]:
        with path.open("rb") as lines:
            for line in lines:
                found = Observation.model_validate_json(line)
                quantity = found.valueQuantity
                value = (quantity.value, quantity.code) if quantity else (None, None)
                yield found.subject.reference, found.code.coding[0].code, found.effectiveDateTime, *value

    return lambda: _of(rows(), wanted)


def by_fhirpy(path: Path, wanted: set[str]) -> Callable[[], float]:
    from fhirpy import SyncFHIRClient

    client = SyncFHIRClient("http://localhost/fhir")

    def rows() -> Iterator[Row]:
        with path.open("rb") as lines:
            for line in lines:
                found = client.resource("Observation", **json.loads(line))
                get = found.get_by_path
                yield (
                    found["subject"].reference,
                    get("code.coding.0.code"),
                    get("effectiveDateTime"),
                    get("valueQuantity.value"),
                    get("valueQuantity.code"),
                )

    return lambda: _of(rows(), wanted)


def by_pyrate(path: Path, wanted: set[str]) -> Callable[[], float]:
    import logging

    import requests
    from fhir_pyrate import Pirate
    from fhir_pyrate.util import FHIRObj

    logging.disable(logging.WARNING)
    pirate = Pirate(base_url="http://localhost/fhir", auth=requests.Session(), num_processes=1)

    def bundles() -> Iterator[Any]:
        lines = path.read_bytes().splitlines()
        for start in range(0, len(lines), PAGE):
            entries = [{"resource": json.loads(line)} for line in lines[start : start + PAGE]]
            yield FHIRObj(resourceType="Bundle", type="searchset", total=len(entries), entry=entries)

    def read() -> float:
        frame = pirate.bundles_to_dataframe(bundles(), fhir_paths=PATHS)
        return float(frame["subject"].isin(wanted).sum())

    return read


def by_pysof(path: Path, wanted: set[str]) -> Callable[[], float]:
    import pysof

    def read() -> float:
        chunks = pysof.ChunkedProcessor(VIEW, str(path), chunk_size=PAGE)
        return _of(((row["subject"],) for chunk in chunks for row in chunk["rows"]), wanted)

    return read


TASKS = {
    "orjson": by_orjson,
    "fhir.resources": by_fhir_resources,
    "fhirpy": by_fhirpy,
    "FHIR-PYrate": by_pyrate,
    "pysof": by_pysof,
}


def main() -> None:
    task, path, ids = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    tell(TASKS[task](path, {f"Patient/{id}" for id in ids.read_text(encoding="utf-8").split()}))


if __name__ == "__main__":
    main()
