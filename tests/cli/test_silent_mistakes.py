"""Mistakes in a study folder that would change the answer without a word."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from whole_runs import ROOT, STUDY12, command


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A copy of the reference study, to be spoiled."""
    folder = tmp_path / "mappings" / "bsab-cart-dlbcl"
    shutil.copytree(ROOT / "mappings", folder.parent)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "valuesets/bispecific-antibody.json",
        "conceptmaps/medication.json",
        "../common/codesystems/agent.json",
        "../common/grading/ctcae-v5.csv",
        "../common/grading/ctcae-v6.csv",
    ],
)
@pytest.mark.parametrize("content", ["", '{"resourceType": "Basic"}', "a,b,c\n1,2,3\n"], ids=["empty", "json", "csv"])
def test_a_file_that_holds_something_else(name: str, content: str, study: Path) -> None:
    path = (study / name).resolve()
    path.write_text(content, encoding="utf-8")
    ended = command("build", "--study", study, "--out", study / "out")
    assert ended.code == 2
    assert path.name in ended.err


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[value_sets]", "[valuesets]", ("`valuesets`", "value_sets")),
        ("d-dimer =", "d-dimmer =", ("`d-dimmer`", "did you mean `d-dimer`?")),
    ],
)
def test_a_name_that_does_not_exist(old: str, new: str, says: tuple[str, ...], study: Path) -> None:
    path = study / "study.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    ended = command("run", "--folder", STUDY12 / "nowhere", "--study", study, "--out", study / "out")
    assert ended.code == 2
    for words in (path.name, *says):
        assert words in ended.err


def test_a_study_given_by_a_path_with_a_slip(study: Path) -> None:
    ended = command("build", "--study", study.with_name("bsab-cart-dlbc"), "--out", study / "out")
    assert "did you mean `bsab-cart-dlbcl`?" in ended.err
