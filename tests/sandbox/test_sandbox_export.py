"""`$export`: ordered, waited for, fetched and taken back, as the specification of bulk data says."""

from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sandbox_client import Fhir, FhirJson, Opened

from fhir_adapter.sandbox import Exporting

ASYNC = "respond-async"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def patient(id: str) -> FhirJson:
    return {"resourceType": "Patient", "id": id}


def observation(id: str, person: str, **elements: object) -> FhirJson:
    subject = {"reference": f"Patient/{person}"}
    return {"resourceType": "Observation", "id": id, "status": "final", "subject": subject, **elements}


def finished(fhir: Fhir, ordered: httpx.Response) -> FhirJson:
    """The manifest, after as many polls as it takes."""
    assert ordered.status_code == 202, ordered.text
    while (answer := fhir.http.get(ordered.headers["content-location"])).status_code == 202:
        assert answer.headers["retry-after"] == "1"
    manifest: FhirJson = answer.json()
    return manifest


def lines(fhir: Fhir, file: FhirJson) -> list[FhirJson]:
    content = fhir.http.get(file["url"])
    assert content.headers["content-type"] == "application/fhir+ndjson"
    found = [json.loads(line) for line in content.text.splitlines()]
    assert len(found) == file["count"]
    return found


def exported(fhir: Fhir, path: str, files: str = "output") -> dict[str, list[str]]:
    """The ids that come, by type; of deletions their addresses."""
    came: dict[str, list[str]] = {}
    for file in finished(fhir, fhir.get(path, prefer=ASYNC))[files]:
        for line in lines(fhir, file):
            what = line["id"] if "id" in line else line["entry"][0]["request"]["url"]
            came.setdefault(file["type"], []).append(what)
    return came


def test_everything_comes_out_by_type(fhir: Fhir) -> None:
    fhir.store(patient("a"), patient("b"), observation("o", "a"), {"resourceType": "Medication", "id": "m"})
    assert exported(fhir, "$export") == {"Medication": ["m"], "Observation": ["o"], "Patient": ["a", "b"]}
    assert exported(fhir, "$export?_type=Patient,Device") == {"Patient": ["a", "b"]}


def test_it_takes_its_time_and_tells_how_far_it_is(opened: Opened) -> None:
    with opened(exporting=Exporting(polls=4)) as fhir:
        status = fhir.get("$export", prefer=ASYNC).headers["content-location"]
        shares = [fhir.http.get(status).headers["x-progress"] for _ in range(4)]
        assert shares == ["25%", "50%", "75%", "100%"]
        assert fhir.http.get(status).status_code == 200


def test_what_is_stored_meanwhile_is_for_the_next_export(fhir: Fhir) -> None:
    fhir.store(patient("a"))
    ordered = fhir.get("$export?_type=Patient", prefer=ASYNC)
    fhir.store(patient("b"))
    first = finished(fhir, ordered)
    assert [file["count"] for file in first["output"]] == [1]
    assert "b" in exported(fhir, f"$export?_type=Patient&_since={first['transactionTime']}")["Patient"]


def test_patient_level_has_what_is_about_patients_and_what_that_points_to(fhir: Fhir) -> None:
    given = {"resourceType": "MedicationAdministration", "id": "g", "status": "completed"}
    fhir.store(
        patient("a"),
        {"resourceType": "Medication", "id": "m1"},
        {"resourceType": "Medication", "id": "m2"},
        given | {"subject": {"reference": "Patient/a"}, "medicationReference": {"reference": "Medication/m1"}},
        observation("nobodys", "missing"),
    )
    assert exported(fhir, "Patient/$export") == {
        "Medication": ["m1"],
        "MedicationAdministration": ["g"],
        "Patient": ["a"],
    }


def test_group_level_has_its_members_alone(fhir: Fhir) -> None:
    members = [
        {"entity": {"reference": "Patient/a"}},
        {"entity": {"reference": "Patient/b"}, "inactive": True},
    ]
    group = {"resourceType": "Group", "id": "g", "type": "person", "actual": True, "member": members}
    fhir.store(patient("a"), patient("b"), observation("o", "a"), observation("p", "b"), group)
    assert exported(fhir, "Group/g/$export") == {"Observation": ["o"], "Patient": ["a"]}
    assert fhir.get("Group/none/$export", prefer=ASYNC).status_code == 404


