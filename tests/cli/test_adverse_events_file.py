"""Adverse events from the site's own file, through the whole command."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from whole_runs import bundles, command, resources, write_ndjson

HEADER = "person,term,grade,date,scale,source\n"


def rows(out: Path, name: str) -> list[dict[str, str]]:
    with (out / "cohort" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_file_beside_the_server_is_merged_with_what_the_server_says(tmp_path: Path) -> None:
    """SYN-04 has a CRS of grade 1 or 2 on the server; the site's file knows one of grade 3, and one of a stranger."""
    write_ndjson(tmp_path / "in" / "all.ndjson", resources(bundles("SYN-04")))
    (infusion,) = {row["index_date"] for row in _subjects(tmp_path)}
    file = tmp_path / "adverse_events.csv"
    file.write_text(f"{HEADER}SYN-04,CRS,3,{infusion},ASTCT 2019,ward book\nnobody,CRS,1,2024-01-01,,\n", "utf-8")
    config = tmp_path / "site.toml"
    config.write_text(f'adverse_events = "{file}"\n', "utf-8")
    ended = command("build", "--out", tmp_path / "out", "--config", config)
    assert ended.code == 0, ended.told
    crs = next(row for row in rows(tmp_path / "out", "toxicities.csv") if row["term"].startswith("Cytokine"))
    assert crs["grade"] == "3"
    assert crs["source"].startswith("adverse_events.csv/2/_history/")
    reasons = {row["reason"]: row["count"] for row in rows(tmp_path / "out", "rejects.csv")}
    assert reasons["patient-not-among-the-data"] == "1"
    told = json.loads((tmp_path / "out" / "run.json").read_bytes())["asked"]
    assert told["adverse_events"] == str(file)
    assert len(told["sha256"]) == 64
    explained = command("explain", "SYN-04", "--out", tmp_path / "out")
    assert "adverse_events.csv/2" in explained.out


def _subjects(home: Path) -> list[dict[str, str]]:
    ended = command("run", "--folder", home / "in", "--no-publish", "--out", home / "out")
    assert ended.code == 0, ended.told
    return rows(home / "out", "subjects.csv")
