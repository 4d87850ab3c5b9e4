"""What a night costs on which one record in a thousand changed, beside the first fetch of a big hospital.

python benchmarks/nightly.py [--megabytes 1000]

CPU time of the whole process, starting Python included, since a night is short; and the requests it makes. The server
costs the client nothing but the bytes, so that a real, slower one makes both look better.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from goals import Figure, table
from hospital import generated
from pages_server import pages_server

CHANGED = 0.001
PAGE = 1_000
NIGHTS = 3


def measure(folder: Path) -> list[Figure]:
    changed = round(sum(_lines(path) for path in folder.glob("*.ndjson")) * CHANGED)
    with (
        tempfile.TemporaryDirectory(prefix="fhir-adapter-bench-") as work,
        pages_server(folder, PAGE, 0.0, changed) as server,
    ):
        runs = [(_fetch(server.base_url, Path(work)), server.served().requests) for _ in range(1 + NIGHTS)]
    (first, asked), *nights = runs
    night = statistics.median(seconds for seconds, _ in nights)
    note = f"{first:.0f} s and {asked} requests; then {night:.2f} s and {nights[0][1]} requests for {changed} resources"
    return [Figure("a night with 0.1 % changed to the full run, CPU", night / first, note)]


def _lines(path: Path) -> int:
    with path.open("rb") as lines:
        return sum(1 for _ in lines)


def _fetch(base_url: str, work: Path) -> float:
    """CPU seconds of one run; the modules are compiled already, as where the software is installed."""
    compiled = {"PYTHONPYCACHEPREFIX": str(work / "compiled")}
    environment = {**os.environ, **compiled, "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-m", "fhir_adapter"]
    subprocess.run([*command, "fetch", "--help"], env=environment, stdout=subprocess.DEVNULL, check=True)
    arguments = ["fetch", "--server", base_url, "--out", str(work / "out"), "--page-size", str(PAGE)]
    process = subprocess.Popen(
        [*command, *arguments], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"a fetch ended with status {status}")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--megabytes", type=int, default=1_000)
    with generated(asked.parse_args().megabytes) as folder:
        print("\n".join(table("a night", measure(folder), quick=False)))


if __name__ == "__main__":
    main()
