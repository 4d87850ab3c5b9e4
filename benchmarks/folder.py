"""What reading a big folder about a few people costs beside reading its bytes and beside decoding all of it.

    python benchmarks/folder.py [--megabytes 1000] [--rounds 5]

Every task runs in a process of its own, tasks and baselines in turn; what counts is the CPU time after the imports and
after the study's tables were read, and with the files in memory, so that a ratio holds for longer files and on another
machine, however quick its disk is.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path

from costs import Cost, agree, alternate, ratio
from environments import baselines
from goals import Figure, table
from hospital import generated

BASELINE = Path(__file__).with_name("decode_everything.py")
OURS = Path(__file__).with_name("read_about_some.py")
SHARES = ("0.01", "0.1", "1")
GATHERED = (
    ("gather 1 % to decoding everything (orjson)", "gather", "orjson", "0.01"),
    ("gather 10 % to the same", "gather", "orjson", "0.1"),
    ("gather 100 % to the same", "gather", "orjson", "1"),
    ("gather 1 % to merely reading the bytes", "gather", "read", "0.01"),
    ("gather 1 % of a gzipped file to gzip and orjson", "gather-gz", "orjson-gz", "0.01"),
    ("whom to read about, and all about them, to orjson", "study", "orjson-all", "study"),
    ("the same to DuckDB on one thread", "study", "duckdb", "study"),
)
"""Name, our task, the baseline's, and whom they read about."""
FALLING_BACK = (
    ("gather 1 %, every line looked at, to orjson", "every-line", "orjson", "0.01"),
    ("gather 1 % without the optional libraries, to orjson", "patterns", "orjson", "0.01"),
)
Costs = dict[str, list[Cost]]


def measure(folder: Path, rounds: int, *, quick: bool) -> list[Figure]:
    """Ratios of CPU time, baseline to ours, on a generated hospital; files that belong to it are put beside it."""
    _ids(folder)
    _packed(folder)
    asked = GATHERED if quick else (*GATHERED, *FALLING_BACK)
    costs: Costs = {}
    for whom in (*SHARES, "study"):
        costs |= _of(
            folder, whom, {task for _, ours, other, who in asked for task in (ours, other) if who == whom}, rounds
        )
    for _, ours, other, whom in asked:
        agree(costs, [f"{task} {whom}" for task in (ours, other) if task != "read"])
    found = [Figure(name, ratio(costs, f"{other} {whom}", f"{ours} {whom}")) for name, ours, other, whom in asked]
    peak = max(one.megabytes for _, ours, _, whom in asked for one in costs[f"{ours} {whom}"])
    return [*found, Figure("peak memory of ours, MB", peak)]


def _of(folder: Path, whom: str, tasks: set[str], rounds: int) -> Costs:
    """Every task once a round. Ours comes first: whom the study is about is what it finds, and the others are told."""
    ids = folder.parent / f"ids-{whom}.txt"
    ours = {task for _, task, *_ in (*GATHERED, *FALLING_BACK)}
    commands = {
        f"{task} {whom}": [*([sys.executable, OURS] if task in ours else [baselines(), BASELINE]), task, folder, ids]
        for task in sorted(tasks, key=lambda task: task not in ours)
    }
    files = [*folder.glob("*.ndjson"), *(folder.parent / "gz").iterdir()]
    return alternate(commands, rounds, files)


def _ids(folder: Path) -> None:
    """Beside the folder: evenly chosen people by share."""
    with (folder / "Patient.ndjson").open("rb") as patients:
        ids = [json.loads(line)["id"] for line in patients]
    for share in SHARES:
        chosen = ids[:: round(1 / float(share))]
        (folder.parent / f"ids-{share}.txt").write_text("\n".join(chosen), encoding="utf-8")


def _packed(folder: Path) -> None:
    """Its Observations also as gzip."""
    packed = folder.parent / "gz"
    packed.mkdir(exist_ok=True)
    with (
        (folder / "Observation.ndjson").open("rb") as plain,
        gzip.open(packed / "Observation.ndjson.gz", "wb", 1) as gz,
    ):
        while chunk := plain.read(1 << 20):
            gz.write(chunk)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--megabytes", type=int, default=1_000)
    asked.add_argument("--rounds", type=int, default=5)
    given = asked.parse_args()
    with generated(given.megabytes) as folder:
        print("\n".join(table("a big folder", measure(folder, given.rounds, quick=False), quick=False)))


if __name__ == "__main__":
    main()
