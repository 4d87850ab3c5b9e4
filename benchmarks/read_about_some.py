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
from fhir_adapter.ehr.parts import Part
from fhir_adapter.ehr.prefilter import PatternFinder
from fhir_adapter.engine import Serial
from fhir_adapter.fhir.r4 import READ_TYPES
from fhir_adapter.mapping.study import StudyFolder, read_study
from fhir_adapter.pipeline.fetching.candidates import SHARED, candidates

STUDY = "bsab-cart-dlbcl"


def gathered(files: Collection[FolderFile], people: Collection[str], *, every_line: bool = False) -> int:
    search = gather.Search(people, SHARED)
    parts = (Part(file, alike=not every_line and search.finds_alike(file)) for file in files)
    return sum(len(one.page.records) for part in parts for one in search.portions(part) if one.page)


def find(task: str, folder: Path, ids: Path, study: StudyFolder) -> int:
    """How many resources were found. `study` also finds whom to look for, and writes their ids for the baselines."""
    people = ids.read_text(encoding="utf-8").split() if ids.exists() else []
    observations = [file for file in scan(folder.parent / "gz" if task == "gather-gz" else folder)
                    if file.name.startswith("Observation")]  # fmt: skip
    if task == "study":
        files = list(scan(folder))
        found = candidates(files, study, READ_TYPES, Serial()).people
        ids.write_text("\n".join(sorted(found)), encoding="utf-8")
        return gathered(files, found)
    if task == "patterns":
        gather.prefilter = PatternFinder  # as it is where the library is not installed
    return gathered(observations, people, every_line=task == "every-line")


def main() -> None:
    study = read_study(STUDY)
    began = time.process_time()
    found = find(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), study)
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": peak, "found": found}))


if __name__ == "__main__":
    main()
