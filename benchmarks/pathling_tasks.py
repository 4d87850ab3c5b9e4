"""What `pathling_tables.py` measures of Pathling, by the clock, each in seconds as a line of JSON at the end.

    python pathling_tasks.py JARS encode NDJSON PARQUET
    python pathling_tasks.py JARS ask PARQUET PEOPLE

`ask` counts the resources about the people whose ids a file holds, twice: the second time Spark is warm.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

TYPES = ("Patient", "Condition", "Observation", "MedicationAdministration", "Procedure", "AdverseEvent", "Encounter")


def main() -> None:
    from pathling import PathlingContext
    from pyspark.sql import SparkSession

    jars, task, source, other = sys.argv[1:]
    session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").config("spark.jars", jars)
    pathling = PathlingContext.create(session.getOrCreate(), enable_extensions=True, enable_terminology=False)
    if task == "encode":

        def encoded() -> int:
            pathling.read.ndjson(source).write.parquet(other, "overwrite")
            return 0

        seconds, found = _timed(encoded)
    else:
        from pyspark.sql.functions import col

        with open(other, encoding="utf-8") as file:
            people = file.read().split()
        references, tables = [f"Patient/{one}" for one in people], pathling.read.parquet(source)

        def asked() -> int:
            count = 0
            for type in TYPES:
                rows = tables.read(type)
                about = col("id").isin(people) if type == "Patient" else col("subject.reference").isin(references)
                count += len(rows.filter(about).collect())
            return count

        _timed(asked)
        seconds, found = _timed(asked)
    print(json.dumps({"seconds": seconds, "found": found}))


def _timed(task: Callable[[], int]) -> tuple[float, int]:
    began = time.perf_counter()
    found = task()
    return time.perf_counter() - began, found


if __name__ == "__main__":
    main()
