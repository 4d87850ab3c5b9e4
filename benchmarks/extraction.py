"""What fetching costs beside what the bare server and a bare JSON decoder cost, in interleaved runs.

    python benchmarks/extraction.py [--people 150] [--rounds 5]

- pages: a whole `fetch` against `httpx` with `json.loads`, page after page, on a server whose pause stands
  for a real one (5,000 resources a second), and on one without a pause, where only the client's own cost is left;
- memory: the peak of a `fetch` of ten times as many resources against that of the small one;
- nights: what a `fetch` costs when a few Observations have changed, in a hospital ten times as large (`nightly.py`
  measures it against the first fetch);
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
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx
from hospital import TYPES, write_hospital
from pages_server import pages_server

COMMAND = str(Path(sys.executable).with_name("fhir-adapter"))
PAGE = 200
REAL_SERVER = 5_000  # resources a second
CHANGED = 25  # Observations a night


@dataclass(frozen=True)
class Cost:
    """Wall seconds, and the peak of resident memory in MB, of one process."""

    seconds: float
    megabytes: float


def fetch(base_url: str, work: Path, concurrency: int, out: str = "") -> Cost:
    """One `fhir-adapter fetch` in a process of its own, into a new output folder unless `out` names one."""
    folder = work / (out or f"out-{uuid4()}")
    arguments = [COMMAND, "fetch", "--server", base_url, "--out", str(folder), "--page-size", str(PAGE)]
    return _measured(arguments, {**os.environ, "FHIR_ADAPTER__CONCURRENCY": str(concurrency)})


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
            url: str | None = f"{base_url}/{type}?_count={PAGE}"
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


def measure(people: int, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as named:
        work = Path(named)
        for name, size, share in (("none", 1, 0.0), ("small", people, 0.01), ("large", people * 10, 0.01)):
            write_hospital(work / name, size, share)
        # Starting Python and importing is paid once, whatever the number of pages.
        with pages_server(work / "none", PAGE, 0.0) as server:
            ours, bare = _alternate(
                rounds, lambda: fetch(server.base_url, work, 1), lambda: read_barely(server.base_url)
            )
        starts = statistics.median(cost.seconds for cost in ours), statistics.median(cost.seconds for cost in bare)
        return _pages(work, rounds, starts) | _growth(work)


def _pages(work: Path, rounds: int, starts: tuple[float, float]) -> dict[str, float]:
    """A whole fetch against the bare client, on servers that take their time or none, one by one and together."""
    found: dict[str, float] = {}
    for name, pause in (("real server", PAGE / REAL_SERVER), ("no pause", 0.0)):
        for concurrency in (1, 4):
            with pages_server(work / "small", PAGE, pause) as server:
                runs = partial(fetch, server.base_url, work, concurrency), partial(read_barely, server.base_url)
                ours, bare = _alternate(rounds, *runs)
                most = server.served().in_flight
            if most > concurrency:
                raise SystemExit(f"{most} requests were in flight, {concurrency} were allowed")
            found[f"pages, {name}, {concurrency} at once"] = statistics.median(
                (one.seconds - starts[0]) / (other.seconds - starts[1]) for one, other in zip(ours, bare, strict=True)
            )
    return found


def _growth(work: Path) -> dict[str, float]:
    """What ten times the hospital costs, on the first night and on one on which as much changed as in the small one."""
    nights: dict[str, list[Cost]] = {}
    for name in ("small", "large"):
        with pages_server(work / name, PAGE, 0.0, CHANGED) as server:
            nights[name] = [fetch(server.base_url, work, 4, f"out-{name}") for _ in range(4)]
    night, small_night = (statistics.median(one.seconds for one in nights[name][1:]) for name in ("large", "small"))
    return {
        "memory, ten times the resources": nights["large"][0].megabytes / nights["small"][0].megabytes,
        "a night's wall time, ten times the resources": night / small_night,
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
