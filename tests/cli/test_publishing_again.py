"""Publishing is idempotent: what did not change is left alone, what changed gets one new version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from whole_runs import Ended, Served, bundles, files, put, resource, server_with, succeed, versions

FAMILIES = (
    "attrition",
    "baseline",
    "bsab-failure",
    "comparisons",
    "crs-icans",
    "duration-of-response",
    "further-endpoints",
    "laboratory-toxicity",
    "os",
    "pfs",
    "relapse",
    "response",
    "washout",
)


@pytest.fixture(scope="module")
def two_people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with two people of the study, and a first run against it. Tests change one value of their own each."""
    out = tmp_path_factory.mktemp("again") / "out"
    with server_with(bundles("SYN-01", "SYN-10", "shared")) as sandbox:
        yield Served(succeed("run", "--server", sandbox.base_url, "--out", out), out, sandbox)


def run_again(served: Served) -> tuple[Ended, dict[str, int], list[str]]:
    """One more run: the MeasureReports with a new version (family, how many), and the Provenances that are new."""
    before = {type: versions(served.sandbox, type) for type in ("MeasureReport", "Measure", "Provenance")}
    ended = succeed("run", "--server", served.sandbox.base_url, "--out", served.out)
    after = {type: versions(served.sandbox, type) for type in before}
    assert after["Measure"] == before["Measure"]
    assert set(after["MeasureReport"]) == set(before["MeasureReport"])
    new = {id: number - before["MeasureReport"][id] for id, number in after["MeasureReport"].items()}
    family = {id: id.split(".")[2] for id in new}
    written = [id for id, number in after["Provenance"].items() if before["Provenance"].get(id) != number]
    return ended, {family[id]: count for id, count in new.items() if count}, written


def change(served: Served, observation: str, value: float) -> None:
    """The laboratory corrects one value on the server."""
    changed = resource(f"Observation/{observation}")
    changed["valueQuantity"]["value"] = value
    changed["status"] = "corrected"
    put(served.sandbox.base_url, changed)


def test_the_first_run_writes_one_report_a_family_and_one_provenance(served: Served) -> None:
    repository = served.sandbox.service.repository
    reports = repository.find("MeasureReport", ())
    assert sorted(one.id.split(".")[2] for one in reports) == sorted(FAMILIES)
    assert {one.number for one in reports} == {1}
    assert {one.resource["type"] for one in reports} == {"summary"}
    [provenance] = repository.find("Provenance", ())
    targets = {target["reference"].split("/_history/")[0] for target in provenance.resource["target"]}
    assert {f"MeasureReport/{one.id}" for one in reports} <= targets


def test_the_server_holds_what_the_output_folder_shows(served: Served) -> None:
    for one in served.sandbox.service.repository.find("MeasureReport", ()):
        shown = json.loads((served.out / "publish" / f"MeasureReport-{one.id}.json").read_bytes(), parse_float=Decimal)
        held = {key: value for key, value in one.resource.items() if key not in ("id", "meta")}
        assert held == {key: value for key, value in shown.items() if key not in ("id", "meta")}


def test_a_second_run_with_nothing_new_writes_nothing(two_people: Served) -> None:
    before = files(two_people.out, "cohort", "analysis", "publish")
    ended, new, provenances = run_again(two_people)
    assert (new, provenances) == ({}, [])
    assert "0 documents sent, 26 unchanged" in ended.out
    assert files(two_people.out, "cohort", "analysis", "publish") == before


def test_one_changed_value_makes_one_version_of_the_report_it_affects(two_people: Served) -> None:
    """Haemoglobin 7.9 instead of 8.0 g/dL at the nadir: anemia of grade 3 instead of 2."""
    change(two_people, "SYN-10-hgb-20241231", 7.9)
    ended, new, provenances = run_again(two_people)
    assert new == {"laboratory-toxicity": 1}
    assert len(provenances) == 1
    [traced] = [one for one in two_people.sandbox.service.repository.find("Provenance", ()) if one.id == provenances[0]]
    [target] = traced.resource["target"]
    assert "laboratory-toxicity" in target["reference"]
    assert "1 documents sent, 25 unchanged" in ended.out


def test_a_changed_value_before_treatment_touches_the_baseline_only(two_people: Served) -> None:
    """LDH 240 instead of 310 U/L at baseline: one point less in the IPI."""
    change(two_people, "SYN-01-ldh-20230604", 240)
    _, new, provenances = run_again(two_people)
    assert (new, len(provenances)) == ({"baseline": 1}, 1)


def test_a_changed_value_that_affects_no_report_writes_nothing(two_people: Served) -> None:
    """Platelets 78 instead of 77 on the way to a nadir of 50."""
    change(two_people, "SYN-10-plt-20241224", 78)
    ended, new, provenances = run_again(two_people)
    assert (new, provenances) == ({}, [])
    assert ",78," in (two_people.out / "cohort" / "labs.csv").read_text(encoding="utf-8")
    assert "0 documents sent" in ended.out


def test_without_publishing_the_documents_are_written_to_files_only(tmp_path: Path) -> None:
    with server_with(bundles("SYN-01", "shared")) as sandbox:
        succeed("run", "--server", sandbox.base_url, "--no-publish", "--out", tmp_path / "out")
        assert versions(sandbox, "MeasureReport") == versions(sandbox, "Provenance") == {}
    written = [path.name.split(".")[2] for path in (tmp_path / "out" / "publish").glob("MeasureReport-*.json")]
    assert sorted(written) == sorted(FAMILIES)


def test_reports_can_go_to_another_server_than_the_records_came_from(two_people: Served, tmp_path: Path) -> None:
    with server_with([]) as other:
        ended = succeed("publish", "--publish-to", other.base_url, "--out", two_people.out)
        assert len(versions(other, "MeasureReport")) == len(FAMILIES)
        assert versions(other, "Patient") == {}
    assert f"published to {other.base_url}" in ended.out
