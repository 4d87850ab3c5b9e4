"""A folder is read about the people whom the study may be about: the same cohort, and everybody else counted."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from whole_runs import ROOT, Ended, Resource, bundles, by_type, command, files, people, resources, succeed, write_ndjson

from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.store import Store

STORIES = sorted((ROOT / "fixtures" / "background").glob("*.json"))
EVERYBODY = 'folder_people = "everybody"'


def one_of_the_study() -> list[Resource]:
    """Everything about one person of the reference study."""
    return [one for one in resources(bundles("SYN-12", "shared")) if one["id"] != "SYN-10"]


def folder_of(path: Path, found: list[Resource]) -> Path:
    for type, some in by_type(found).items():
        write_ndjson(path / f"{type}.ndjson", some)
    return path


def fetched(folder: Path, out: Path, *settings: str) -> Path:
    config = out.with_suffix(".toml")
    config.write_text("\n".join([f'folder = "{folder}"', f'out = "{out}"', *settings]), encoding="utf-8")
    succeed("fetch", "--config", config)
    succeed("build", "--config", config)
    return out


def attrition(out: Path) -> list[dict[str, str]]:
    with (out / "cohort" / "flow.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def treatment(id: str, person: str, **drug: Any) -> Resource:
    return {
        "resourceType": "MedicationAdministration",
        "id": id,
        "status": "completed",
        "subject": {"reference": f"Patient/{person}"},
        "effectiveDateTime": "2024-03-01",
        **drug,
    }


def patient(id: str, **more: Any) -> Resource:
    return {"resourceType": "Patient", "id": id, **more}


def stored_people(out: Path) -> set[str]:
    with Store.reopen(OutputFolder(out).store) as store:
        return store.ids("Patient")


@pytest.mark.parametrize("shape", ["bundles", "ndjson"])
def test_the_cohort_is_the_same_as_if_everybody_were_read(shape: str, tmp_path: Path) -> None:
    paths = [*bundles(), *STORIES]
    folder = tmp_path / "in"
    if shape == "ndjson":
        folder_of(folder, resources(paths))
    else:
        folder.mkdir()
        for path in paths:
            (folder / path.name).write_bytes(path.read_bytes())
    some, all = fetched(folder, tmp_path / "some"), fetched(folder, tmp_path / "all", EVERYBODY)
    told = ("subjects.csv", "doses.csv", "responses.csv", "labs.csv", "toxicities.csv", "contradictions.csv")
    for name in told:
        assert files(some, "cohort")[f"cohort/{name}"] == files(all, "cohort")[f"cohort/{name}"], name
    assert people(some) != []
    assert attrition(some)[0]["n_in"] == attrition(all)[0]["n_in"]
    assert attrition(some)[-1]["n_left"] == attrition(all)[-1]["n_left"]


def test_who_has_no_record_of_the_treatments_is_counted_and_not_stored(tmp_path: Path) -> None:
    others = [patient(f"other-{n}") for n in range(5)]
    doses = [treatment(f"t{n}", f"other-{n}", medicationCodeableConcept={"text": "paracetamol"}) for n in range(5)]
    out = fetched(folder_of(tmp_path / "in", [*one_of_the_study(), *others, *doses]), tmp_path / "o")
    assert stored_people(out) == {"SYN-12"}
    first = attrition(out)[0]
    assert (first["reason"], first["n_in"], first["n_out"]) == ("no_treatment_of_the_study", "6", "5")


BY_REFERENCE = [
    {"resourceType": "Medication", "id": "m1", "code": {"text": "glofitamab 10 mg vial"}},
    treatment("t", "p", medicationReference={"reference": "Medication/m1"}),
]
CELLS = {
    "resourceType": "Procedure",
    "id": "t",
    "status": "completed",
    "subject": {"reference": "Patient/p"},
    "code": {"text": "CAR-T cell infusion"},
}
LOCAL = {"system": "https://hospital.example/drugs", "code": "4711"}
PARACETAMOL = {"system": "http://www.whocc.no/atc", "code": "N02BE01"}
STATED = {**treatment("t", "p"), "resourceType": "MedicationStatement", "status": "active"}


@pytest.mark.parametrize(
    ("records", "read"),
    [
        ([treatment("t", "p", medicationCodeableConcept={"text": "Columvi 格菲妥单抗"})], True),
        ([treatment("t", "p", medicationCodeableConcept={"text": "x"}, status="entered-in-error")], False),
        (BY_REFERENCE, True),
        ([CELLS], True),
        ([{**CELLS, "status": "not-done"}], True),
        ([{**STATED, "medicationCodeableConcept": {"text": "epcoritamab"}}], False),
        ([treatment("t", "p", medicationCodeableConcept={"text": "rituximab"})], False),
        ([treatment("t", "p", medicationCodeableConcept={"coding": [LOCAL], "text": "GLF 10"})], True),
        ([treatment("t", "p", medicationCodeableConcept={"coding": [LOCAL, PARACETAMOL]})], False),
        ([treatment("t", "p", medicationCodeableConcept={"coding": [LOCAL], "text": "rituximab"})], False),
    ],
    ids=[
        *("by its words", "nothing of it", "by reference", "cells", "not done", "weaker evidence", "a partner drug"),
        *("a code of the hospital's own", "beside a code that says it", "beside a name that says it"),
    ],
)
def test_whose_records_name_an_antibody_or_the_cells_is_read_about(
    records: list[Resource], read: bool, tmp_path: Path
) -> None:
    found = [*one_of_the_study(), patient("p"), *records]
    out = fetched(folder_of(tmp_path / "in", found), tmp_path / "o")
    assert ("p" in stored_people(out)) is read


def test_weaker_evidence_counts_where_the_study_accepts_it(tmp_path: Path) -> None:
    stated = {**STATED, "medicationCodeableConcept": {"text": "epcoritamab"}}
    folder = folder_of(tmp_path / "in", [*one_of_the_study(), patient("p"), stated])
    out = fetched(folder, tmp_path / "o", "[set]", 'exposure_evidence = ["administration", "statement"]')
    assert "p" in stored_people(out)


def test_the_other_records_of_a_person_come_along_however_they_are_linked(tmp_path: Path) -> None:
    link = [{"type": "replaced-by", "other": {"reference": "Patient/now"}}]
    found = [
        *one_of_the_study(),
        patient("before", link=link),
        patient("now"),
        patient("seen-also", link=[{"type": "seealso", "other": {"reference": "Patient/before"}}]),
        treatment("t", "before", medicationCodeableConcept={"text": "glofitamab"}),
    ]
    out = fetched(folder_of(tmp_path / "in", found), tmp_path / "o")
    assert stored_people(out) == {"SYN-12", "before", "now", "seen-also"}


def test_of_whom_the_site_says_something_beside_the_folder_is_read_about(tmp_path: Path) -> None:
    side_car = tmp_path / "events.csv"
    side_car.write_text("person,term,grade,date,scale,source\np,CRS,1,2024-05-01,ASTCT 2019,chart\n", encoding="utf-8")
    folder = folder_of(tmp_path / "in", [*one_of_the_study(), patient("p")])
    assert "p" in stored_people(fetched(folder, tmp_path / "o", f'adverse_events = "{side_car}"'))


def test_who_has_the_treatments_no_more_goes_as_if_deleted(tmp_path: Path) -> None:
    given = [patient("p"), treatment("t", "p", medicationCodeableConcept={"text": "glofitamab"})]
    shared = one_of_the_study()
    folder = folder_of(tmp_path / "in", [*shared, *given])
    out = fetched(folder, tmp_path / "o")
    given[1]["medicationCodeableConcept"] = {"text": "paracetamol"}
    folder_of(folder, [*shared, *given])
    assert "p" in stored_people(out)
    assert "p" not in stored_people(fetched(folder, out))


def test_a_hospital_of_whose_codes_none_is_known_is_told_how_to_find_them(tmp_path: Path) -> None:
    drug = {"text": "GLF 10"}
    folder = folder_of(tmp_path / "in", [patient("p"), treatment("t", "p", medicationCodeableConcept=drug)])
    ended: Ended = command("fetch", "--folder", folder, "--out", tmp_path / "o")
    assert ended.code == 0
    assert "read everybody (`folder_people`) and ask `unmapped`" in ended.told


def test_a_file_that_is_cut_is_incomplete_whatever_was_found_before(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", one_of_the_study())
    file = folder / "MedicationAdministration.ndjson"
    file.write_bytes(file.read_bytes()[:-20])
    assert command("fetch", "--folder", folder, "--out", tmp_path / "o").code == 5
    run = json.dumps(command("status", "--out", tmp_path / "o").told)
    assert "ends in the middle of a line" in run
