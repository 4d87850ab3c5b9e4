"""Each stage can be run alone from what the stage before left; together they are `run`."""

from __future__ import annotations

import json
import re
from pathlib import Path

from whole_runs import PARTS, STUDY12, Served, command, files, succeed, tree


def test_stage_by_stage_is_the_same_as_run(served: Served, tmp_path: Path) -> None:
    """The server already holds the answer, so publishing it again sends nothing."""
    server, out, parts = served.sandbox.base_url, tmp_path / "out", []
    succeed("fetch", "--server", server, "--out", out)
    for stage in ("build", "analyze", "report", "publish"):
        ended = succeed(stage, "--out", out, *(["--server", server] if stage == "publish" else []))
        parts.append([name for name in PARTS if (out / name).exists()])
    assert parts == [
        ["cohort", "run.json"],
        ["cohort", "analysis", "run.json"],
        ["cohort", "analysis", "report", "run.json"],
        ["cohort", "analysis", "report", "publish", "run.json"],
    ]
    assert f"published to {server}: 0 documents sent, 26 unchanged" in ended.out
    assert files(out, "cohort", "analysis") == files(served.out, "cohort", "analysis")
    assert measure_reports(out) == measure_reports(served.out)


def measure_reports(out: Path) -> dict[str, bytes]:
    found = {name: content for name, content in files(out, "publish").items() if name.startswith("publish/Measure")}
    assert len(found) == 26
    return found


def test_run_says_what_it_did_and_where(served: Served) -> None:
    assert "study bsab-cart-dlbcl 1.0.0, data cut 2025-08-01" in served.ended.out
    assert "12 of 12 Patients are in the cohort" in served.ended.out
    for name in ("cohort/subjects.csv", "analysis/estimates.json", "report/index.html", "publish", "run.json"):
        assert f"  {served.out / name}\n" in served.ended.out


def test_run_json_tells_what_ran_on_what(served: Served) -> None:
    told = json.loads((served.out / "run.json").read_bytes())
    assert told["source"] == served.sandbox.base_url
    assert told["study"]["id"] == "bsab-cart-dlbcl"
    assert told["software"].startswith("fhir-adapter/")
    assert told["parameters"]["pfs_censor"] == "last_assessment"
    assert told["people"] == {"included": 12, "excluded": 0}
    assert sorted(told["files"]) == sorted(name for name in files(served.out) if name != "run.json")
    for stream in told["ledger"]:
        found = stream["stored"] + stream["duplicate"] + stream["quarantined"] + stream["deleted"]
        assert stream["received"] == found, stream["stream"]
        assert stream["complete"], stream["stream"]
        assert stream["announced"] in (None, stream["received"]), stream["stream"]


def test_check_says_how_each_type_will_be_fetched(served: Served) -> None:
    told = succeed("check", "--server", served.sandbox.base_url).out
    for type in ("Patient", "MedicationAdministration", "Observation", "AdverseEvent", "Procedure", "Condition"):
        assert f"ok    {type} " in told
    assert "WARN" not in told


def test_status_shows_the_ledger_of_the_last_fetch(served: Served) -> None:
    before = tree(served.out)
    told = succeed("status", "--out", served.out).out
    assert f"source       {served.sandbox.base_url}\n" in told
    assert all(
        re.search(rf"^last {which} +1, began .* ago: complete$", told, re.MULTILINE) for which in ("run", "good")
    )
    assert "INCOMPLETE" not in told
    assert len([line for line in told.splitlines() if line.endswith(" complete") and "Patient" in line]) == 1
    assert tree(served.out) == before


def test_nothing_is_built_before_something_was_fetched(tmp_path: Path) -> None:
    for stage in ("build", "analyze", "report", "publish", "status"):
        ended = command(stage, "--out", tmp_path / "out")
        assert ended.code == 2
        assert "Run `fhir-adapter fetch` first." in ended.err


def test_explaining_and_publishing_speak_of_the_results_that_are_there(tmp_path: Path) -> None:
    """Results made with another cut and censoring are explained and published with those, not with the defaults."""
    out = tmp_path / "out"
    succeed("fetch", "--folder", STUDY12, "--out", out)
    succeed("analyze", "--out", out, "--set", "data_cut=2025-02-24", "--set", "pfs_censor=last_contact")
    assert "PFS: censored after 123 days (data cut)" in succeed("explain", "SYN-07", "--out", out).out
    assert "data cut 2025-02-24" in succeed("publish", "--out", out).out
    assert "data cut 2025-08-01" in succeed("analyze", "--out", out).out
