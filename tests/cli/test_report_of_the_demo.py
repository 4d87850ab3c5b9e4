"""The report of a whole run holds the numbers of its files: nothing on the page that the tables do not say."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from whole_runs import Ran

CUTS = ("2025-02-24", "2025-08-01")


@pytest.mark.parametrize("cut", CUTS)
def test_the_boxes_of_the_flow_diagram_add_up_with_the_table_and_the_ledger(demonstrated: Ran, cut: str) -> None:
    out = demonstrated.out / cut
    rows = list(csv.DictReader((out / "cohort" / "flow.csv").read_text("utf-8").splitlines()))
    said = _texts(out / "report" / "flow.svg")
    remaining = [int(text.removeprefix("n = ")) for text in said if text.startswith("n = ")]
    left_after = {row["step"]: int(row["n_left"]) for row in rows}
    assert remaining == [int(rows[0]["n_in"]), *left_after.values()]
    gone = [int(found[1]) for text in said if (found := re.search(r": (\d+)$", text))]
    assert sorted(gone) == sorted(int(row["n_out"]) for row in rows if row["n_out"] != "0")
    assert remaining[0] - sum(gone) == remaining[-1]
    (patients,) = (row for row in _run(out)["ledger"] if row["stream"] == "Patient")
    assert remaining[0] == patients["received"] == patients["stored"] + patients["quarantined"]
    assert remaining[-1] == _run(out)["people"]["included"]


def test_the_page_counts_everything_that_the_tables_of_data_quality_hold(demonstrated: Ran) -> None:
    out = demonstrated.out / CUTS[1]
    page = (out / "report" / "index.html").read_text("utf-8")
    aside = page[page.index("Records set aside") :]
    for row in csv.DictReader((out / "cohort" / "rejects.csv").read_text("utf-8").splitlines()):
        assert f"{row['type']} {row['count']}" in aside
    unknown = page[page.index("Codes and texts that the study does not know") : page.index("Records set aside")]
    listed = list(csv.DictReader((out / "cohort" / "unmapped.csv").read_text("utf-8").splitlines()))
    assert listed
    for row in listed:
        assert f"({row['code']})" in unknown


def test_every_person_of_the_cohort_has_a_lane_and_nobody_else(demonstrated: Ran) -> None:
    out = demonstrated.out / CUTS[1]
    people = [
        row["subject_id"] for row in csv.DictReader((out / "cohort" / "subjects.csv").read_text("utf-8").splitlines())
    ]
    numbers = [str(number) for number in range(1, len(people) + 1)]
    lanes = [text for text in _texts(out / "report" / "swimmer.svg") if text in {*numbers, str(len(people) + 1)}]
    assert set(lanes) >= set(numbers)
    report = b"".join(path.read_bytes() for path in (out / "report").iterdir())
    assert [person for person in people if person.encode() in report] == []


def _texts(figure: Path) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", figure.read_text("utf-8"))


def _run(out: Path) -> dict[str, list[dict[str, int]]]:
    found: dict[str, list[dict[str, int]]] = json.loads((out / "run.json").read_bytes())
    return found
