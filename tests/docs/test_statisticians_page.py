"""The examples of the page for statisticians work on what a run leaves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from pages import page
from whole_runs import STUDY12, succeed

PAGE = page("docs/how-to/for-statisticians.md")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the results of the reference study in `out`."""
    home = tmp_path_factory.mktemp("statistics")
    succeed("run", "--folder", STUDY12, "--out", home / "out")
    return home


def test_every_file_of_the_page_is_there(home: Path) -> None:
    named = [name for row in PAGE.rows() for name in re.findall(r"`([\w./]+)`", row[1])]
    assert len(named) > 7
    assert [name for name in named if not (home / "out" / name).is_file()] == []


def test_every_code_that_occurs_is_in_the_codebook(home: Path) -> None:
    codebook = json.loads((home / "out/analysis/codebook.json").read_bytes())
    files = {path.stem: path for path in home.glob("out/*/*.parquet")}
    assert sorted(files) == sorted({one["table"] for one in codebook})
    seen = 0
    for one in (one for one in codebook if one["codes"]):
        cells = pd.read_parquet(files[one["table"]], columns=[one["name"]])[one["name"]].explode().dropna()
        assert {str(cell) for cell in cells} <= set(one["codes"]), one["name"]
        seen += len(cells)
    assert seen > 500


def test_the_lines_of_python_join_the_tables(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    names: dict[str, Any] = {}
    (code,) = PAGE.blocks("python")
    exec(compile(code, "page", "exec"), names)
    pfs = names["pfs"]
    assert (len(pfs), int((pfs["CNSR"] == 0).sum())) == (12, 5)
    assert pfs["washout_days"].median() == 42


def test_the_query_counts_the_events_of_each_group(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    (query,) = PAGE.blocks("sql")
    found = {row[0]: row[1] for row in duckdb.sql(query).fetchall()}
    assert found == {"refractory": 8, "relapsed": 4}


def test_what_the_lines_of_r_name_is_in_the_table(home: Path) -> None:
    (code,) = PAGE.blocks("r")
    columns = (home / "out/analysis/adtte.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert set(re.findall(r"\b[A-Z]{4,}\b", code)) <= set(columns)
