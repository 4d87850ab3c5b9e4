"""What an included person costs in small and in big cohorts: seconds of CPU, and memory at its peak.

    python benchmarks/big_cohort.py [--people 1000 10000 100000] [--workers 0 2] [--folder FOLDER]

The stores are made once (see `clones.py`) and kept in the folder. Each stage, with everything before it, runs in a
process of its own; 0 workers is the serial engine. CPU and memory are looked up in /proc while it runs, of that process
and of those that work for it: what a process spends in its last tenth of a second is not seen.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clones import write_store

_STAGE = """
import sys
from pathlib import Path
from fhir_adapter.pipeline import continue_from_store
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
out, stage, workers = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
chosen = {"engine": "processes", "workers": workers} if workers else {}
continue_from_store(Settings(out=out, publish=False, **chosen), "2026-01-01T00:00:00Z", stage, Progress())
"""
_LOOK_SECONDS = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU of all processes, seconds that passed, and MB at the peak of the parent and of any other."""

    cpu: float
    wall: float
    parent: float
    worker: float


def measured(out: Path, stage: str, workers: int) -> Cost:
    """One stage and everything before it, in a session of its own."""
    began = time.monotonic()
    running = subprocess.Popen([sys.executable, "-c", _STAGE, str(out), stage, str(workers)], start_new_session=True)
    seen: dict[int, tuple[float, float]] = {}
    while running.poll() is None:
        seen |= dict(_of_session(running.pid))
        time.sleep(_LOOK_SECONDS)
    if running.returncode:
        raise SystemExit(running.returncode)
    others = [memory for process, (_, memory) in seen.items() if process != running.pid]
    cpu = sum(spent for spent, _ in seen.values())
    return Cost(cpu, time.monotonic() - began, seen[running.pid][1], max(others, default=0.0))


def _of_session(session: int) -> Iterator[tuple[int, tuple[float, float]]]:
    """Seconds of CPU and the peak of memory of every process in a session."""
    for place in Path("/proc").iterdir():
        if not place.name.isdecimal():
            continue
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            peak = next(line for line in (place / "status").read_text().splitlines() if line.startswith("VmHWM"))
        except (OSError, StopIteration):
            continue  # it has ended
        if int(fields[3]) == session:
            yield int(place.name), ((int(fields[11]) + int(fields[12])) / _TICKS, int(peak.split()[1]) / 1024)


def main() -> None:
    """Print a line of a Markdown table for each number of people, stage and number of workers."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--people", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    asked.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    asked.add_argument("--stages", nargs="+", default=["build", "publish"])
    asked.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "fhir-adapter-clones")
    given = asked.parse_args()
    print("| people | up to | workers | CPU, ms a person | wall, ms a person | parent, MB | worker, MB |")
    print("|---|---|---|---|---|---|---|")
    for people in given.people:
        out = given.folder / str(people)
        store = out / "store" / "landing.sqlite"
        if not (out / "whole").exists():
            store.parent.mkdir(parents=True, exist_ok=True)
            store.unlink(missing_ok=True)
            write_store(store, people)
            (out / "whole").touch()
        for stage in given.stages:
            for workers in given.workers:
                cost = measured(out, stage, workers)
                cells = (people, stage, workers, *(f"{1000 * each / people:.1f}" for each in (cost.cpu, cost.wall)))
                print("|", " | ".join(map(str, (*cells, round(cost.parent), round(cost.worker)))), "|", flush=True)


if __name__ == "__main__":
    main()
