"""The whole job on invented patients: a FHIR server on loopback, the fixtures, and the study's published numbers."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from fhir_adapter.analysis import published
from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.mapping.study import find_study, read_study
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline import run
from fhir_adapter.pipeline.build import build
from fhir_adapter.pipeline.loading import load_fixtures
from fhir_adapter.progress import Progress
from fhir_adapter.sandbox import Sandbox
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

STUDY = "bsab-cart-dlbcl"
# The sandbox repeats a page's last entry on the next page, as servers do when rows move while one reads.
_PAGE_SIZE, _OVERLAP = 100, 1


@dataclass(frozen=True)
class CutCompared:
    """One data cut: every published figure beside the computed one, and where the results are."""

    cut: date
    rows: tuple[published.Compared, ...]
    out: Path


def demo(out: Path, started_at: str, say: Progress) -> tuple[CutCompared, ...]:
    """Load the fixtures into a server of our own and do with it what `run` does with any server, for every data cut."""
    with Sandbox(page_size=_PAGE_SIZE, overlap=_OVERLAP) as sandbox:
        say(f"a FHIR server is listening at {sandbox.base_url}")
        loaded = load_fixtures(sandbox.base_url)
        say(f"{loaded} Bundles of invented patients were loaded into it")
        return tuple(_compare(sandbox.base_url, path, out, started_at, say) for path in _published())


def _published() -> list[Path]:
    """The tables of published numbers, one for each data cut, the earliest first."""
    return sorted((find_study(STUDY) / "published").glob("*.csv"))


def _compare(base_url: str, table: Path, out: Path, started_at: str, say: Progress) -> CutCompared:
    cut = table.stem
    folder = out / cut
    # Every demonstration has a server of its own, so what an earlier one fetched belongs to another source.
    shutil.rmtree(OutputFolder(folder).store.parent, ignore_errors=True)
    say(f"data cut {cut}: fetch, build, analyse, report, publish, read back")
    settings = Settings(server=base_url, study=STUDY, set={"data_cut": cut}, out=folder, page_size=_PAGE_SIZE)
    results = run(settings, started_at, say)
    rows = published.parse(table.read_text(encoding="utf-8"), table.name)
    others = {given: _estimates(settings, given) for given in published.settings(rows) if given}
    return CutCompared(date.fromisoformat(cut), published.compare({(): results.estimates, **others}, rows), folder)


def _estimates(settings: Settings, given: tuple[str, ...]) -> tuple[Estimate, ...]:
    """The estimates under the other parameters for which a figure was published, from what was fetched."""
    parameters: Mapping[str, str] = dict(one.split("=", 1) for one in given)
    folder = read_study(settings.study, {**settings.set, **parameters})
    with Store.reopen(OutputFolder(settings.out).store) as store:
        cohort = build(store, folder)
    flow = [(row.step, row.n_left) for row in cohort.flow]
    return estimate(cohort.people, cohort.times, flow, folder.study)
