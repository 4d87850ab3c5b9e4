"""All measurements of speed and size, on one generated hospital, as tables in Markdown.

    python benchmarks/bench.py [--megabytes 1000] [--rounds 3]
    python benchmarks/bench.py --quick

With --quick it takes less than two minutes, and the exit code is 1 if a figure is beyond its floor (`goals.toml`); its
last line is a summary such as pytest's.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import folder
import mapping
import nightly
import page
import peers
import start
import two_processes
from costs import Failed
from goals import Figure, far_off, held, table, unmeasured
from hospital import generated

QUICK_MEGABYTES, QUICK_ROUNDS, QUICK_OBSERVATIONS = 100, 3, 10_000
OBSERVATIONS = 100_000
Subject = tuple[str, Callable[[], list[Figure]]]


def subjects(hospital: Path, rounds: int, *, quick: bool) -> Iterator[Subject]:
    """Title and measurement, in the order in which they are run."""
    yield "a big folder, ratio of CPU time", lambda: folder.measure(hospital, rounds, quick=quick)
    yield "a page of a search, ratio of CPU time", lambda: page.measure(rounds, quick=quick)
    observations = QUICK_OBSERVATIONS if quick else OBSERVATIONS
    yield "mapping and grading, ratio of CPU time", lambda: mapping.measure(observations, rounds)
    yield "start", start.measure
    if not quick:
        yield "libraries for FHIR, ratio of CPU time", lambda: peers.measure(hospital)
        yield "several processes", lambda: two_processes.measure(hospital)
        yield "a night", lambda: nightly.measure(hospital)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--megabytes", type=int, default=1_000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--quick", action="store_true")
    given = asked.parse_args()
    megabytes, rounds = (QUICK_MEGABYTES, QUICK_ROUNDS) if given.quick else (given.megabytes, given.rounds)
    began = time.monotonic()
    with generated(megabytes) as hospital:
        print(_machine(megabytes, rounds), flush=True)
        figures = [
            one for subject in subjects(hospital, rounds, quick=given.quick) for one in _told(*subject, given.quick)
        ]
    return _summary(figures, time.monotonic() - began) if given.quick else 0


def _machine(megabytes: int, rounds: int) -> str:
    load = f"load {os.getloadavg()[0]:.1f}"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {load}, Python {platform.python_version()}"
    return f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {machine}; {megabytes} MB, {rounds} rounds"


def _told(title: str, measure: Callable[[], list[Figure]], quick: bool) -> list[Figure]:
    """The figures of a subject; none if it comes to nothing, which must not cost the others."""
    try:
        figures = measure()
    except (Failed, SystemExit, OSError, subprocess.SubprocessError) as problem:
        print(f"\n{title}: not measured, {problem}", flush=True)
        return []
    print("\n" + "\n".join(table(title, figures, quick=quick)), flush=True)
    return figures


def _summary(figures: list[Figure], seconds: float) -> int:
    """What failed, and a last line that says how many did."""
    figures = [*figures, *unmeasured(figures)]
    failed = far_off(figures)
    for one in failed:
        print(f"FAILED {one.name}: {'not measured' if one.value is None else f'{one.value:.2g}'}")
    passed = len(held(figures)) - len(failed)
    print(", ".join([*([f"{len(failed)} failed"] if failed else []), f"{passed} passed"]) + f" in {seconds:.2f}s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
