"""CRS and ICANS from a CSV file that the site keeps beside its server."""

from __future__ import annotations

from pathlib import Path

import pytest
from mapping.hospital import study

from fhir_adapter.cohort.events import AdverseEvent
from fhir_adapter.errors import UsageError
from fhir_adapter.mapping.side_car import SideCar, read_side_car

HEADER = "person,term,grade,date,scale,source\n"


def written(path: Path, rows: str, header: str = HEADER) -> SideCar:
    file = path / "adverse_events.csv"
    file.write_text(header + rows, encoding="utf-8")
    return read_side_car(file, study().reader([]))


def only(path: Path, row: str) -> AdverseEvent:
    (events,) = written(path, row + "\n").events.values()
    (event,) = events
    return event


def test_a_row_is_an_adverse_event_that_says_where_it_comes_from(tmp_path: Path) -> None:
    found = only(tmp_path, "p1,CRS,2,2024-06-05,ASTCT 2019,chart review")
    assert (found.term, found.grade, found.scale, found.carrier) == ("crs", 2, "astct-2019", "side-car")
    assert found.on is not None
    assert found.on.iso == "2024-06-05"
    assert (found.source.reference, found.source.element) == ("adverse_events.csv/2", "chart review")
    assert "from-side-car" in found.flags


@pytest.mark.parametrize(
    ("grade", "bounds"),
    [
        ("0", (0, 0)),
        ("5", (5, 5)),
        ("", (1, 5)),
        ("2-3", (3, 3)),
        ("II", (2, 2)),
        ("G3", (3, 3)),
        ("2级", (2, 2)),
        ("grade 1", (1, 1)),
    ],
)
def test_a_grade_is_read_as_people_write_it(tmp_path: Path, grade: str, bounds: tuple[int, int]) -> None:
    found = only(tmp_path, f"p1,ICANS,{grade},2024-06-05,,")
    assert (found.term, found.grade_min, found.grade_max) == ("icans", *bounds)


@pytest.mark.parametrize(
    ("term", "code"),
    [
        ("Anemia", "anemia"),
        ("10016288", "febrile-neutropenia"),
        ("Platelet count decreased", "platelet-count-decreased"),
    ],
)
def test_every_term_of_the_vocabulary_is_read_by_name_or_meddra_code(tmp_path: Path, term: str, code: str) -> None:
    assert only(tmp_path, f"p1,{term},3,2024-06-05,CTCAE 5.0,").term == code


def test_dates_may_be_partial_and_columns_may_be_left_out(tmp_path: Path) -> None:
    ((_, events),) = written(tmp_path, "Patient/p1,CRS,2024-06\n", header="person,term,date\n").events.items()
    assert events[0].on is not None
    assert (events[0].on.iso, events[0].grade) == ("2024-06", None)


def test_a_file_that_a_spreadsheet_wrote_is_read(tmp_path: Path) -> None:
    file = tmp_path / "adverse_events.csv"
    file.write_bytes(("\ufeff" + HEADER + "p1,细胞因子释放综合征,2,2024-06-05,,\n").replace("\n", "\r\n").encode())
    assert read_side_car(file, study().reader([])).events["p1"][0].grade == 2


@pytest.mark.parametrize(
    "row",
    [
        ",CRS,2,2024-06-05,,",
        "p1,headache of Jane,2,2024-06-05,,",
        "p1,CRS,severe-Jane,2024-06-05,,",
        "p1,CRS,7,2024-06-05,,",
        "p1,CRS,3-2,2024-06-05,,",
        "p1,CRS,2,05.06.2024-Jane,,",
        "p1,CRS,2,2024-06-05,Jane scale,",
    ],
)
def test_a_row_that_cannot_be_read_is_an_error_that_tells_its_line_and_nothing_else(tmp_path: Path, row: str) -> None:
    with pytest.raises(UsageError, match="line 3") as caught:
        written(tmp_path, f"p1,CRS,1,2024-06-05,,\n{row}\n")
    told = caught.value.message + caught.value.hint
    assert "Jane" not in told
    assert "p1" not in told


@pytest.mark.parametrize("header", ["person,grade\n", "term,grade\n", "person,term,grad\n", ""])
def test_columns_that_are_missing_or_misspelled_are_an_error(tmp_path: Path, header: str) -> None:
    with pytest.raises(UsageError):
        written(tmp_path, "p1,CRS\n", header=header)


def test_a_file_that_is_not_there_is_an_error_and_no_file_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_side_car(tmp_path / "missing.csv", study().reader([]))
    assert read_side_car(None, study().reader([])) == SideCar()
