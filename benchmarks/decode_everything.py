"""The baselines of `folder.py`: the same answer by decoding everything, or none by merely reading the bytes.

    PYTHON decode_everything.py TASK FOLDER IDS

Run by the Python of another environment, so it needs nothing of ours. It is told whom to look for.
"""

from __future__ import annotations

import gzip
import json
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def about(found: dict[str, Any], wanted: set[str]) -> bool:
    """Is a resource about one of these people, or a Medication, which is about nobody?"""
    kind = found["resourceType"]
    if kind == "Patient":
        return f"Patient/{found['id']}" in wanted
    return kind == "Medication" or found["subject"]["reference"] in wanted


def decoded(lines: Iterable[bytes], wanted: set[str]) -> int:
    import orjson

    return sum(about(orjson.loads(line), wanted) for line in lines)


def observations(folder: Path, wanted: set[str]) -> int:
    with (folder / "Observation.ndjson").open("rb") as lines:
        return decoded(lines, wanted)


def gzipped(folder: Path, wanted: set[str]) -> int:
    with gzip.open(folder.parent / "gz" / "Observation.ndjson.gz") as lines:
        return decoded(lines, wanted)


def everything(folder: Path, wanted: set[str]) -> int:
    found = 0
    for path in sorted(folder.glob("*.ndjson")):
        with path.open("rb") as lines:
            found += decoded(lines, wanted)
    return found


def by_duckdb(folder: Path, wanted: set[str]) -> int:
    import duckdb

    database = duckdb.connect(config={"threads": 1})
    database.execute("CREATE TABLE wanted AS SELECT unnest(?) AS reference", [sorted(wanted)])
    told = {"Patient": "'Patient/' || id", "Medication": "(SELECT min(reference) FROM wanted)"}
    columns = {"Patient": "{id: 'VARCHAR'}", "Medication": "{id: 'VARCHAR'}"}
    found = 0
    for path in sorted(folder.glob("*.ndjson")):
        read = columns.get(path.stem, "{subject: 'STRUCT(reference VARCHAR)'}")
        who = told.get(path.stem, "subject.reference")
        question = f"""
            SELECT count(*) FROM read_ndjson('{path}', columns = {read}, maximum_object_size = 20000000)
            WHERE {who} IN (SELECT reference FROM wanted)
        """
        found += database.execute(question).fetchone()[0]
    return found


def bytes_only(folder: Path, wanted: set[str]) -> int:
    buffer = bytearray(1 << 18)
    with (folder / "Observation.ndjson").open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return 0


TASKS: dict[str, Callable[[Path, set[str]], int]] = {
    "orjson": observations,
    "orjson-gz": gzipped,
    "orjson-all": everything,
    "duckdb": by_duckdb,
    "read": bytes_only,
}


def main() -> None:
    task, folder, ids = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    wanted = {f"Patient/{id}" for id in ids.read_text(encoding="utf-8").split()}
    began = time.process_time()
    found = TASKS[task](folder, wanted)
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": peak, "found": found}))


if __name__ == "__main__":
    main()
