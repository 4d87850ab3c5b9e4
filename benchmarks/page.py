"""What a page of a REST search costs the client: 1000 Observations of 2.1 kB, from a server on loopback.

python benchmarks/page.py [--rounds 5] [--quick]

Starting Python, importing and the first requests are on neither side. `ours` is a fetch as it is run: every check of
the page, and every resource filed with its bytes; the others keep dictionaries or objects.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from costs import Cost, Failed, agree, alternate, cost, ratio
from environments import baselines, environment
from goals import Figure, table
from hospital import write_hospital
from pages_server import pages_server

CLIENTS = Path(__file__).with_name("page_clients.py")
PAGE, PEOPLE_A_PAGE = 1_000, 17
PEERS = {"fhirpy": ("fhirpy",), "FHIR-PYrate": ("fhir-pyrate",)}


def measure(rounds: int, *, quick: bool) -> list[Figure]:
    """Ratios of CPU time. With `quick` the slow peers are left out."""
    with tempfile.TemporaryDirectory(prefix="fhir-adapter-bench-") as work:
        folder = _observations(Path(work), pages=10)
        with pages_server(folder, PAGE, 0.0) as server:
            own = {name: [sys.executable, CLIENTS, name, server.base_url] for name in ("ours", "ours-read")}
            theirs = {name: [baselines(), CLIENTS, name, server.base_url] for name in ("json", "bytes")}
            costs = alternate({**own, **theirs}, rounds)
            agree(costs, tuple(costs))
            found = [
                Figure("a REST page of 1000 to httpx .json()", ratio(costs, "json", "ours")),
                Figure("the same, and every resource read through its lens", ratio(costs, "json", "ours-read")),
                Figure("the same to receiving the bytes alone", ratio(costs, "bytes", "ours")),
            ]
            return found if quick else [*found, *(_peer(name, server.base_url, costs) for name in PEERS)]


def _observations(work: Path, pages: int) -> Path:
    write_hospital(work / "all", PEOPLE_A_PAGE * pages, 0)
    folder = work / "pages"
    folder.mkdir()
    lines = (work / "all" / "Observation.ndjson").read_bytes().splitlines(keepends=True)
    (folder / "Observation.ndjson").write_bytes(b"".join(lines[: PAGE * pages]))
    return folder


def _peer(name: str, base_url: str, costs: dict[str, list[Cost]]) -> Figure:
    label = f"a REST page of 1000 to {name}"
    found = environment(name, *PEERS[name])
    if not found.python:
        return Figure(label, None, f"it cannot be installed: {found.reason}")
    try:
        theirs = cost([found.python, CLIENTS, name, base_url])
    except Failed as failed:
        return Figure(label, None, f"it cannot be run: {failed}")
    if theirs.found != costs["ours"][0].found:
        return Figure(label, None, f"it found {theirs.found:.0f} instead of {costs['ours'][0].found:.0f} resources")
    fastest = min(one.seconds for one in costs["ours"])
    return Figure(label, theirs.seconds / fastest)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--quick", action="store_true")
    given = asked.parse_args()
    print("\n".join(table("ratio of CPU time to ours", measure(given.rounds, quick=given.quick), quick=given.quick)))


if __name__ == "__main__":
    main()
