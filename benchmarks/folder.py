"""What reading a big folder about a few people costs beside reading its bytes and beside decoding all of it.

    python benchmarks/folder.py [--megabytes 1000] [--rounds 5] [--quick]

Every task runs in a process of its own, tasks and baselines in turn; what counts is the CPU time after the imports, so
that every figure is a ratio that holds on another machine. `orjson` and DuckDB are installed into an environment of
their own beside the generated folder. With --quick the folder is small, and the exit code is 1 if a ratio is below half
of its goal: slow machines pass, a lost advantage does not.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BASELINE = Path(__file__).with_name("decode_everything.py")
OURS = Path(__file__).with_name("read_about_some.py")
PEERS = ("orjson", "duckdb")
BYTES_A_PERSON = 172_000
QUICK_MEGABYTES = 120


@dataclass(frozen=True)
class Ratio:
    """How many times as much CPU a baseline takes as we do, by median, and what was aimed at."""

    name: str
    ours: str
    baseline: str
    whom: str
    goal: float


RATIOS = (
    Ratio("gather 1 % to decoding everything (orjson)", "gather", "orjson", "0.01", 12.0),
    Ratio("gather 10 % to the same", "gather", "orjson", "0.1", 6.0),
    Ratio("gather 100 % to the same", "gather", "orjson", "1", 1.7),
    Ratio("gather 1 % to merely reading the bytes", "gather", "read", "0.01", 0.5),
    Ratio("gather 1 %, every line looked at, to orjson", "every-line", "orjson", "0.01", 0.0),
    Ratio("gather 1 % without the optional libraries, to orjson", "patterns", "orjson", "0.01", 0.0),
    Ratio("gather 1 % of a gzipped file to gzip and orjson", "gather-gz", "orjson-gz", "0.01", 5.0),
    Ratio("whom to read about, and all about them, to orjson", "study", "orjson-all", "study", 6.0),
    Ratio("the same to DuckDB on one thread", "study", "duckdb", "study", 4.0),
)


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a task, the peak of resident memory in MB, and what it found."""

    seconds: float
    megabytes: float
    found: int


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--megabytes", type=int, default=1_000)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--quick", action="store_true")
    given = asked.parse_args()
    megabytes, rounds = (QUICK_MEGABYTES, 3) if given.quick else (given.megabytes, given.rounds)
    with tempfile.TemporaryDirectory(prefix="fhir-adapter-bench-") as work:
        folder = _hospital(Path(work), megabytes)
        _ids(folder)
        peers = _peers(Path(work) / "peers")
        costs = _measured(folder, peers, rounds)
    return _report(costs, megabytes, rounds, quick=given.quick)


def _hospital(work: Path, megabytes: int) -> Path:
    """A seeded hospital; its Observations also as gzip."""
    from hospital import write_hospital

    folder = work / "hospital"
    write_hospital(folder, megabytes * 1_000_000 // BYTES_A_PERSON, 0.005)
    (folder / "truth.json").unlink()
    packed = work / "gz"
    packed.mkdir()
    with (
        (folder / "Observation.ndjson").open("rb") as plain,
        gzip.open(packed / "Observation.ndjson.gz", "wb", 6) as gz,
    ):
        while chunk := plain.read(1 << 20):
            gz.write(chunk)
    return folder


def _peers(folder: Path) -> str:
    """The Python of an environment with the libraries that we are measured against."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEERS], check=True)
    return python


def _ids(folder: Path) -> None:
    """Beside the folder: evenly chosen people by share. Those of the study are found by ours, first of all."""
    with (folder / "Patient.ndjson").open("rb") as patients:
        ids = [json.loads(line)["id"] for line in patients]
    for share in {one.whom for one in RATIOS} - {"study"}:
        chosen = ids[:: round(1 / float(share))]
        (folder.parent / f"ids-{share}.txt").write_text("\n".join(chosen), encoding="utf-8")


def _measured(folder: Path, peers: str, rounds: int) -> dict[tuple[str, str], list[Cost]]:
    """Every task once a round, so that what else the machine does meets all of them."""
    ours = {(one.ours, one.whom): [sys.executable, str(OURS)] for one in RATIOS}
    theirs = {(one.baseline, one.whom): [peers, str(BASELINE)] for one in RATIOS}
    costs: dict[tuple[str, str], list[Cost]] = {task: [] for task in (*ours, *theirs)}
    for _ in range(rounds):
        for (task, whom), script in {**ours, **theirs}.items():
            told = subprocess.run(
                [*script, task, str(folder), str(folder.parent / f"ids-{whom}.txt")],
                check=True, capture_output=True, text=True,
            ).stdout  # fmt: skip
            costs[task, whom].append(Cost(**json.loads(told)))
    _check_agreement(costs)
    return costs


def _check_agreement(costs: dict[tuple[str, str], list[Cost]]) -> None:
    """What is not the same work is no comparison."""
    for one in RATIOS:
        tasks = [task for task in (one.ours, one.baseline) if task != "read"]
        found = {cost.found for task in tasks for cost in costs[task, one.whom]}
        if len(found) > 1:
            raise SystemExit(f"{one.name}: the two found different numbers of resources: {sorted(found)}")


def _report(costs: dict[tuple[str, str], list[Cost]], megabytes: int, rounds: int, *, quick: bool) -> int:
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"{megabytes} MB, {rounds} rounds"
    )
    print("| ratio of CPU time, baseline to ours | measured | goal |\n|---|---|---|")
    low = False
    for one in RATIOS:
        ratio = _seconds(costs[one.baseline, one.whom]) / _seconds(costs[one.ours, one.whom])
        low |= ratio < one.goal / 2
        print(f"| {one.name} | {ratio:.2g} | {f'at least {one.goal:g}' if one.goal else 'none'} |")
    peak = max(cost.megabytes for one in RATIOS for cost in costs[one.ours, one.whom])
    print(f"| peak memory of ours, MB | {peak:.0f} | at most 64 |")
    return int(quick and low)


def _seconds(costs: Sequence[Cost]) -> float:
    return statistics.median(cost.seconds for cost in costs)


if __name__ == "__main__":
    sys.exit(main())
