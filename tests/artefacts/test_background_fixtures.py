"""The people around the cohort: one story a file, each with its place in the attrition."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

FIXTURES = Path(__file__).parents[2] / "fixtures"
BACKGROUND = FIXTURES / "background"
FILES = sorted(BACKGROUND.glob("*.json"))
STEPS = {
    "person": {"merged_into_another", "patient_unusable"},
    "diagnosis": {"no_diagnosis", "other_disease"},
    "bsab": {"no_bsab"},
    "car_t": {"no_infusion", "collected_not_infused"},
    "bsab_before_apheresis": {"bsab_only_after_car_t", "no_bsab_before_apheresis"},
    "failure": {"stopped_for_intolerance"},
    "assessable": {"not_yet_assessable"},
}
ORDER = list(STEPS)
Resource = dict[str, Any]


def stories() -> list[dict[str, str]]:
    with (BACKGROUND / "stories.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def entries(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["entry"]


def resources(path: Path) -> list[Resource]:
    return [entry["resource"] for entry in entries(path)]


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from ([node["reference"]] if isinstance(node.get("reference"), str) else [])
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def of_type(path: Path, kind: str) -> list[Resource]:
    return [resource for resource in resources(path) if resource["resourceType"] == kind]


stories_on_disk = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_every_story_has_its_file_and_every_file_its_story() -> None:
    assert {row["story"] for row in stories()} == {path.stem for path in FILES}


def test_there_are_enough_people_and_each_has_one_place() -> None:
    ids = [row["patient_ids"] for row in stories()]
    on_disk = [f"{patient['id']}" for path in FILES for patient in of_type(path, "Patient")]
    assert sorted(ids) == sorted(on_disk)
    assert len(set(ids)) == len(ids) >= 44


def test_every_place_is_a_known_step_with_a_known_reason_and_every_one_occurs() -> None:
    for row in stories():
        assert row["reason"] in STEPS[row["step"]]
        assert row["reason_at_first_cut"] in STEPS[row["step_at_first_cut"]]
        assert row["why"].endswith(".")
    told = Counter((row["step"], row["reason"]) for row in stories())
    assert set(told) == {(step, reason) for step, reasons in STEPS.items() for reason in reasons}


def test_nobody_gets_less_far_at_the_later_cut() -> None:
    for row in stories():
        assert ORDER.index(row["step_at_first_cut"]) <= ORDER.index(row["step"]), row["story"]


@stories_on_disk
def test_every_resource_is_valid_r4_and_put_under_its_own_id(path: Path) -> None:
    bundle = json.loads(path.read_text(encoding="utf-8"))
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "transaction")
    assert 1 <= len(bundle["entry"]) <= 40
    for entry in bundle["entry"]:
        resource = entry["resource"]
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        address = f"{resource['resourceType']}/{resource['id']}"
        assert entry["request"] == {"method": "PUT", "url": address}
        assert entry["fullUrl"].endswith(f"/{address}")
        assert resource["meta"] == {"versionId": "1"}
        assert resource["id"].startswith(f"BG-{path.stem}")
        assert len(resource["id"]) <= 64


@stories_on_disk
def test_every_reference_resolves_in_its_own_story(path: Path) -> None:
    here = {f"{resource['resourceType']}/{resource['id']}" for resource in resources(path)}
    assert set(references(resources(path))) <= here


def test_ids_are_unique_among_all_invented_people() -> None:
    def addresses(folder: str, *, shared: bool) -> list[str]:
        files = [path for path in (FIXTURES / folder).glob("*.json") if shared or path.stem != "shared"]
        return [entry["request"]["url"] for path in files for entry in entries(path)]

    background, study = addresses("background", shared=True), addresses("study12", shared=False)
    assert len(set(background)) == len(background)
    assert set(background).isdisjoint(study)
    assert len(study) > 0


def test_nobody_is_older_than_their_records_allow() -> None:
    for path in FILES:
        births = [patient["birthDate"] for patient in of_type(path, "Patient")]
        days = [observation["effectiveDateTime"][:10] for observation in of_type(path, "Observation")]
        assert all(birth <= day for birth in births for day in days), path.stem
        assert all(date.fromisoformat(day) <= date(2025, 12, 31) for day in days), path.stem


def test_a_person_who_leaves_for_want_of_an_antibody_has_no_dose_that_counts() -> None:
    """By code and by word, without the adapter: what is left is not-done, an error, after the cut, or another drug."""
    words = ("glofitamab", "格菲妥", "高罗华", "epcoritamab", "艾可瑞妥", "mosunetuzumab", "BSA-", "blinatumomab")
    for row in stories():
        if row["step"] != "bsab":
            continue
        for dose in of_type(BACKGROUND / f"{row['story']}.json", "MedicationAdministration"):
            given = dose["status"] not in {"not-done", "entered-in-error"}
            day = dose.get("effectiveDateTime") or dose["effectivePeriod"]["start"]
            named = json.dumps(dose["medicationCodeableConcept"], ensure_ascii=False)
            if given and day < "2025-08-01":
                assert not any(word in named for word in words), dose["id"]


def test_a_person_who_leaves_for_want_of_an_infusion_has_none_that_was_completed_before_the_cut() -> None:
    for row in stories():
        if row["step"] != "car_t":
            continue
        for done in of_type(BACKGROUND / f"{row['story']}.json", "Procedure"):
            infusion = "CAR" in json.dumps(done["code"]) or "38228" in json.dumps(done["code"])
            if infusion and done["status"] == "completed":
                assert done["performedDateTime"] > "2025-08-01", done["id"]
