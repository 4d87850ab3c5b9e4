"""The same stages for notebooks: studies, cohorts and estimates as DataFrames.

import fhir_adapter as fa

study = fa.load_study("bsab-cart-dlbcl", data_cut="2025-02-24")
cohort = fa.build(study, "exports/2025-02")     # a folder with NDJSON or Bundles, or the output folder of a run
cohort.subjects                                 # one row per included person
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.errors import UsageError
from fhir_adapter.mapping.study import StudyFolder, read_study
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline.build import Cohort
from fhir_adapter.pipeline.build import build as build_cohort
from fhir_adapter.pipeline.fetch import reached
from fhir_adapter.progress import Progress
from fhir_adapter.publish.analysis_tables import analysis_files
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

if TYPE_CHECKING:
    import pandas as pd

_NO_CLOCK = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class CohortFrames:
    """A judged cohort as DataFrames; the columns are those of `docs/reference/outputs.md`.

    Its printed form counts people and shows nobody.
    """

    cohort: Cohort

    def __repr__(self) -> str:
        return f"<cohort of {len(self.cohort.judgements)} people, {len(self.cohort.excluded)} not included>"

    @cached_property
    def _files(self) -> Mapping[str, bytes]:
        return self.cohort.files()

    @cached_property
    def subjects(self) -> pd.DataFrame:
        """One row per included person; days and years in whole numbers, dates as text, as exact as known."""
        return self._table("subjects.csv")

    @cached_property
    def flow(self) -> pd.DataFrame:
        """One row per step and reason of the attrition."""
        return self._table("flow.csv")

    @cached_property
    def toxicities(self) -> pd.DataFrame:
        """One row per person and term; grades 0 to 5, limits and values in the unit of the row."""
        return self._table("toxicities.csv")

    @cached_property
    def doses(self) -> pd.DataFrame:
        """One row per drug administration."""
        return self._table("doses.csv")

    @cached_property
    def responses(self) -> pd.DataFrame:
        """One row per response assessment."""
        return self._table("responses.csv")

    @cached_property
    def labs(self) -> pd.DataFrame:
        """One row per laboratory result, in the canonical unit of its observable."""
        return self._table("labs.csv")

    @cached_property
    def event_times(self) -> pd.DataFrame:
        """One row per person and endpoint; times in whole days."""
        return _read(analysis_files(self.cohort.times, ())["event_times.csv"])

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """One row per statistic; ratios as fractions with unit `1`, times in the row's unit."""
        import pandas as pd

        flow = [(row.step, row.n_left) for row in self.cohort.flow]
        found = estimate(self.cohort.judgements, self.cohort.times, flow, self.cohort.study)
        return pd.DataFrame(json.loads(analysis_files((), found)["estimates.json"]))

    def findings(self, subject_id: str) -> tuple[AnyFinding, ...]:
        """Every finding about one person; `KeyError` when nobody has this id."""
        found = self.cohort.findings_of(subject_id)
        if found is None:
            raise KeyError("no such person")
        return found[1]

    def _table(self, name: str) -> pd.DataFrame:
        return _read(self._files[name])


def load_study(name: str | Path, **parameters: object) -> StudyFolder:
    """Read a study by name or path; keyword arguments win over its parameters.

    `StudyError` when the folder or a parameter cannot be used.
    """
    return read_study(name, {key: str(value) for key, value in parameters.items()})


def build(study: StudyFolder, source: str | Path) -> CohortFrames:
    """Map and judge everybody in `source`: the output folder of a run, or a folder with NDJSON files or Bundles.

    `IncompleteError` when files are damaged, `UsageError` when the folder holds no FHIR resources.
    """
    path = Path(source)
    if OutputFolder(path).store.exists():
        with Store.reopen(OutputFolder(path).store) as store:
            if store.last_run() != store.last_complete_run():
                raise UsageError("the last fetch into this folder is incomplete", "run `fhir-adapter fetch` again")
            return CohortFrames(build_cohort(store, study))
    with (
        tempfile.TemporaryDirectory() as beside,
        Store.open(Path(beside) / "landing.sqlite", f"folder:{path}") as store,
    ):
        with reached(Settings(folder=path), _NO_CLOCK, Progress()) as land:
            land(store).require_complete()
        return CohortFrames(build_cohort(store, study))


def _read(table: bytes) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(io.BytesIO(table))
