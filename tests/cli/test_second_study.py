"""A second study, from the FHIR resources of invented people to its results, against answers worked out by hand.

`fixtures/myeloma/answers.csv` and `statistics.csv` give every answer with its reason; nothing here computes one.
"""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from whole_runs import ROOT, command

MYELOMA = ROOT / "fixtures" / "myeloma"
MONTH_DAYS = 30.4375


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


ANSWERS = table(MYELOMA / "answers.csv")
STATISTICS = table(MYELOMA / "statistics.csv")
TIMES = ("PFS", "OS", "DOR")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("myeloma") / "out"
    bundles = str(MYELOMA / "bundles")
    ended = command("run", "--study", "bsab-cart-myeloma", "--folder", bundles, "--out", str(folder), "-q")
    assert ended.code == 0, ended.told
    return folder


def by_person(rows: list[dict[str, str]], key: str = "") -> dict[tuple[str, str], dict[str, str]]:
    return {(row["subject_id"], row[key] if key else ""): row for row in rows}


def asked(*questions: str, among: bool = True) -> list[Any]:
    rows = [row for row in ANSWERS if (row["question"] in questions) is among]
    return [pytest.param(row, id=f"{row['id']} {row['question']}") for row in rows]


def grades() -> list[str]:
    return [row["question"] for row in ANSWERS if row["question"].endswith("decreased") or row["question"] == "Anemia"]


@pytest.mark.parametrize("answer", asked(*TIMES, "leaves", *grades(), among=False))
def test_what_is_said_about_every_person_is_what_was_worked_out(out: Path, answer: dict[str, str]) -> None:
    row = by_person(table(out / "cohort" / "subjects.csv"))[answer["id"], ""]
    said, question = row[answer["question"]], answer["question"]
    if " to " in answer["answer"]:
        assert said == ""
        said = f"{row[f'{question}_min']} to {row[f'{question}_max']}"
    assert said == answer["answer"], answer["reason"]


@pytest.mark.parametrize("answer", asked(*TIMES))
def test_every_time_is_what_was_worked_out(out: Path, answer: dict[str, str]) -> None:
    """`366+` is censored on day 366."""
    times = by_person(table(out / "analysis" / "event_times.csv"), "endpoint")
    row = times[answer["id"], answer["question"]]
    assert row["days"] + ("" if row["event"] == "1" else "+") == answer["answer"], answer["reason"]


def test_nobody_has_a_duration_of_response_who_did_not_respond(out: Path) -> None:
    found = {row["subject_id"] for row in table(out / "analysis" / "event_times.csv") if row["endpoint"] == "DOR"}
    assert found == {row["id"] for row in ANSWERS if row["question"] == "DOR"}


@pytest.mark.parametrize("answer", asked(*grades()))
def test_every_laboratory_grade_is_what_was_worked_out(out: Path, answer: dict[str, str]) -> None:
    found = by_person(table(out / "cohort" / "toxicities.csv"), "term")[answer["id"], answer["question"]]
    assert found["grade"] == answer["answer"], answer["reason"]


def test_who_leaves_where_and_why_is_what_was_worked_out(out: Path) -> None:
    flow = table(out / "cohort" / "flow.csv")
    left = {f"{row['step']} {row['reason']}": int(row["n_out"]) for row in flow if row["reason"]}
    expected = [row["answer"] for row in ANSWERS if row["question"] == "leaves"]
    assert left == {one: expected.count(one) for one in expected}
    included = {row["subject_id"] for row in table(out / "cohort" / "subjects.csv")}
    assert included == {row["id"] for row in ANSWERS if row["question"] == "best_response"}


@pytest.mark.parametrize("expected", STATISTICS, ids=[row["id"] for row in STATISTICS])
def test_every_statistic_is_what_was_worked_out(out: Path, expected: dict[str, str]) -> None:
    estimates = json.loads((out / "analysis" / "estimates.json").read_text(encoding="utf-8"))
    (found,) = [one for one in estimates if one["id"] == expected["id"]]
    answer = expected["answer"]
    if answer == "not reached":
        assert found["not_reached"]
    elif found["denominator"] is not None:
        assert f"{found['numerator']}/{found['denominator']}" == answer, expected["reason"]
    elif answer.endswith(" days"):
        assert found["value"] * MONTH_DAYS == pytest.approx(int(answer.removesuffix(" days"))), expected["reason"]
    else:
        assert found["value"] == pytest.approx(float(Fraction(answer))), expected["reason"]


def test_the_protein_is_among_the_laboratory_values_in_one_unit(out: Path) -> None:
    rows = [row for row in table(out / "cohort" / "labs.csv") if row["observable"] == "m-protein"]
    assert [(row["value"], row["unit"], row["as_reported"]) for row in rows] == [
        ("24", "g/L", "2.4 g/dL"),
        ("1", "g/L", "1 g/L"),
    ]


def test_nothing_was_left_unread(out: Path) -> None:
    assert table(out / "cohort" / "unmapped.csv") == []
    assert {row["reason"] for row in table(out / "cohort" / "rejects.csv")} == {"status-not-done"}


def test_the_report_speaks_of_myeloma_and_of_no_score_of_lymphoma(out: Path) -> None:
    page = (out / "report" / "index.html").read_text(encoding="utf-8")
    assert "multiple myeloma" in page
    assert "Very good partial response or better" in page
    for word in ("International Prognostic Index", "extranodal site", "Bulky", "Lugano"):
        assert word not in page
    assert "sCR, CR, VGPR, PR or MR" in page
