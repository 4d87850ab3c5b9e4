"""A study folder with a mistake in it: a sentence that names the file, the key and the nearest valid name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from fhir_adapter.errors import StudyError
from fhir_adapter.mapping.study import StudyFolder, find_study, read_study

MAPPINGS = Path(__file__).parents[2] / "mappings"
STUDY = "bsab-cart-dlbcl"
Copy = Callable[[str, str, str], Path]


@pytest.fixture
def edited(tmp_path: Path) -> Copy:
    """A copy of the real study in which `old` is `new` in one file; an empty `old` makes `new` the whole file."""

    def edit(file: str, old: str, new: str) -> Path:
        shutil.copytree(MAPPINGS, tmp_path / "mappings")
        path = tmp_path / "mappings" / file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        assert not old or old in text
        path.write_text(text.replace(old, new, 1) if old else new, encoding="utf-8")
        return tmp_path / "mappings" / STUDY

    return edit


TOML = f"{STUDY}/study.toml"
# file, text there, text instead, what the sentence names, what the hint names
MISTAKES = [
    (TOML, "data_cut = 2025", "datacut = 2025", "`datacut`", "did you mean `data_cut`?"),
    (TOML, "digits = 1", 'digits = 1\nctcae = "5.0"', "`ctcae`", "ctcae_version"),
    (
        TOML,
        'washout_to = "index_apheresis"',
        'washout_to = "apheresis"',
        "'index_apheresis' or 'infusion'",
        "washout_to",
    ),
    (TOML, "interval_days = 183", 'interval_days = "many"', "`interval_days`", "interval_days"),
    (TOML, "interval_days = 183", "interval_days = -1", "`interval_days`", "interval_days"),
    (TOML, "timepoints_months = [6, 12]", 'timepoints_months = ["x"]', "`timepoints_months`", "timepoints_months"),
    (TOML, '"Asia/Shanghai"', '"Asia/Shanghaj"', "`site_time_zone`", "site_time_zone"),
    (TOML, 'ae_window_days = "0-30"', 'ae_window_days = "30"', "for example 0-30", "ae_window_days"),
    (TOML, f'id = "{STUDY}"', "", "`id` is missing", 'id = "..."'),
    (TOML, f'id = "{STUDY}"', f"id = {STUDY}", "is not valid TOML", "line"),
    (
        TOML,
        'disease = "large-b-cell-lymphoma"',
        'disease = "large-b-cell-lymphom"',
        "`large-b-cell-lymphom`",
        "`large-b-cell-lymphoma`",
    ),
    (
        TOML,
        'disease = "large-b-cell-lymphoma"',
        'desease = "large-b-cell-lymphoma"',
        "`desease` is not a role",
        "`disease`",
    ),
    (TOML, 'bsab = "bispecific-antibody"\n', "", "lacks the role `bsab`", "every role"),
    (
        f"{STUDY}/valuesets/bispecific-antibody.json",
        '"blinatumomab"',
        '"blinatumomap"',
        "`blinatumomap`",
        "did you mean `blinatumomab`?",
    ),
    (
        f"{STUDY}/conceptmaps/medication.json",
        '"code": "glofitamab"',
        '"code": "glofitamap"',
        "`BSA-GLOF`",
        "did you mean `glofitamab`?",
    ),
    (
        f"{STUDY}/conceptmaps/medication.json",
        "CodeSystem/agent",
        "CodeSystem/agents",
        "which does not exist",
        "CodeSystem/agent`?",
    ),
    (f"{STUDY}/conceptmaps/medication.json", "", "{", "cannot be read as JSON", ""),
    (f"{STUDY}/conceptmaps/medication.json", "", "[]", "is not a FHIR resource", ""),
    (f"{STUDY}/measures/pfs.json", '"url"', '"uri"', "is not a Measure with url", ""),
    ("common/grading/ctcae-v5.csv", "neutrophils", "neutrofils", "`neutrofils`", "did you mean `neutrophils`?"),
    (
        "common/units.toml",
        'table = "percent"',
        'table = "procent"',
        "[analytes.neutrophil-percent]",
        "did you mean `percent`?",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "names", "hint"), MISTAKES)
def test_a_mistake_names_file_place_and_nearest_name(
    edited: Copy, file: str, old: str, new: str, names: str, hint: str
) -> None:
    folder = edited(file, old, new)
    with pytest.raises(StudyError) as caught:
        read_study(folder)
    assert Path(file).name in str(caught.value)
    assert names in str(caught.value)
    assert hint in f"{caught.value} {caught.value.hint}"
    assert caught.value.exit_code == 2


OVERRIDES = [
    ({"washoutto": "x"}, "`washoutto`", "`washout_to`"),
    ({"ctcae_version": "7"}, "'5.0' or '6.0'", "ctcae_version"),
    ({"data_cut": "soon"}, "`data_cut`", "data_cut"),
    ({"interval_days": "28.5"}, "`interval_days`", "interval_days"),
    ({"site_time_zone": "Mars"}, "`site_time_zone`", "site_time_zone"),
]


@pytest.mark.parametrize(("overrides", "names", "hint"), OVERRIDES)
def test_a_mistake_on_the_command_line_names_the_option(overrides: dict[str, str], names: str, hint: str) -> None:
    with pytest.raises(StudyError) as caught:
        read_study(STUDY, overrides)
    assert str(caught.value).startswith("--set: ")
    assert names in str(caught.value)
    assert hint in f"{caught.value} {caught.value.hint}"


def test_an_option_wins_over_the_file() -> None:
    def parameters(**options: str) -> object:
        return read_study(STUDY, options).study.parameters

    assert read_study(STUDY).study.parameters.data_cut == date(2025, 8, 1)
    options = {
        "data_cut": "2025-02-24",
        "interval_days": "28",
        "timepoints_months": "6, 12,24",
        "ae_window_days": "0-90",
    }
    found = read_study(STUDY, options).study.parameters
    assert (found.data_cut, found.interval_days, found.timepoints_months) == (date(2025, 2, 24), 28, (6, 12, 24))
    assert found.ae_window == (0, 90)
    assert read_study(STUDY, {"data_cut": "none"}).study.parameters.data_cut is None
    assert parameters() == read_study(STUDY).study.parameters


def test_a_study_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(StudyError) as caught:
        find_study("bsab-cart-dlbc")
    assert "did you mean `bsab-cart-dlbcl`?" in caught.value.hint


def whole(folder: Path) -> StudyFolder:
    return read_study(folder)


def test_the_fingerprint_changes_with_every_file_that_matters_and_with_no_other(edited: Copy, tmp_path: Path) -> None:
    real = read_study(STUDY).study.fingerprint
    folder = edited(TOML, "", (MAPPINGS / TOML).read_text(encoding="utf-8"))
    assert whole(folder).study.fingerprint == real
    (folder / "published" / "2025-08-01.csv").write_text("x")
    (folder / "notes.md").write_text("x")
    assert whole(folder).study.fingerprint == real
    assert read_study(STUDY, {"digits": "2"}).study.fingerprint != real
    units = tmp_path / "mappings" / "common" / "units.toml"
    units.write_text(units.read_text(encoding="utf-8") + "# \n", encoding="utf-8")
    assert whole(folder).study.fingerprint != real


def test_a_site_adds_codes_and_words_of_its_own_without_code(edited: Copy) -> None:
    added = """{"resourceType": "ConceptMap", "group": [
      {"source": "urn:oid:1.2.3", "target": "https://fhir-adapter.example.org/fhir/CodeSystem/agent",
       "element": [{"code": "4711", "target": [{"code": "glofitamab"}]}]},
      {"source": "https://fhir-adapter.example.org/fhir/CodeSystem/text",
       "target": "https://fhir-adapter.example.org/fhir/CodeSystem/agent",
       "element": [{"code": "Wundermittel", "target": [{"code": "epcoritamab"}]},
                   {"code": "rituximab", "target": [{"code": "obinutuzumab"}]}]}]}"""
    from fhir_adapter.fhir.r4 import CodeableConcept, Coding

    table = read_study(edited(f"{STUDY}/conceptmaps/medication.json", "", added)).terms["medication"]
    assert table.translate(CodeableConcept((Coding("urn:oid:1.2.3", "4711"),))).code == "glofitamab"
    assert table.translate_text("wundermittel 10mg").code == "epcoritamab"
    assert table.translate_text("rituximab").code == "obinutuzumab"  # the study's own word wins
    assert table.translate_text("tafasitamab").code == "tafasitamab"  # and the common ones stay
