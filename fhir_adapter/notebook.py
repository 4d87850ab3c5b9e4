"""The same stages for notebooks: studies, cohorts and estimates as DataFrames, curves as figures.

import fhir_adapter as fa

study = fa.load_study("bsab-cart-dlbcl", data_cut="2025-02-24")
cohort = fa.build(study, "exports/2025-02")     # a folder with NDJSON or Bundles, or the output folder of a run
cohort.subjects                                 # one row per included person
cohort.survival_figure("PFS")                   # shown by the notebook
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.analysis.survival import Curve, curve
from fhir_adapter.cohort.estimate import Endpoint
from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.errors import UsageError
from fhir_adapter.judging.batch import FINDINGS
from fhir_adapter.mapping.study import StudyFolder, read_study
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline.build import Cohort
from fhir_adapter.pipeline.build import build as build_cohort
from fhir_adapter.pipeline.fetch import reached
from fhir_adapter.progress import Progress
from fhir_adapter.publish.analysis_tables import analysis_files
from fhir_adapter.publish.places import InMemory
from fhir_adapter.report.figures import survival_figure
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_NO_CLOCK = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class CohortFrames:
    """A judged cohort as DataFrames; the columns are those of `docs/reference/outputs.md`.

    Dates are text, as exact as known, but for the tables of the analysis, whose dates are dates. Unknown is NaN or
    None. Each table is made when it is first asked for. The printed form counts people and shows nobody.
    """

    cohort: Cohort
    _tables: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"<cohort of {len(self.cohort.people)} people, {self.cohort.tallies.excluded} not included>"

    @cached_property
    def _analysis(self) -> Mapping[str, bytes]:
        flow = [(row.step, row.n_left) for row in self.cohort.flow]
        found = estimate(self.cohort.people, self.cohort.times, flow, self.cohort.study)
        return analysis_files(self.cohort.times, found, self.cohort.study)

    @cached_property
    def subjects(self) -> pd.DataFrame:
        """One row per included person; days and years in whole numbers."""
        return _read_csv(self._tables["subjects.csv"])

    @cached_property
    def flow(self) -> pd.DataFrame:
        """One row per step and reason of the attrition; people before, leaving and left."""
        return _read_csv(self._tables["flow.csv"])

    @cached_property
    def toxicities(self) -> pd.DataFrame:
        """One row per person and term; grades 0 to 5, limits and values in the unit of the row."""
        return _read_csv(self._tables["toxicities.csv"])

    @cached_property
    def doses(self) -> pd.DataFrame:
        """One row per drug administration; amounts in the unit of the row, as recorded."""
        return _read_csv(self._tables["doses.csv"])

    @cached_property
    def responses(self) -> pd.DataFrame:
        """One row per response assessment."""
        return _read_csv(self._tables["responses.csv"])

    @cached_property
    def labs(self) -> pd.DataFrame:
        """One row per laboratory result, in the canonical unit of its observable."""
        return _read_csv(self._tables["labs.csv"])

    @cached_property
    def event_times(self) -> pd.DataFrame:
        """One row per person and endpoint; times in whole days, `event` 1 or 0."""
        return _read_csv(self._analysis["event_times.csv"])

    @cached_property
    def adtte(self) -> pd.DataFrame:
        """The same in the shape of CDISC ADTTE: AVAL in days, CNSR 0 for an event and 1 for none."""
        return _read_parquet(self._analysis["adtte.parquet"])

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """One row per statistic; ratios as fractions with unit `1`, times in the row's unit."""
        return _read_parquet(self._analysis["estimates.parquet"])

    @cached_property
    def codebook(self) -> pd.DataFrame:
        """One row per column of the tables for statisticians: label, unit, type, code list."""
        return _read_csv(self._analysis["codebook.csv"])

    def survival(self, endpoint: str) -> pd.DataFrame:
        """The Kaplan-Meier curve of an endpoint, one row per day on which it or the number at risk changes.

        Columns: `time` in days from 0, `survival`, `ci_low` and `ci_high` as fractions from 0 to 1, and the people
        `at_risk` just before, with an event (`events`) and `censored`. No rows when nobody has a time in days.
        `KeyError` for an endpoint that there is not.
        """
        import pandas as pd

        names = ("time", "survival", "ci_low", "ci_high", "at_risk", "events", "censored")
        known = self._curve(endpoint)
        steps = known.steps if known else ()
        return pd.DataFrame([[getattr(step, name) for name in names] for step in steps], columns=list(names))

    def survival_figure(self, *endpoints: str) -> Figure:
        """A matplotlib figure with the Kaplan-Meier curves of these endpoints (PFS and OS when none is named).

        Months on the axis, the interval shaded, people censored as ticks, people at risk below. `KeyError` for an
        endpoint that there is not.
        """
        curves = {endpoint: self._curve(endpoint) for endpoint in endpoints or ("PFS", "OS")}
        return survival_figure(curves, float(self.cohort.study.parameters.month_days))

    def findings(self, subject_id: str) -> tuple[AnyFinding, ...]:
        """Every finding about one person; `KeyError` when nobody has this id."""
        found = next((one for one in self.cohort.told if subject_id in one.patient_ids), None)
        if found is None:
            raise KeyError("no such person")
        return found.unpacked().findings

    def _curve(self, name: str) -> Curve | None:
        endpoint: Endpoint | None = next((one for one in get_args(Endpoint) if one == name), None)
        if endpoint is None:
            raise KeyError(f"no such endpoint; there are {', '.join(get_args(Endpoint))}")
        return curve(self.cohort.times, endpoint, self.cohort.study)


def load_study(name: str | Path, *, conceptmaps: str | Path | None = None, **parameters: object) -> StudyFolder:
    """Read a study by name or path; keyword arguments win over its parameters.

    `conceptmaps` is the folder of the site's own ConceptMaps. `StudyError` when a folder or a parameter cannot be used.
    """
    maps = Path(conceptmaps) if conceptmaps else None
    return read_study(name, {key: str(value) for key, value in parameters.items()}, maps)


def build(study: StudyFolder, source: str | Path) -> CohortFrames:
    """Map and judge everybody in `source`: the output folder of a run, or a folder with NDJSON files or Bundles.

    `IncompleteError` when files are damaged, `UsageError` when the folder holds no FHIR resources.
    """
    path = Path(source)
    if OutputFolder(path).store.exists():
        with Store.reopen(OutputFolder(path).store) as store:
            if store.last_run() != store.last_complete_run():
                raise UsageError("the last fetch into this folder is incomplete", "run `fhir-adapter fetch` again")
            return _frames(store, study)
    with (
        tempfile.TemporaryDirectory() as beside,
        Store.open(Path(beside) / "landing.sqlite", f"folder:{path}") as store,
    ):
        with reached(Settings(folder=path), _NO_CLOCK, Progress()) as land:
            land(store).require_complete()
        return _frames(store, study)


def _frames(store: Store, study: StudyFolder) -> CohortFrames:
    tables = InMemory()
    cohort = build_cohort(store, study, place=tables, whole=True)
    del tables.files[FINDINGS]  # most of what is written, and told of each person by the cohort itself
    return CohortFrames(cohort, tables.files)


def _read_csv(table: bytes) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(io.BytesIO(table))


def _read_parquet(table: bytes) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(io.BytesIO(table))
