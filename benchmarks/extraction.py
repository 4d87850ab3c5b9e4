"""What fetching costs beside what the bare server and a bare JSON decoder cost, in interleaved runs.

    python benchmarks/extraction.py [--people 150] [--rounds 5]

- pages: a whole `fetch` of the product against `httpx` with `json.loads`, page after page, on a server whose pause stands
  for a real one (5,000 resources a second), and on one without a pause, where only the client's own cost is left;
- memory: the peak of a `fetch` of ten times as many resources against that of the small one;
- nightly: the wall time and the requests of a second `fetch`, of an unchanged hospital, and of one ten times as large;
- in flight: the highest number of requests that the server ever had at once, against the number allowed.

Every figure is a ratio, so that it holds on another machine; the machine is named beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from hospital import TYPES, write_hospital
from pages_server import PagesServer

COMMAND = str(Path(sys.executable).with_name("fhir-adapter"))
REAL_SERVER = 5_000  # resources a second


@dataclass(frozen=True)
class Cost:
    """Wall seconds, and the peak of resident memory in MB, of one process."""

    seconds: float
    megabytes: float


def fetch(base_url: str, out: Path, concurrency: int) -> Cost:
    """One `fhir-adapter fetch` in a process of its own."""
    arguments = [COMMAND, "fetch", "--server", base_url, "--out", str(out), "--page-size", "200"]
    environment = {**os.environ, "FHIR_ADAPTER__CONCURRENCY": str(concurrency)}
    return _measured(arguments, environment)


def read_barely(base_url: str) -> Cost:
    """The same pages with httpx and the standard decoder, one after the other, nothing kept."""
    return _measured([sys.executable, __file__, "--barely", base_url], dict(os.environ))


def _measured(arguments: list[str], environment: dict[str, str]) -> Cost:
    started = time.perf_counter()
    process = subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        told = process.stderr.read().decode() if process.stderr else ""
        raise SystemExit(f"{arguments[1]} ended with status {status}\n{told}")
    return Cost(time.perf_counter() - started, usage.ru_maxrss / 1024)


def _barely(base_url: str) -> None:
    with httpx.Client() as client:
        for type in TYPES:
            url: str | None = f"{base_url}/{type}?_count=200"
            while url:
                page = json.loads(client.get(url).content)
                url = next((link["url"] for link in page.get("link", []) if link["relation"] == "next"), None)


def _alternate(rounds: int, *runs: Callable[[], Cost]) -> list[list[Cost]]:
    """A B A B ...: whatever else the machine does falls on both."""
    results: list[list[Cost]] = [[] for _ in runs]
    for _ in range(rounds):
        for place, run in enumerate(runs):
            results[place].append(run())
    return results


def _ratio(ours: list[Cost], bare: list[Cost], start_ours: float = 0.0, start_bare: float = 0.0) -> float:
    pairs = zip(ours, bare, strict=True)
    return statistics.median((a.seconds - start_ours) / (b.seconds - start_bare) for a, b in pairs)


def measure(people: int, rounds: int) -> dict[str, float]:
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as named:
        work = Path(named)
        small, large, none = work / "small", work / "large", work / "none"
        write_hospital(small, people, 0.01)
        write_hospital(large, people * 10, 0.01)
        write_hospital(none, 1, 0)
        fresh = iter(range(1_000_000))
        with PagesServer(none, 200, 0.0).running() as server:
            # Starting Python and importing is paid once, whatever the number of pages.
            starts = _alternate(rounds, lambda: fetch(server.base_url, work / f"o{next(fresh)}", 1), lambda: read_barely(server.base_url))
            start_ours, start_bare = (statistics.median(cost.seconds for cost in costs) for costs in starts)
        for name, pause in (("real server", 200 / REAL_SERVER), ("no pause", 0.0)):
            with PagesServer(small, 200, pause).running() as server:
                for concurrency in (1, 4):
                    ours, bare = _alternate(
                        rounds,
                        lambda: fetch(server.base_url, work / f"o{next(fresh)}", concurrency),
                        lambda: read_barely(server.base_url),
                    )
                    found[f"pages, {name}, {concurrency} at once"] = _ratio(ours, bare, start_ours, start_bare)
                    if server.in_flight > concurrency:
                        raise SystemExit(f"{server.in_flight} requests were in flight, {concurrency} were allowed")
                    server.in_flight = 0
        found |= _growth(small, large, work)
    return found


def _growth(small: Path, large: Path, work: Path) -> dict[str, float]:
    costs: dict[str, Cost] = {}
    asked: dict[str, int] = {}
    for name, folder in (("small", small), ("large", large)):
        with PagesServer(folder, 200, 0.0).running() as server:
            for night in ("first", "second"):
                server.requests = 0
                costs[f"{name} {night}"] = fetch(server.base_url, work / f"grow-{name}", 4)
                asked[f"{name} {night}"] = server.requests
    return {
        "memory, ten times the resources": costs["large first"].megabytes / costs["small first"].megabytes,
        "wall, second fetch of everything against the first": costs["large second"].seconds / costs["large first"].seconds,
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--people", type=int, default=150)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--barely", metavar="URL", help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.barely:
        _barely(given.barely)
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name, value in measure(given.people, given.rounds).items():
        print(f"{name:60} {value:6.2f}")


if __name__ == "__main__":
    main()
