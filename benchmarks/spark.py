"""What reading a big folder takes by each engine: this process, several processes, Spark.

    python benchmarks/spark.py [--gb 2] [--rounds 3] [--master local[2]] [--folder DIR]

Every engine stays open over all rounds, and the engines take turns. The first round of Spark starts it, so it is told
apart from the others; of those the median counts. That all of them land the same is checked. Needs PySpark and a JDK.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from hospital import BYTES_A_PERSON, STUDYS_SHARE, write_hospital

from fhir_adapter.ehr.folder import scan
from fhir_adapter.engine import Engine, EngineName, opened
from fhir_adapter.pipeline.fetching.folder import land_folder
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

ENGINES: tuple[EngineName, ...] = ("serial", "processes", "spark")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--gb", type=float, default=2.0)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--master", default="local[2]")
    asked.add_argument("--folder", type=Path, help="made if it is not there, and kept")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="fhir-adapter-bench-") as work, ExitStack() as stack:
        folder = (given.folder or Path(work) / "hospital").resolve()
        if not folder.exists():
            write_hospital(folder, int(given.gb * 1e9 / BYTES_A_PERSON), STUDYS_SHARE)
        engines = {name: stack.enter_context(opened(name, 0, given.master)) for name in ENGINES}
        seconds: dict[str, list[float]] = {name: [] for name in ENGINES}
        for _ in range(given.rounds + 1):
            landed = {name: _landed(folder, engine, seconds[name], Path(work)) for name, engine in engines.items()}
            assert len(set(landed.values())) == 1, "the engines have landed different things"
    _report(folder, given.master, seconds)


def _landed(folder: Path, engine: Engine, seconds: list[float], work: Path) -> str:
    """What an engine has landed of the folder, as a sum; `seconds` gets the time that it took."""
    settings = Settings(folder=folder)
    with tempfile.TemporaryDirectory(dir=work) as home, Store.open(Path(home) / "store", settings.source) as store:
        began = time.perf_counter()
        files = [file for file in scan(folder) if file.name != "truth.json"]
        fetched = land_folder(files, settings, store, "2026-01-01T00:00:00Z", Progress(), engine=engine)
        seconds.append(time.perf_counter() - began)
        fetched.require_complete()
        return store.content_hash()


def _report(folder: Path, master: str, seconds: dict[str, Sequence[float]]) -> None:
    gigabytes = sum(path.stat().st_size for path in folder.iterdir()) / 1e9
    warm = {name: statistics.median(took[1:]) for name, took in seconds.items()}
    print(f"{gigabytes:.2f} GB, {os.cpu_count()} cores, Spark on {master}; seconds by the clock\n")
    print("| engine | first | warm | warm, times the processes |\n|---|---|---|---|")
    for name, took in seconds.items():
        print(f"| {name} | {took[0]:.1f} | {warm[name]:.1f} | {warm[name] / warm['processes']:.2f} |")


if __name__ == "__main__":
    main()
