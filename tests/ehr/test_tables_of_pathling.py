"""Folders of Parquet and Delta tables that Pathling has written: the same study, and nothing lost in silence."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from whole_runs import ROOT, Ended, Resource, bundles, by_type, command, files, resources, write_ndjson

from fhir_adapter.ehr.folder import read_pages, scan
from fhir_adapter.ehr.gather import Search
from fhir_adapter.ehr.parquet import CONTAINED, CUT, LEFT_OUT, read_rows
from fhir_adapter.ehr.parts import Part
from fhir_adapter.errors import StreamIncomplete, UsageError
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.store import Store

TABLES = ROOT / "fixtures" / "pathling" / "parquet"
DELTA = ROOT / "fixtures" / "pathling" / "delta"
TYPES = [path.name.split(".")[0] for path in sorted(TABLES.iterdir())]
NOT_KEPT = ("contained", "modifierExtension")
INSTANTS = {"issued", "lastUpdated"}
TOLD = ("subjects.csv", "doses.csv", "responses.csv", "labs.csv", "toxicities.csv", "contradictions.csv", "flow.csv")
QUANTITY = pa.struct(
    {"value": pa.decimal128(32, 6), "value_scale": pa.int32(), "unit": pa.string(), "_fid": pa.int32()}
)


def written() -> list[Resource]:
    """The resources of which the tables were made."""
    stories = sorted((ROOT / "fixtures" / "background").glob("*.json"))
    return [one for one in resources([*bundles(), *stories]) if one["resourceType"] in TYPES]


def as_kept(value: Any, name: str = "") -> Any:
    """What Pathling keeps of a resource: nothing contained, no modifiers, nothing beside a value, instants in UTC."""
    if isinstance(value, dict):
        kept = {key: as_kept(part, key) for key, part in value.items() if key not in NOT_KEPT and key[0] != "_"}
        return {key: part for key, part in kept.items() if part not in ({}, [])}
    if isinstance(value, list):
        return [as_kept(one) for one in value]
    return datetime.fromisoformat(value).astimezone(UTC).isoformat() if name in INSTANTS else value


def run(folder: Path, out: Path, *settings: str) -> Ended:
    config = out.with_suffix(".toml")
    config.write_text("\n".join([f'folder = "{folder}"', f'out = "{out}"', "publish = false", *settings]), "utf-8")
    return command("run", "--config", config)


def table(path: Path, type: str, rows: list[dict[str, Any]], **columns: pa.DataType) -> Path:
    """A table as Pathling lays it out, with the columns that are asked for."""
    schema = pa.schema({"id": pa.string(), "meta": pa.struct({"versionId": pa.string()}), **columns})
    path.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path / f"{type}.00000.parquet")
    return path


def test_a_row_is_the_resource_that_it_was_made_of() -> None:
    expected = {f"{one['resourceType']}/{one['id']}": as_kept(one) for one in written()}
    found = {}
    for file in scan(TABLES):
        for row in read_rows(file.path, file.type):
            one = json.loads(row.text, parse_float=str)  # with its decimals
            found[f"{one['resourceType']}/{one['id']}"] = as_kept(one)
    assert found == json.loads(json.dumps(expected), parse_float=str)


def test_the_study_comes_out_the_same_but_for_what_is_not_in_the_tables(tmp_path: Path) -> None:
    ended = run(TABLES, tmp_path / "tables", "unreadable_lines = 4")
    assert ended.code == 0, ended.told
    kept = [
        {key: part for key, part in one.items() if key not in NOT_KEPT} for one in written() if "contained" not in one
    ]
    for type, some in by_type(kept).items():
        write_ndjson(tmp_path / "in" / f"{type}.ndjson", some)
    assert run(tmp_path / "in", tmp_path / "lines").code == 0
    for name in TOLD:
        assert (tmp_path / "tables" / "cohort" / name).read_bytes() == (
            tmp_path / "lines" / "cohort" / name
        ).read_bytes(), name
    assert len(files(tmp_path / "tables", "cohort")["cohort/subjects.csv"].splitlines()) > 10


def test_a_drug_that_stood_inside_its_record_makes_the_folder_incomplete(tmp_path: Path) -> None:
    ended = run(TABLES, tmp_path / "out")
    assert ended.code == 5
    assert "4 entries cannot be read at all" in ended.told
    with Store.reopen(OutputFolder(tmp_path / "out").store) as store:
        assert [one.reason for one in store.quarantine()] == [CONTAINED] * 4


def test_whoever_was_given_something_unknown_is_read_about(tmp_path: Path) -> None:
    reference = pa.struct({"reference": pa.string()})
    dose = {"id": "d", "subject": {"reference": "Patient/p"}, "medicationReference": {"reference": "#drug"}}
    table(tmp_path / "in", "MedicationAdministration", [dose], subject=reference, medicationReference=reference)
    table(tmp_path / "in", "Patient", [{"id": "p"}, {"id": "q"}])
    ended = run(tmp_path / "in", tmp_path / "out")
    assert ended.code == 5
    assert "1 of 2 Patients" in ended.told


def test_the_report_says_what_tables_cannot_hold(tmp_path: Path) -> None:
    assert run(TABLES, tmp_path / "out", "unreadable_lines = 4").code == 0
    assert LEFT_OUT in (tmp_path / "out" / "report" / "index.html").read_text("utf-8")


@pytest.mark.parametrize("people", [{"SYN-01"}, {"SYN-03", "SYN-08", "nobody"}, set()])
def test_a_few_people_are_found_as_in_all_rows(people: set[str]) -> None:
    for file in scan(TABLES):
        everybody = [one for page in read_pages(file) for one in page.records]
        portions = Search(people, {"Medication"}).portions(Part(file))
        some = [one for portion in portions if portion.page for one in portion.page.records]
        wanted = {*people, ""} if file.type == "Medication" else people
        assert some == [one for one in everybody if one.person in wanted], file.name


def test_a_number_with_more_decimals_than_the_table_holds_is_set_aside(tmp_path: Path) -> None:
    values = [("0.123457", 7), ("0.123456", 6), ("3.000000", 0)]
    rows = [
        {"id": f"o{n}", "valueQuantity": {"value": Decimal(value), "value_scale": scale, "unit": "g"}}
        for n, (value, scale) in enumerate(values)
    ]
    folder = table(tmp_path / "in", "Observation", rows, valueQuantity=QUANTITY)
    (page,) = read_pages(next(scan(folder)))
    assert [(one.reason, one.id) for one in page.quarantined] == [(CUT, "row-1")]
    assert [json.loads(one.body, parse_float=Decimal)["valueQuantity"]["value"] for one in page.records] == [
        Decimal("0.123456"),
        3,
    ]


def test_a_number_may_have_as_many_digits_as_its_column(tmp_path: Path) -> None:
    value = Decimal("12345678901234567890123456.123456")
    row = {"id": "o", "valueQuantity": {"value": value, "value_scale": 6}}
    folder = table(tmp_path / "in", "Observation", [row], valueQuantity=QUANTITY)
    (page,) = read_pages(next(scan(folder)))
    assert str(value).encode() in page.records[0].body


def test_rows_without_an_id_are_set_aside_whoever_is_read_about(tmp_path: Path) -> None:
    reference = pa.struct({"reference": pa.string()})
    dose = {"subject": {"reference": "Patient/p"}, "medicationReference": {"reference": "#drug"}}
    table(tmp_path / "in", "MedicationAdministration", [dose], subject=reference, medicationReference=reference)
    table(tmp_path / "in", "Patient", [{"gender": "male"}], gender=pa.string())
    ended = run(tmp_path / "in", tmp_path / "out")
    assert ended.code == 5
    with Store.reopen(OutputFolder(tmp_path / "out").store) as store:
        assert sorted(one.reason for one in store.quarantine()) == [CONTAINED, "no-id"]


def test_the_value_of_an_extension_is_not_told_twice(tmp_path: Path) -> None:
    extension = pa.struct(
        {"url": pa.string(), "valueCode": pa.string(), "valueString": pa.string(), "_fid": pa.int32()}
    )
    said = [(7, [{"url": "u", "valueCode": "a", "valueString": "a"}, {"url": "v", "valueString": "b"}])]
    columns = {"_fid": pa.int32(), "_extension": pa.map_(pa.int32(), pa.list_(extension))}
    folder = table(tmp_path / "in", "Patient", [{"id": "p", "_fid": 7, "_extension": said}], **columns)
    (row,) = read_rows(folder / "Patient.00000.parquet", "Patient")
    told = [{"url": "u", "valueCode": "a"}, {"url": "v", "valueString": "b"}]
    assert json.loads(row.text) == {"resourceType": "Patient", "id": "p", "extension": told}


def test_a_damaged_table_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    shutil.copytree(TABLES, tmp_path / "in")
    path = tmp_path / "in" / "Observation.00000.parquet"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(StreamIncomplete):
        [*read_pages(next(file for file in scan(tmp_path / "in") if file.type == "Observation"))]
    ended = run(tmp_path / "in", tmp_path / "out", "unreadable_lines = 4")
    assert ended.code == 5
    assert "Parquet" in ended.told


def test_a_table_of_something_else_is_no_folder_of_fhir(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["1"], "price": [2]}), tmp_path / "Observation.parquet")
    with pytest.raises(UsageError, match="no FHIR"):
        scan(tmp_path)


def test_of_a_delta_table_the_newest_version_is_read() -> None:
    assert len(list(DELTA.rglob("*.parquet"))) == 3  # the folder, a file and the one that took its place
    (file,) = scan(DELTA)
    assert file.type == "AdverseEvent"
    (log,) = DELTA.rglob("*1.json")
    assert json.loads(log.read_text().splitlines()[1])["add"]["path"] == file.path.name
    assert sum(len(page.records) for page in read_pages(file)) == 31


@pytest.mark.parametrize("feature", ["deletionVectors", "columnMapping", "somethingNew"])
def test_a_delta_table_that_needs_more_than_its_files_is_refused(feature: str, tmp_path: Path) -> None:
    shutil.copytree(DELTA, tmp_path / "in")
    log = next((tmp_path / "in").rglob("*1.json"))
    needs = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": [feature], "writerFeatures": [feature]}
    log.write_text(log.read_text() + json.dumps({"protocol": needs}) + "\n")
    with pytest.raises(UsageError, match="Delta"):
        scan(tmp_path / "in")


def test_a_delta_table_whose_log_is_damaged_is_refused(tmp_path: Path) -> None:
    shutil.copytree(DELTA, tmp_path / "in")
    next((tmp_path / "in").rglob("*0.json")).write_text('{"protocol"')
    with pytest.raises(UsageError, match="log of a Delta table"):
        scan(tmp_path / "in")