def test_since_has_what_changed_and_apart_what_was_deleted(opened: Opened) -> None:
    clock = [NOON]
    with opened(clock=lambda: clock[0]) as fhir:
        fhir.store(patient("a"), patient("b"), observation("o", "a"), observation("p", "a"))
        clock[0] += timedelta(hours=1)
        fhir.http.delete("Patient/b")
        fhir.http.delete("Observation/p")
        fhir.store(patient("c"))
        path = "$export?_since=2026-11-22T12:30:00Z"
        assert exported(fhir, path) == {"Patient": ["c"]}
        assert exported(fhir, path, "deleted") == {"Bundle": ["Observation/p", "Patient/b"]}
        assert exported(fhir, "Patient/" + path, "deleted") == {"Bundle": ["Observation/p"]}
        assert exported(fhir, "$export", "deleted") == {}


def test_what_came_back_after_its_deletion_is_not_deleted(fhir: Fhir) -> None:
    fhir.store(patient("a"))
    fhir.http.delete("Patient/a")
    fhir.store(patient("a"))
    assert exported(fhir, "$export?_since=2026-01-01T00:00:00Z", "deleted") == {}


def test_a_filter_narrows_its_type_alone(fhir: Fhir) -> None:
    fhir.store(patient("a"), observation("o", "a"), observation("p", "a", status="preliminary"))
    fhir.store(observation("q", "a", code={"coding": [{"code": "1234-5"}]}))
    came = exported(fhir, "$export?_typeFilter=Observation%3Fcode%3D1234-5")
    assert came == {"Observation": ["q"], "Patient": ["a"]}


def test_files_have_the_size_that_was_set(opened: Opened) -> None:
    with opened(exporting=Exporting(polls=0, file_resources=2)) as fhir:
        fhir.store(*(patient(id) for id in "abcde"))
        manifest = finished(fhir, fhir.get("$export", prefer=ASYNC))
        assert [file["count"] for file in manifest["output"]] == [2, 2, 1]
        assert [line["id"] for file in manifest["output"] for line in lines(fhir, file)] == list("abcde")


def test_files_may_be_gzip_themselves(opened: Opened) -> None:
    with opened(exporting=Exporting(polls=0, gzipped=True)) as fhir:
        fhir.store(patient("a"))
        (file,) = finished(fhir, fhir.get("$export", prefer=ASYNC))["output"]
        raw = fhir.http.get(file["url"])
        assert raw.headers["content-type"] == "application/gzip"
        assert json.loads(gzip.decompress(raw.content))["id"] == "a"


def test_an_order_may_be_sent_as_parameters(fhir: Fhir) -> None:
    fhir.store(patient("a"), observation("o", "a"))
    names = (("_type", "valueString", "Patient"), ("_since", "valueInstant", "2026-01-01T00:00:00Z"))
    parameters = [{"name": name, kind: value} for name, kind, value in names]
    ordered = fhir.post("$export", {"resourceType": "Parameters", "parameter": parameters}, prefer=ASYNC)
    assert [file["type"] for file in finished(fhir, ordered)["output"]] == ["Patient"]


def test_an_export_that_was_taken_back_is_gone_with_its_files(fhir: Fhir) -> None:
    fhir.store(patient("a"))
    ordered = fhir.get("$export", prefer=ASYNC)
    (file,) = finished(fhir, ordered)["output"]
    status = ordered.headers["content-location"]
    assert fhir.http.delete(status).status_code == 202
    for gone in (status, file["url"]):
        assert fhir.http.get(gone).status_code == 404
    assert fhir.http.delete(status).status_code == 404


@pytest.mark.parametrize(
    ("path", "prefer", "status"),
    [
        ("$export", "", 400),
        ("$export?_type=FooBar", ASYNC, 400),
        ("$export?_since=2021", ASYNC, 400),
        ("$export?_since=yesterday", ASYNC, 400),
        ("$export?_elements=id", ASYNC, 400),
        ("$export?_outputFormat=text/csv", ASYNC, 400),
        ("Observation/$export", ASYNC, 404),
    ],
)
def test_what_it_cannot_do_is_refused(path: str, prefer: str, status: int, fhir: Fhir) -> None:
    refused = fhir.get(path, prefer=prefer)
    assert refused.status_code == status
    assert refused.json()["resourceType"] == "OperationOutcome"


def test_lenient_handling_leaves_out_what_it_cannot_do(fhir: Fhir) -> None:
    fhir.store(patient("a"))
    ordered = fhir.get("$export?_type=Patient,FooBar&_elements=id", prefer=f"{ASYNC}, handling=lenient")
    assert [file["type"] for file in finished(fhir, ordered)["output"]] == ["Patient"]


def test_the_capability_statement_says_so(fhir: Fhir) -> None:
    (rest,) = fhir.get("metadata").json()["rest"]
    found = {each["type"]: each["operation"] for each in rest["resource"] if "operation" in each}
    assert set(found) == {"Patient", "Group"}
    assert [operation["name"] for operation in rest["operation"]] == ["export"]
    assert all(re.search("/OperationDefinition/.*export$", each["definition"]) for each in rest["operation"])
