"""A folder is read by several processes as by one: the same store and the same ledger."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_runs import bundles, by_type, resources, write_ndjson

from fhir_adapter.ehr import blocks, parts
from fhir_adapter.ehr.folder import scan
from fhir_adapter.engine import Engine, Serial, opened
from fhir_adapter.pipeline.fetching.folder import land_folder
from fhir_adapter.pipeline.fetching.landing import Fetched
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

STARTED = "2025-06-01T08:00:00Z"


@pytest.fixture(scope="module")
def processes() -> Iterator[Engine]:
    with opened("processes", 2) as engine:
        yield engine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NDJSON with a line that cannot be read in the middle of a file, a cut file, and Bundles."""
    folder = tmp_path_factory.mktemp("in")
    for type, some in by_type(resources(bundles("SYN-01", "SYN-05", "SYN-12", "shared"))).items():
        write_ndjson(folder / f"{type}.ndjson", some)
    observations = folder / "Observation.ndjson"
    found = observations.read_bytes().splitlines(keepends=True)
    odd = b'{"resourceType":"Observation","id":"nobody"}\n'
    observations.write_bytes(b"".join([*found[:40], b"{broken\n", odd, *found[40:], odd]))
    conditions = folder / "Condition.ndjson"
    conditions.write_bytes(conditions.read_bytes()[:-20])
    for path in bundles("SYN-03", "SYN-10"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def landed(folder: Path, out: Path, engine: Engine) -> tuple[Fetched, str]:
    settings = Settings(folder=folder, out=out, unreadable_lines=1)
    with Store.open(out / "store.db", settings.source) as store:
        fetched = land_folder(list(scan(folder)), settings, store, STARTED, Progress(), engine=engine)
        return fetched, store.content_hash()


def test_processes_land_what_one_does(
    folder: Path, tmp_path: Path, processes: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 4_000)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1_024)
    serial = landed(folder, tmp_path / "a", Serial())
    assert landed(folder, tmp_path / "b", processes) == serial
    told = {stream.stream: stream for stream in serial[0].ledger}
    assert told["Observation.ndjson"].quarantined == 1
    assert told["Observation.ndjson"].reason == "2 resources that name no patient were left out"
    assert "ends in the middle of a line" in told["Condition.ndjson"].reason


@pytest.mark.parametrize(
    "modules",
    [
        "fhir_adapter.ehr.discover, fhir_adapter.ehr.gather, fhir_adapter.mapping.treatments",
        "fhir_adapter.pipeline.fetch",
    ],
    ids=["for others", "for itself"],
)
def test_who_reads_a_folder_imports_nothing_heavy(modules: str) -> None:
    heavy = {"pandas", "numpy", "lifelines", "matplotlib", "httpx", "fhir.resources", "joserfc", "rich"}
    asked = f"import sys, {modules}; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert heavy.isdisjoint(told.stdout.split())
