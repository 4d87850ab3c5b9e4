"""What it costs to be asked for help, and which heavy libraries that loads.

python benchmarks/start.py
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from goals import Figure, table

HEAVY = ("pandas", "lifelines", "matplotlib", "httpx")
HELP = f"""
import json, sys, time
sys.argv = ["fhir-adapter", "--help"]
from fhir_adapter.cli import main
try:
    main()
except SystemExit:
    print("\\n" + json.dumps([sorted(set({HEAVY}) & set(sys.modules)), time.process_time()]))
"""
ROUNDS = 5


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="fhir-adapter-bench-") as work:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(work)), "PYTHONDONTWRITEBYTECODE": ""}
        told = [_help(environment) for _ in range(1 + ROUNDS)]
    loaded, _ = told[0]
    return [
        Figure("modules of pandas, lifelines, matplotlib or httpx that --help loads", len(loaded), ", ".join(loaded)),
        Figure("CPU seconds of --help", statistics.median(seconds for _, seconds in told[1:])),
    ]


def _help(environment: dict[str, str]) -> tuple[list[str], float]:
    ended = subprocess.run([sys.executable, "-c", HELP], env=environment, capture_output=True, text=True, check=True)
    loaded, seconds = json.loads(ended.stdout.strip().splitlines()[-1])
    return loaded, seconds


if __name__ == "__main__":
    print("\n".join(table("start", measure(), quick=False)))
