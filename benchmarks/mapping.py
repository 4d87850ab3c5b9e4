"""What it costs to make graded laboratory results of Observations, beside walking through their dictionaries.

python benchmarks/mapping.py [--observations 100000] [--rounds 5]

The baseline does as little as gives the same sum of grades. Memory is no subject here: all lines are read beforehand.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from costs import alternate, ratio
from environments import baselines
from goals import Figure, table
from hospital import write_hospital

OURS, BASELINE = (Path(__file__).with_name(name) for name in ("map_and_grade.py", "dict_streaming.py"))
A_PERSON, GENERATED = 60, 20_000
MOST_APART = 0.01
"""Of the sum of grades: the floats of the baseline put some values that lie on a limit on its other side."""


def measure(observations: int, rounds: int) -> list[Figure]:
    people = min(observations, GENERATED) // A_PERSON
    passes = max(1, observations // GENERATED)
    with tempfile.TemporaryDirectory(prefix="fhir-adapter-bench-") as work:
        folder = Path(work)
        write_hospital(folder, people, 0)
        subprocess.run([sys.executable, OURS, "tables", str(folder), "1"], check=True)
        tasks = {
            "lenses": [sys.executable, OURS, "lenses", folder, str(passes)],
            "whole": [sys.executable, OURS, "whole", folder, str(passes)],
            "dicts": [baselines(), BASELINE, folder, str(passes)],
        }
        costs = alternate(tasks, rounds)
    counted = people * A_PERSON * passes
    grades = [statistics.median(one.found for one in costs[name]) for name in tasks]
    if max(grades) - min(grades) > MOST_APART * max(grades):
        raise SystemExit(f"the sums of grades differ: {grades}")
    apiece = statistics.median(one.seconds for one in costs["lenses"]) / counted * 1e6
    baseline = statistics.median(one.seconds for one in costs["dicts"]) / counted * 1e6
    return [
        Figure("decoding, mapping and grading to dict streaming (orjson)", ratio(costs, "dicts", "whole")),
        Figure(
            "mapping and grading in lenses, µs an observation", apiece, f"the baseline with decoding: {baseline:.2g} µs"
        ),
    ]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--observations", type=int, default=100_000)
    asked.add_argument("--rounds", type=int, default=5)
    given = asked.parse_args()
    print("\n".join(table("mapping", measure(given.observations, given.rounds), quick=False)))


if __name__ == "__main__":
    main()
