"""A mistake in the study folder: the message names file, key and nearest valid name, and nothing is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from whole_runs import ROOT, STUDY12, Ended, bundles, command, resources, write_ndjson

Mistake = Callable[[Path], None]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A copy of the reference study, to be spoiled."""
    folder = tmp_path / "mappings" / "bsab-cart-dlbcl"
    shutil.copytree(ROOT / "mappings", folder.parent)
    return folder


def build_with(study: Path, *arguments: str) -> Ended:
    """`run` with this study; nothing may be written, whatever is wrong with it."""
    out = study.parents[1] / "out"
    ended = command("run", "--folder", STUDY12, "--study", study, "--out", out, *arguments)
    assert not out.exists()
    assert "Traceback" not in ended.told
    assert ended.out == ""
    assert ended.err.startswith("fhir-adapter: ")
    assert len(ended.err.splitlines()) <= 2
    return ended


def replaced(study: Path, old: str, new: str) -> None:
    path = study / "study.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    resource = json.loads(path.read_bytes())
    change(resource)
    path.write_text(json.dumps(resource), encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("interval_days =", "interval_day =", ("`interval_day`", "did you mean `interval_days`?")),
        ("gap_days = 180", 'gap_days = "half a year"', ("`gap_days`", "integer")),
        ("gap_days = 180", "gap_days = -1", ("`gap_days`",)),
        ("bulky_inclusive = false", 'bulky_inclusive = "perhaps"', ("`bulky_inclusive`",)),
        ('pfs_censor = "last_assessment"', 'pfs_censor = "last_asessment"', ("`pfs_censor`", "last_assessment")),
        ('ctcae_version = "5.0"', 'ctcae_version = "4.03"', ("`ctcae_version`", "5.0", "6.0")),
        ("data_cut = 2025-08-01", 'data_cut = "2025-02-30"', ("`data_cut`",)),
        ('site_time_zone = "Asia/Shanghai"', 'site_time_zone = "Asia/Shanghay"', ("`site_time_zone`",)),
        ('ae_window_days = "0-30"', 'ae_window_days = "0 to 30"', ("`ae_window_days`",)),
        ('version = "1.0.0"', "version = 1", ("`version`",)),
        ('bsab = "bispecific-antibody"', 'bsab = "bispecific-antibodies"', ("`bispecific-antibody`",)),
        ('bsab = "bispecific-antibody"', 'bsab_ = "bispecific-antibody"', ("`bsab_`", "did you mean `bsab`?")),
        ('car_t = "car-t-product"\n', "", ("`car_t`",)),
        ("data_cut = 2025-08-01", "data_cut = 2025-08-01\ndata_cut = 2025-08-01", ("not valid TOML",)),
        ("[value_sets]", "[value_sets", ("not valid TOML",)),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_mistake_in_study_toml(old: str, new: str, says: tuple[str, ...], study: Path) -> None:
    replaced(study, old, new)
    ended = build_with(study)
    assert ended.code == 2
    assert str(study / "study.toml") in ended.err
    for words in says:
        assert words in ended.err


def _unknown_target(concept_map: dict[str, Any]) -> None:
    concept_map["group"][0]["element"][0]["target"][0]["code"] = "glofitamabb"


def test_a_concept_map_that_leads_to_an_unknown_code(study: Path) -> None:
    path = study / "conceptmaps" / "medication.json"
    edited(path, _unknown_target)
    ended = build_with(study)
    assert ended.code == 2
    assert str(path) in ended.err
    assert "`glofitamabb`" in ended.err
    assert "did you mean `glofitamab`?" in ended.err


def _unknown_member(value_set: dict[str, Any]) -> None:
    value_set["compose"]["include"][0]["concept"][0]["code"] = "epcoritamap"


def test_a_value_set_with_an_unknown_code(study: Path) -> None:
    path = study / "valuesets" / "bispecific-antibody.json"
    edited(path, _unknown_member)
    ended = build_with(study)
    assert ended.code == 2
    assert str(path) in ended.err
    assert "did you mean `epcoritamab`?" in ended.err


def _unknown_system(value_set: dict[str, Any]) -> None:
    value_set["compose"]["include"][0]["system"] += "s"


def test_a_value_set_of_an_unknown_code_system(study: Path) -> None:
    path = study / "valuesets" / "bispecific-antibody.json"
    edited(path, _unknown_system)
    ended = build_with(study)
    assert ended.code == 2
    assert str(path) in ended.err
    assert "/CodeSystem/agent" in ended.err


@pytest.mark.parametrize(
    "name",
    [
        "valuesets/bispecific-antibody.json",
        "conceptmaps/medication.json",
        "measures/pfs.json",
        "../common/units.toml",
    ],
)
@pytest.mark.parametrize("content", ["", "{", "[]", "\ufeff\x00"], ids=repr)
def test_a_file_of_the_study_that_is_damaged(name: str, content: str, study: Path) -> None:
    path = (study / name).resolve()
    path.write_text(content, encoding="utf-8")
    ended = build_with(study)
    assert ended.code == 2
    assert path.name in ended.err


def test_a_study_that_does_not_exist(study: Path) -> None:
    ended = build_with(study.with_name("bsab-cart-dlbc"))
    assert ended.code == 2
    assert "bsab-cart-dlbcl`: no study.toml there" not in ended.err
    assert "bsab-cart-dlbcl" in ended.err.splitlines()[1]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("interval_day=28", "did you mean `interval_days`?"),
        ("interval_days=four", "`interval_days`"),
        ("interval_days=", "`interval_days`"),
        ("pfs_censor=contact", "`pfs_censor`"),
        ("interval_days", "KEY=VALUE"),
        ("=28", "KEY=VALUE"),
        ("value_sets=x", "`value_sets`"),
    ],
)
def test_a_mistake_in_a_parameter_on_the_command_line(given: str, says: str, study: Path) -> None:
    ended = build_with(study, "--set", given)
    assert ended.code == 2
    assert "--set" in ended.err
    assert says in ended.err


def test_the_study_can_be_anywhere(study: Path) -> None:
    """Its own copy of the shared artefacts is the one that counts."""
    replaced(study, "interval_days = 183", "interval_days = 28")
    out, one_person = study.parents[1] / "elsewhere", study.parents[1] / "in"
    write_ndjson(one_person / "everything.ndjson", resources(bundles("SYN-03")))
    assert command("fetch", "--folder", one_person, "--out", out).code == 0
    assert command("build", "--study", study, "--out", out).code == 0
    assert json.loads((out / "run.json").read_bytes())["parameters"]["interval_days"] == 28
