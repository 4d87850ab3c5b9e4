"""Whom the treatments in a folder are about: the same by any parts of the files, whatever a file is called."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapter.ehr import blocks, parts
from fhir_adapter.ehr.compressed import Compression
from fhir_adapter.ehr.discover import Found, discover, holds_only, records_of
from fhir_adapter.ehr.folder import FolderFile
from fhir_adapter.ehr.parts import Part, batches, parts_of
from fhir_adapter.fhir.treatment import Treatment

Resource = dict[str, Any]
TYPES = {"MedicationAdministration", "Procedure"}


def matters(type: str, treatment: Treatment) -> bool:
    concepts = [treatment.code, treatment.medicationCodeableConcept, *treatment.usedCode]
    return any(one and one.text == "wanted" for one in concepts)


def of(person: str, type: str = "MedicationAdministration", **more: Any) -> Resource:
    return {"resourceType": type, "id": f"x-{person}", "subject": {"reference": f"Patient/{person}"}, **more}


def drug(text: str) -> Resource:
    return {"medicationCodeableConcept": {"text": text}}


def patient(id: str, *links: str) -> Resource:
    return {"resourceType": "Patient", "id": id, "link": [{"other": {"reference": f"Patient/{one}"}} for one in links]}


def bundle(*resources: Resource) -> Resource:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}


def written(folder: Path, lines: Iterable[Resource | str], name: str) -> FolderFile:
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines).encode()
    compression: Compression = "gz" if name.endswith(".gz") else ""
    (folder / name).write_bytes(gzip.compress(text) if compression else text)
    return FolderFile(folder / name, name, "ndjson", compression)


def found_in(*some: Part) -> Found:
    return discover(TYPES, matters, some)


people = st.sampled_from("abcdef")
lines = st.lists(
    st.one_of(
        st.builds(lambda person, text: of(person, **drug(text)), people, st.sampled_from(["wanted", "other"])),
        st.builds(lambda person: of(person, "Procedure", code={"text": "wanted"}), people),
        st.builds(lambda person: of(person, "Procedure", usedCode=[{"text": "wanted"}, {"text": "é"}]), people),
        st.builds(lambda person: of(person, "Observation", code={"text": "wanted"}), people),
        st.builds(lambda person: of(person, status={"not": "a code"}, **drug("wanted")), people),
        st.builds(lambda person: bundle(of(person, **drug("wanted")), patient(person)), people),
        st.builds(patient, people, people),
        st.sampled_from(["{broken", "", "[]", "7", '{"resourceType":"Procedure","code":7}']),
    ),
    max_size=25,
)


def expected(some: Iterable[Resource | str]) -> tuple[set[str], set[str]]:
    """As one reads it who takes his time: whom a wanted treatment is about, and who has a Patient."""
    whole = [one for one in some if isinstance(one, dict)]
    whole += [entry["resource"] for one in whole if one["resourceType"] == "Bundle" for entry in one["entry"]]
    wanted = {one["subject"]["reference"][8:] for one in whole if one["resourceType"] in TYPES and "wanted" in str(one)}
    return wanted, {one["id"] for one in whole if one["resourceType"] == "Patient"}


@settings(deadline=None, max_examples=150)
@given(some=lines, count=st.integers(1, 6))
def test_what_is_found_in_all_parts_is_what_is_in_the_file(
    tmp_path_factory: pytest.TempPathFactory, some: list[Resource | str], count: int
) -> None:
    file = written(tmp_path_factory.getbasetemp() / "parts", some, "export.ndjson")
    in_parts = [found_in(Part(file, *one)) for one in blocks.ranges(file.path.stat().st_size, count)]
    whole = found_in(Part(file))
    assert (whole.people, whole.patients) == expected(some)
    assert set().union(*(one.people for one in in_parts)) == whole.people
    assert set().union(*(one.patients for one in in_parts)) == whole.patients
    assert [link for one in in_parts for link in one.links] == whole.links


def test_what_nobody_is_about_is_found_where_it_lies(tmp_path: Path) -> None:
    vial = {"resourceType": "Medication", "id": "m1"}
    file = written(tmp_path, [of("a"), vial, bundle({**vial, "id": "m2"}), patient("a")], "export.ndjson")
    assert [one.id for one in records_of({"Medication"}, [Part(file)])] == ["m1", "m2"]


@pytest.mark.parametrize("name", ["Observation.ndjson", "Observation.ndjson.gz"])
def test_a_file_is_left_out_for_its_name_only_if_it_is_of_that_type_here_and_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_PLACES", 4)
    monkeypatch.setattr(parts, "BLOCK_BYTES", 1_024)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1_024)
    usual = [of(f"p{n}", "Observation") for n in range(1_000)]
    mixed = [*usual[:800], *(of(f"p{n}", **drug("wanted")) for n in range(300))]
    assert holds_only(written(tmp_path / "a", usual, name)) == "Observation"
    assert holds_only(written(tmp_path / "b", mixed, name)) == ""


def test_of_a_small_file_every_line_is_looked_at(tmp_path: Path) -> None:
    usual = [of(f"p{n}", "Observation", note=[{"text": "n" * 1_000}]) for n in range(1_000)]
    assert holds_only(written(tmp_path / "a", usual, "Observation.ndjson")) == "Observation"
    assert holds_only(written(tmp_path / "b", [*usual, of("a", **drug("wanted"))], "Observation.ndjson")) == ""


def test_small_files_are_read_together_and_big_ones_in_parts(tmp_path: Path) -> None:
    small = [written(tmp_path, [patient("a")], f"{n}.ndjson") for n in range(10)]
    big = written(tmp_path, [patient("a")] * 100, "big.ndjson")
    size = small[0].path.stat().st_size
    tasks = list(batches((part for file in (*small, big) for part in parts_of(file, 50 * size)), 5 * size))
    assert [[(part.file.name, part.start, part.stop) for part in task] for task in tasks] == [
        [(f"{n}.ndjson", 0, None) for n in range(5)],
        [(f"{n}.ndjson", 0, None) for n in range(5, 10)],
        [("big.ndjson", 0, 50 * size)],
        [("big.ndjson", 50 * size, 100 * size)],
    ]
