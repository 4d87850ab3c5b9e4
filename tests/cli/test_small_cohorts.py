"""Nobody, or one person, in the cohort: no error, and a report that says what cannot be estimated."""

from __future__ import annotations

import csv
import json
import re
from html import unescape
from pathlib import Path

import pytest
from whole_runs import Ended, bundles, command, estimates, people, resources, write_ndjson

SURVIVAL = ("pfs.12m", "os.12m", "pfs.median", "os.median")


def ran(folder: Path, out: Path) -> Ended:
    ended = command("run", "--folder", folder, "--out", out)
    assert ended.code == 0, ended.told
    return ended


def page(out: Path) -> str:
    """The words of the report."""
    html = (out / "report" / "index.html").read_text(encoding="utf-8")
    return " ".join(unescape(re.sub(r"<(style|svg).*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)).split())


def reports(out: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_bytes()) for path in sorted((out / "publish").glob("MeasureReport-*.json"))]


@pytest.fixture(scope="module")
def nobody(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a Patient about whom nothing is known."""
    home = tmp_path_factory.mktemp("nobody")
    write_ndjson(home / "in" / "Patient.ndjson", [{"resourceType": "Patient", "id": "p1", "gender": "female"}])
    assert "0 of 1 Patients are in the cohort" in ran(home / "in", home / "out").out
    return home / "out"


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person of the study, followed to the end without an event."""
    home = tmp_path_factory.mktemp("one")
    write_ndjson(home / "in" / "everything.ndjson", resources(bundles("SYN-01", "shared")))
    assert "1 of 2 Patients are in the cohort" in ran(home / "in", home / "out").out
    return home / "out"


def test_an_empty_cohort_has_every_file_with_its_columns(nobody: Path) -> None:
    assert people(nobody) == []
    for name in ("subjects", "doses", "responses", "labs", "toxicities"):
        header = (nobody / "cohort" / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        assert len(header) == 1
        assert header[0].startswith("subject_id,")
    assert len((nobody / "analysis" / "event_times.csv").read_text(encoding="utf-8").splitlines()) == 1


def test_an_empty_cohort_says_where_everybody_left(nobody: Path) -> None:
    with (nobody / "cohort" / "flow.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["n_out"]) for row in rows) == 1
    assert rows[-1]["n_left"] == "0"


def test_an_empty_cohort_estimates_nothing_and_says_so(nobody: Path) -> None:
    found = estimates(nobody)
    for id in SURVIVAL:
        assert found[id]["value"] is None
        assert found[id]["not_estimable"]
        assert not found[id]["not_reached"]
    for one in found.values():
        assert one["value"] in (None, 0) or one["endpoint"] == "attrition", one["id"]
        assert one["value"] is not None or one["not_estimable"], one["id"]
    assert found["baseline.n"]["value"] == 0


def test_an_empty_cohort_still_makes_a_report_and_documents(nobody: Path) -> None:
    assert "not estimable" in page(nobody) or "cannot be estimated" in page(nobody)
    assert len(reports(nobody)) == 13
    assert "NaN" not in json.dumps(reports(nobody))


def test_one_person_is_described_and_nothing_is_invented(one: Path) -> None:
    found = estimates(one)
    assert people(one) == ["SYN-01"]
    assert (found["baseline.n"]["value"], found["response.cr"]["numerator"]) == (1, 1)
    assert found["washout.median"]["value"] == found["washout.median"]["range_low"] == 77
    assert (found["os.median"]["value"], found["os.median"]["not_reached"]) == (None, True)
    assert [round(100 * found["response.cr"][end], 1) for end in ("ci_low", "ci_high")] == [2.5, 100.0]


def test_one_person_makes_a_report_and_documents(one: Path) -> None:
    assert "not reached" in page(one)
    assert len(reports(one)) == 13
    for text in (page(one), json.dumps(reports(one)), json.dumps(estimates(one))):
        assert not re.search(r"\b(NaN|nan|Infinity|inf)\b", text)
