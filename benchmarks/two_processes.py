"""What a second process is worth: the study's reading of 5 GB by one and by two, wall time.

    python benchmarks/two_processes.py [--megabytes 1000]

The 5 GB are a generated hospital under several names, so that they take no room on the disk. Starting the processes
counts; starting Python and reading the study's tables does not, nor does getting the files from the disk.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from pathlib import Path

from costs import agree, alternate, ratio
from goals import Figure, table
from hospital import generated

STUDY = Path(__file__).with_name("study_by_engine.py")
BYTES, ROUNDS = 5_000_000_000, 3


def measure(hospital: Path) -> list[Figure]:
    files = list(hospital.glob("*.ndjson"))
    size = sum(path.stat().st_size for path in files)
    times = math.ceil(BYTES / size)
    with tempfile.TemporaryDirectory(prefix="again-", dir=hospital.parent) as work:
        _again(hospital, Path(work), times)
        one, two = (
            [sys.executable, STUDY, engine, workers, work] for engine, workers in (("serial", "1"), ("processes", "2"))
        )
        costs = alternate({"one": one, "two": two}, ROUNDS, files)
    agree(costs, ("one", "two"))
    rate = times * size / 1e9 / min(cost.seconds for cost in costs["two"])
    note = (
        f"{times * size / 1e9:.1f} GB, at best {rate:.1f} GB/s, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    return [Figure("two processes to one, wall time", ratio(costs, "one", "two"), note)]


def _again(hospital: Path, folder: Path, times: int) -> None:
    """The same files so many times."""
    for path in hospital.glob("*.ndjson"):
        for number in range(times):
            os.link(path, folder / f"{path.stem}.{number}.ndjson")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--megabytes", type=int, default=1_000)
    with generated(asked.parse_args().megabytes) as hospital:
        print("\n".join(table("several processes", measure(hospital), quick=False)))


if __name__ == "__main__":
    main()
