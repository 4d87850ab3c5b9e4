"""The charts of the invented people with myeloma: written from their tables, valid FHIR, everybody with an answer."""

from __future__ import annotations

import csv
import filecmp
import json
import subprocess
import sys
from pathlib import Path

import pytest
from fhir.resources.R4B import get_fhir_model_class

FIXTURES = Path(__file__).parents[2] / "fixtures"
MYELOMA = FIXTURES / "myeloma"
BUNDLES = sorted((MYELOMA / "bundles").glob("*.json"))


def rows(name: str) -> list[dict[str, str]]:
    with (MYELOMA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_generator_writes_the_files_that_are_checked_in(tmp_path: Path) -> None:
    program = "from pathlib import Path; from generator.chart import write_charts; write_charts(Path('{}'), Path('{}'))"
    filled = program.format((MYELOMA / "tables").as_posix(), tmp_path.as_posix())
    subprocess.run([sys.executable, "-c", filled], check=True, cwd=FIXTURES)
    names = [path.name for path in BUNDLES]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert filecmp.cmpfiles(MYELOMA / "bundles", tmp_path, names, shallow=False) == (names, [], [])


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_every_resource_is_valid_and_belongs_to_its_person(path: Path) -> None:
    entries = json.loads(path.read_text(encoding="utf-8"))["entry"]
    for entry in entries:
        record = entry["resource"]
        get_fhir_model_class(record["resourceType"]).model_validate(record)
        assert entry["request"]["url"] == f"{record['resourceType']}/{record['id']}"
        subject = record.get("subject", {}).get("reference", f"Patient/{record['id']}")
        assert subject == f"Patient/{path.stem}"


def test_everybody_has_answers_with_reasons() -> None:
    answers = rows("answers.csv")
    people = {row["id"] for row in rows("tables/people.csv")}
    assert {row["id"] for row in answers} == people
    assert len({row["id"] for row in answers if row["question"] == "best_response"}) >= 8
    assert all(row["reason"] and row["answer"] for row in [*answers, *rows("statistics.csv")])
    asked = [(row["id"], row["question"]) for row in answers]
    assert len(set(asked)) == len(asked)


def test_nothing_that_has_to_come_out_is_written_in_the_charts() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in BUNDLES)
    for word in ("refractory", "relapsed", "washout", "best response"):
        assert word not in text
