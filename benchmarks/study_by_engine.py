"""What `two_processes.py` measures: a folder read about the study's people, by an engine.

python study_by_engine.py ENGINE WORKERS FOLDER
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

from costs import tell

from fhir_adapter.engine import opened


def main() -> None:
    # Workers read this file as they read the command's, which imports as little before it knows what is asked for.
    from fhir_adapter.ehr.folder import scan
    from fhir_adapter.ehr.gather import Search, gather
    from fhir_adapter.ehr.parts import batches, parts_of
    from fhir_adapter.fhir.r4 import READ_TYPES
    from fhir_adapter.mapping.study import read_study
    from fhir_adapter.pipeline.fetching.candidates import SHARED, candidates

    name, workers, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    study = read_study("bsab-cart-dlbcl")

    def found() -> int:
        with opened(name, workers) as engine:
            files = list(scan(folder))
            search = Search(candidates(files, study, READ_TYPES, engine).people, SHARED)
            tasks = batches(part for file in files for part in parts_of(file, alike=search.finds_alike(file)))
            answers = engine.map(partial(gather, search), tasks)
            return sum(len(one.page.records) for portions in answers for one in portions if one.page)

    tell(found, time.perf_counter)


if __name__ == "__main__":
    main()
