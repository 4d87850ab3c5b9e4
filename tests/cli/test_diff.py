"""`fhir-adapter diff`: who entered or left, which verdicts changed and by which record, which estimates moved."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from whole_runs import FHIR_JSON, bundles, command, put, resource, server_with, succeed, tree

from fhir_adapter.ehr.transport import Transport

ASSESSMENT = "Observation/SYN-04-response-20240516"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs. Between them the stable disease of SYN-04 became a partial response, and SYN-03 came."""
    out = tmp_path_factory.mktemp("diff") / "out"
    with server_with(bundles("SYN-04", "shared")) as sandbox:
        asked = ("run", "--server", sandbox.base_url, "--no-publish", "--out", out)
        succeed(*asked)
        put(sandbox.base_url, {**resource(ASSESSMENT), "valueCodeableConcept": {"text": "部分缓解"}})
        with Transport(sandbox.base_url) as transport:
            transport.post("", bundles("SYN-03")[0].read_bytes(), FHIR_JSON)
        succeed(*asked)
    return out


def told(*arguments: object) -> Any:
    return json.loads(succeed("diff", "--json", *arguments).out)


def test_the_last_two_results_are_compared_when_no_run_is_named(out: Path) -> None:
    found = told("--out", out)
    assert [Path(found[side]).name for side in ("before", "after")] == ["000001", "000002"]
    assert (found["people_before"], found["people_after"]) == (1, 2)
    assert [one["what"] for one in found["runs"]] == ["records"]


def test_who_entered_is_named_with_the_reason(out: Path) -> None:
    (person,) = told("--out", out)["entered"]
    assert (person["subject_id"], person["before"]) == ("SYN-03", "")
    assert person["after"].startswith("In the cohort: ")


def test_a_changed_verdict_names_the_version_that_changed_it(out: Path) -> None:
    (failure,) = (one for one in told("--out", out)["verdicts"] if one["rule"] == "failure")
    assert (failure["subject_id"], failure["before"], failure["after"]) == ("SYN-04", "refractory", "relapsed")
    assert failure["records"] == [{"record": ASSESSMENT, "before": "1", "after": "2"}]
    assert failure["parameters"] == []


def test_what_a_changed_record_does_not_touch_is_not_told(out: Path) -> None:
    assert {one["rule"] for one in told("--out", out)["verdicts"]} == {"failure"}


def test_estimates_that_moved_are_told_with_both_values(out: Path) -> None:
    moved = {one["id"]: one for one in told("--out", out)["estimates"]}
    refractory = moved["failure.refractory"]
    assert [(refractory[side]["numerator"], refractory[side]["n"]) for side in ("before", "after")] == [(1, 1), (0, 2)]
    assert {"numerator", "n"} <= set(refractory["moved"])
    assert "toxicity.ggt-increased.any" not in moved or "n" in moved["toxicity.ggt-increased.any"]["moved"]


def test_people_read_sentences(out: Path) -> None:
    lines = succeed("diff", "--out", out).out.splitlines()
    assert "differ  records" in lines
    assert "people: 1 entered, 0 left" in lines
    assert "  SYN-04 failure: refractory -> relapsed" in lines
    assert f"      by: {ASSESSMENT} version 1 -> 2" in lines
    assert "  baseline.n: 1, n 1 -> 2, n 2" in lines


def test_a_run_of_the_landing_store_is_judged_again(out: Path) -> None:
    before = tree(out)
    by_run, by_folder = told("1", "2", "--out", out), told("--out", out)
    assert (by_run["entered"], by_run["verdicts"]) == (by_folder["entered"], by_folder["verdicts"])
    assert by_run["estimates"] == by_folder["estimates"]
    assert tree(out) == before


def test_a_copy_of_a_result_can_be_compared_with_the_folder(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out / ".generations" / "000002", tmp_path / "kept")
    found = told(tmp_path / "kept", out)
    assert (found["runs"], found["entered"], found["left"], found["verdicts"], found["estimates"]) == (
        [],
        [],
        [],
        [],
        [],
    )


def test_the_other_way_round_somebody_leaves(out: Path) -> None:
    found = told("2", "1", "--out", out)
    assert [one["subject_id"] for one in found["left"]] == ["SYN-03"]
    assert found["left"][0]["after"] == ""


def test_another_parameter_is_named_as_the_cause(out: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(out, copy, symlinks=True)
    succeed("build", "--out", copy, "--set", "bsab_status_rule=pd_within")
    found = told("--out", copy)
    named = {one["what"]: (one["before"], one["after"]) for one in found["runs"]}
    assert named["parameter bsab_status_rule"] == ("best_response", "pd_within")
    failures = [one for one in found["verdicts"] if one["rule"] == "failure"]
    assert {each["what"] for one in failures for each in one["parameters"]} == {"bsab_status_rule"}
    assert found["estimates"] is None
    assert "estimates: not compared, one of the two has none" in succeed("diff", "--out", copy).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere", "nowhere"), "is no folder with results"),
        (("1",), "one RUN alone"),
        ((), "does not hold two results"),
        ((".", "."), "there are no results in ."),
    ],
)
def test_what_cannot_be_compared_is_a_clear_mistake(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = command("diff", *arguments, "--out", tmp_path / "out")
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_a_damaged_result_is_no_bug(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    ended = command("diff", tmp_path, tmp_path)
    assert (ended.code, "cannot be read" in ended.err) == (2, True)
