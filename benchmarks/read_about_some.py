"""What `folder.py` measures of ours: reading a folder about some people, and finding whom to read about.

python read_about_some.py TASK FOLDER IDS
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Collection
from pathlib import Path

from fhir_adapter.ehr import gather
from fhir_adapter.ehr.folder import FolderFile, scan
from fhir_adapter.ehr.prefilter import PatternFinder
from fhir_adapter.fhir.r4 import READ_TYPES
from fhir_adapter.mapping.study import read_study
from fhir_adapter.pipeline.fetching.candidates import SHARED, candidates

TASKS = ("gather", "every-line", "patterns", "gather-gz", "study")
STUDY = "bsab-cart-dlbcl"


def gathered(files: Collection[FolderFile], people: Collection[str], *, every_line: bool = False) -> int:
    gatherer = gather.Gatherer(people, SHARED, every_line=every_line)
    return sum(len(page.records) for file in files for page in gatherer.pages(file))


def find(task: str, folder: Path, ids: Path) -> int:
    """How many resources were found. `study` also finds whom to look for, and writes their ids for the baselines."""
    people = ids.read_text(encoding="utf-8").split() if ids.exists() else []
    observations = [file for file in scan(folder.parent / "gz" if task == "gather-gz" else folder)
                    if file.name.startswith("Observation")]  # fmt: skip
    if task == "study":
        files = list(scan(folder))
        found = candidates(files, STUDY_FOLDER, READ_TYPES).people
        ids.write_text("\n".join(sorted(found)), encoding="utf-8")
        return gathered(files, found)
    if task == "patterns":
        gather.prefilter = PatternFinder  # type: ignore[assignment]
    return gathered(observations, people, every_line=task == "every-line")


STUDY_FOLDER = read_study(STUDY)


def main() -> None:
    began = time.process_time()
    found = find(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": peak, "found": found}))


if __name__ == "__main__":
    main()
