"""`fhir-adapter explain`: why a person is in the cohort or not, in sentences and as data."""

from __future__ import annotations

import errno
import html
import json
import re
import stat
from pathlib import Path
from unittest.mock import patch

import pytest
from whole_runs import ROOT, STUDY12, command, succeed


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fetched folder that holds one person of the study and some who do not belong to it."""
    home = tmp_path_factory.mktemp("strangers")
    folder = home / "in"
    folder.mkdir()
    stories = ("cart-without-bsab", "bsab-without-cart", "merged-patients", "merged-twice")
    for path in [STUDY12 / "SYN-04.json", *(ROOT / "fixtures" / "background" / f"{one}.json" for one in stories)]:
        (folder / path.name).write_bytes(path.read_bytes())
    succeed("fetch", "--folder", folder, "--out", home / "out")
    succeed("build", "--out", home / "out")
    return home / "out"


def patients(story: str) -> list[dict[str, object]]:
    bundle = json.loads((ROOT / "fixtures" / "background" / f"{story}.json").read_bytes())
    return [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Patient"]


def test_somebody_in_the_cohort_is_explained_rule_by_rule(fetched: Path) -> None:
    told = succeed("explain", "SYN-04", "--out", fetched).out
    assert told.startswith("Subject SYN-04\n")
    assert "In the cohort" in told
    for date in ("2024-06-12", "2024-06-26", "2024-07-24"):
        assert date in told
    for source in re.findall(r"[A-Z][A-Za-z]+/SYN-\S+?(?=[,;\]\s])", told):
        assert re.fullmatch(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]+/_history/1", source), source


def test_every_classification_names_its_parameters_and_records(fetched: Path) -> None:
    told = json.loads(succeed("explain", "SYN-04", "--json", "--out", fetched).out)
    assert told["subject_id"] == "SYN-04"
    rules = {one["rule"]: one for one in told["findings"]}
    assert any("washout" in rule for rule in rules)
    for one in told["findings"]:
        assert {"rule", "verdict", "value", "sentence", "sources", "parameters"} <= set(one)
        assert one["sentence"].strip()
    washout = next(one for rule, one in rules.items() if "washout" in rule)
    assert washout["sources"]
    assert "washout_to" in washout["parameters"]


def test_the_sentences_and_the_data_are_the_same(fetched: Path) -> None:
    sentences = succeed("explain", "SYN-04", "--out", fetched).out
    for one in json.loads(succeed("explain", "SYN-04", "--json", "--out", fetched).out)["findings"]:
        assert one["sentence"] in sentences
        assert f"{one['rule']}: {one['verdict']}" in sentences


def test_what_explain_says_is_what_the_cohort_holds(fetched: Path) -> None:
    lines = (fetched / "cohort" / "findings.ndjson").read_text(encoding="utf-8").splitlines()
    held = [json.loads(line) for line in lines]
    told = json.loads(succeed("explain", "SYN-04", "--json", "--out", fetched).out)["findings"]
    own = {one["rule"]: (one["verdict"], one["sentence"]) for one in held if one["subject_id"] == "SYN-04"}
    assert {one["rule"]: (one["verdict"], one["sentence"]) for one in told} == own


@pytest.mark.parametrize("story", ["cart-without-bsab", "bsab-without-cart"])
def test_somebody_outside_the_cohort_is_told_why(story: str, fetched: Path) -> None:
    id = patients(story)[0]["id"]
    told = json.loads(succeed("explain", id, "--json", "--out", fetched).out)
    eligibility = told["findings"][0]
    assert told["subject_id"] == id
    assert eligibility["verdict"] == "not met"
    assert eligibility["sentence"].strip()


def test_an_id_that_was_merged_leads_to_the_surviving_person(fetched: Path) -> None:
    found = patients("merged-patients")
    [survivor] = {
        json.loads(succeed("explain", one["id"], "--json", "--out", fetched).out)["subject_id"] for one in found
    }
    assert len(found) > 1
    assert survivor in [one["id"] for one in found]


def test_a_reference_works_as_well_as_an_id(fetched: Path) -> None:
    by_id, by_reference = (succeed("explain", one, "--out", fetched).out for one in ("SYN-04", "Patient/SYN-04"))
    assert by_id == by_reference


def test_an_unknown_id_is_a_clear_mistake(fetched: Path) -> None:
    ended = command("explain", "NOBODY-1", "--out", fetched)
    assert (ended.code, ended.out) == (2, "")
    assert "no person with this id" in ended.err
    assert "NOBODY" not in ended.err


def test_another_parameter_changes_the_explanation(fetched: Path) -> None:
    strict = ("--set", "bsab_status_rule=pd_within", "--set", "interval_days=1")
    as_it_is = succeed("explain", "SYN-04", "--out", fetched).out
    assert succeed("explain", "SYN-04", *strict, "--out", fetched).out != as_it_is


def test_the_whole_course_is_written_as_a_page(fetched: Path, tmp_path: Path) -> None:
    path = tmp_path / "SYN-04.html"
    ended = succeed("explain", "SYN-04", "--html", path, "--out", fetched)
    assert ended.out == f"{path}\n"
    text = path.read_text(encoding="utf-8")
    for one in json.loads(succeed("explain", "SYN-04", "--json", "--out", fetched).out)["findings"]:
        assert one["sentence"] in html.unescape(text)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_page_and_data_can_be_had_at_once(fetched: Path, tmp_path: Path) -> None:
    told = succeed("explain", "SYN-04", "--json", "--html", tmp_path / "a.html", "--out", fetched).out
    assert json.loads(told)["subject_id"] == "SYN-04"
    assert (tmp_path / "a.html").exists()


@pytest.mark.parametrize("story", ["cart-without-bsab", "bsab-without-cart"])
def test_somebody_outside_the_cohort_has_a_page_as_well(story: str, fetched: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    succeed("explain", patients(story)[0]["id"], "--html", path, "--out", fetched)
    assert "Not in the cohort" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("where", [".", "missing/a.html"])
def test_a_page_needs_a_file_in_a_folder_that_exists(where: str, fetched: Path, tmp_path: Path) -> None:
    ended = command("explain", "SYN-04", "--html", tmp_path / where, "--out", fetched)
    assert (ended.code, ended.out) == (2, "")
    assert "the name of a file in a folder that exists" in ended.err
    assert "SYN" not in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_leaves_the_old_one(fetched: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text("old")
    with patch("os.fsync", side_effect=OSError(errno.ENOSPC, "No space left on device")):
        ended = command("explain", "SYN-04", "--html", path, "--out", fetched)
    assert ended.code == 7
    assert "SYN" not in ended.err
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
