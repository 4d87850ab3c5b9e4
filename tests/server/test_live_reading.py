"""The study read from a live server: the numbers that are published, or a sentence about what is missing."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from live import People
from whole_runs import ROOT, answers, command, estimates, succeed

from fhir_adapter.analysis import published
from fhir_adapter.cohort.estimate import Estimate

PUBLISHED = sorted((ROOT / "mappings/bsab-cart-dlbcl/published").glob("*.csv"))


@pytest.fixture(scope="session")
def read(hospital: People, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run over the people of the study leaves; over everybody, where the server can be read as a whole."""
    out = tmp_path_factory.mktemp("read") / "out"
    succeed("run", *hospital.widest_source, "--no-publish", "--out", out)
    return out


def test_the_answers_are_those_that_the_files_give(hospital: People, read: Path, from_files: Path) -> None:
    assert estimates(read) == estimates(from_files)
    if not hospital.places:  # under other ids the rows of the tables have other names
        assert as_first_versions(answers(read)) == as_first_versions(answers(from_files))


def as_first_versions(files: dict[str, bytes]) -> dict[str, bytes]:
    """Where a server calls its versions by UUIDs, the files call the same ones 1; so does what is computed from them.

    The Parquet tables say what the CSV tables do.
    """
    read = {name: content for name, content in files.items() if not name.endswith(".parquet")}
    named = {name: re.sub(rb"/_history/[0-9a-f-]{36}", b"/_history/1", content) for name, content in read.items()}
    return {name: re.sub(rb'("evidence": ")[0-9a-f]+-', rb"\1", content) for name, content in named.items()}


@pytest.mark.parametrize("table", PUBLISHED, ids=lambda path: path.stem)
def test_the_published_figures_come_out_at_both_data_cuts(read: Path, out: Path, table: Path) -> None:
    shutil.copytree(read, out, symlinks=True)
    succeed("analyze", "--out", out, "--set", f"data_cut={table.stem}")
    found = [Estimate.model_validate(one) for one in json.loads((out / "analysis" / "estimates.json").read_bytes())]
    rows = [row for row in published.parse(table.read_text(encoding="utf-8")) if not row.settings]
    compared = published.compare({(): found}, rows)
    assert len(compared) > 20
    assert [row for row in compared if not row.same] == []


def test_pages_are_followed_to_the_end_or_the_run_says_that_something_is_missing(hospital: People, out: Path) -> None:
    """Observations of one person in pages of 25: 122 and more of them."""
    one = out.with_name("one.txt")
    one.write_text(hospital.ids.read_text(encoding="utf-8").splitlines()[0], encoding="utf-8")
    ended = command("run", *hospital.live.source, "--patients", one, "--page-size", 25, "--no-publish", "--out", out)
    if hospital.live.pages:
        assert ended.code == 0, ended.told
        assert len((out / "cohort" / "labs.csv").read_text(encoding="utf-8").splitlines()) > 50
    else:
        assert ended.code == 5, ended.told
        assert "Observation" in ended.err
        assert not (out / "cohort").exists()


def test_check_says_how_each_type_will_be_fetched_and_what_would_be_lost(hospital: People) -> None:
    ended = command("check", *hospital.live.source)
    for type in ("Patient", "Condition", "MedicationAdministration", "Observation", "Procedure", "AdverseEvent"):
        assert re.search(rf"^ok +{type} ", ended.out, re.MULTILINE), ended.out
    lost = re.findall(r"^FAIL +(.+?)  ", ended.out, re.MULTILINE)
    assert lost == ([] if hospital.live.pages else ["paging"]), ended.out
    assert (ended.code == 0) is hospital.live.pages
