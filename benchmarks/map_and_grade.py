"""What `mapping.py` measures of ours: laboratory results from their bytes to their grades.

python map_and_grade.py TASK FOLDER ROUNDS

`lenses` begins with decoded resources, `whole` with bytes; `tables` writes down the tables that the baseline needs.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from costs import tell
from msgspec import to_builtins

from fhir_adapter.cohort.events import Lab
from fhir_adapter.cohort.study import GradeClause
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.fhir.r4 import Observation, decode
from fhir_adapter.fhir.record import Record, read_record
from fhir_adapter.mapping.observation import map_observation
from fhir_adapter.mapping.study import read_study
from fhir_adapter.rules.grading import grade

STUDY = read_study("bsab-cart-dlbcl")
READER = replace(STUDY.reader([]), sex="female", birth=PartialDate.parse("1960-03-04"))


def clauses() -> dict[str, list[tuple[GradeClause, ...]]]:
    """The clauses of every term by observable."""
    by_term: dict[tuple[str, str], list[GradeClause]] = {}
    for clause in STUDY.study.grading:
        by_term.setdefault((clause.observable, clause.term_code), []).append(clause)
    found: dict[str, list[tuple[GradeClause, ...]]] = {}
    for (observable, _), every in by_term.items():
        found.setdefault(observable, []).append(tuple(every))
    return found


def graded(pairs: Iterable[tuple[Observation, Record]]) -> int:
    """The sum of all grades."""
    total, by_observable, parameters = 0, clauses(), STUDY.study.parameters
    for resource, record in pairs:
        for said in map_observation(resource, record, READER):
            if isinstance(said, Lab):
                for term in by_observable.get(said.observable, ()):
                    total += grade(said, None, term, parameters)[0]
    return total


def main() -> None:
    task, folder, rounds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if task == "tables":
        (folder / "tables.json").write_text(json.dumps(tables()), encoding="utf-8")
        return
    lines = (folder / "Observation.ndjson").read_bytes().splitlines()
    records = [read_record(line) for line in lines]
    graded((decode(one.body), one) for one in records)  # a run compiles the study's phrases once, however much there is
    if task == "lenses":
        resources = [decode(line) for line in lines]
        gc.freeze()
        tell(lambda: sum(graded(zip(resources, records, strict=True)) for _ in range(rounds)))
    else:
        gc.freeze()
        tell(lambda: sum(graded((decode(one.body), one) for one in records) for _ in range(rounds)))


def tables() -> dict[str, object]:
    """Codes, factors and clauses as plain JSON."""
    observed = STUDY.terms["observation"]
    return {
        "codes": {
            code: target.code for (system, code), target in observed.codes.items() if system == "http://loinc.org"
        },
        "factors": {
            name: {unit: str(factor) for unit, factor in analyte.factors.items()}
            for name, analyte in STUDY.units.analytes.items()
        },
        "plausible": {name: [str(one.low), str(one.high)] for name, one in STUDY.units.analytes.items()},
        "clauses": {
            name: [[to_builtins(clause) for clause in term] for term in terms] for name, terms in clauses().items()
        },
    }


if __name__ == "__main__":
    main()
