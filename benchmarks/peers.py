"""The study's reading of a folder beside the libraries that are made for FHIR: MB a second of CPU time.

    python benchmarks/peers.py [--megabytes 1000]

They are slower by so much that a sample is enough for them: a thousand Observations, of which they keep those of some
people as rows. Ours finds the study's people in the whole folder and keeps all about them. What cannot be installed or
loaded is told so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from costs import Cost, Failed, cost
from environments import baselines, environment
from goals import Figure, table
from hospital import generated

READERS = Path(__file__).with_name("peer_readers.py")
OURS = Path(__file__).with_name("read_about_some.py")
PEERS = {
    "fhir.resources": ("fhir.resources",),
    "fhirpy": ("fhirpy",),
    "FHIR-PYrate": ("fhir-pyrate",),
    "pysof": ("pysof",),
}
SAMPLE, ROUNDS = 1_000, 3


def measure(folder: Path) -> list[Figure]:
    sample, ids = folder.parent / "sample.ndjson", folder.parent / "ids-sample.txt"
    with (folder / "Observation.ndjson").open("rb") as lines:
        sample.write_bytes(b"".join(next(lines) for _ in range(SAMPLE)))
    ids.write_text("p0000003\np0000005\n", encoding="utf-8")
    files = list(folder.glob("*.ndjson"))
    size = sum(path.stat().st_size for path in files) / 1e6
    study = [sys.executable, OURS, "study", folder, folder.parent / "ids-study.txt"]
    rate = size / statistics.median(cost(study, files).seconds for _ in range(ROUNDS))
    known = cost([baselines(), READERS, "orjson", sample, ids])
    found = [_peer(name, sample, ids, rate, known) for name in PEERS]
    return [Figure("the study, MB a second of CPU time", rate), *found]


def _peer(name: str, sample: Path, ids: Path, rate: float, known: Cost) -> Figure:
    label = f"the study to {name}"
    home = environment(name, *PEERS[name])
    if not home.python:
        return Figure(label, None, f"it cannot be installed: {home.reason}")
    try:
        costs = [cost([home.python, READERS, name, sample, ids]) for _ in range(ROUNDS)]
    except Failed as failed:
        return Figure(label, None, f"it cannot be run here: {failed}")
    if costs[0].found != known.found:
        return Figure(label, None, f"it found {costs[0].found:.0f} rows instead of {known.found:.0f}")
    seconds = statistics.median(one.seconds for one in costs)
    theirs = sample.stat().st_size / 1e6 / seconds
    return Figure(label, rate / theirs, f"{seconds / SAMPLE * 1e6:.0f} µs a resource, {theirs:.2g} MB/s")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--megabytes", type=int, default=1_000)
    with generated(asked.parse_args().megabytes) as folder:
        print("\n".join(table("libraries for FHIR", measure(folder), quick=False)))


if __name__ == "__main__":
    main()
