"""`unmapped` as a new hospital uses it: codes nobody knows, a list, drafts filled in, and the next build knows them."""

from __future__ import annotations

import csv
import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from whole_runs import ROOT, bundles, command, resources, succeed, tree, write_ndjson

NEW_HOSPITAL = ROOT / "fixtures" / "new-hospital"
ANSWERS = {
    "LYM-07": "dlbcl",
    "4711": "glofitamab",
    "P-77": "leukapheresis",
    "F-210": "response",
    "NEU#": "neutrophils",
    "6690-2": "leukocytes",
}
NAMES = ("Muster", "Erna", "HG-01", "HG-02", "GLF", "NEU-A", "Aqua", "Lymphom", "Zellgewinnung", "1961")


@pytest.fixture(scope="module")
def first_look(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a hospital's first run, not a single code of its own being known, and what that left."""
    out = tmp_path_factory.mktemp("new") / "out"
    succeed("fetch", "--folder", NEW_HOSPITAL, "--out", out)
    succeed("build", "--out", out)
    assert rows(out / "cohort" / "subjects.csv") == []
    before = tree(out / "cohort") | {"run": (out / "run.json").read_text("utf-8")}
    ended = succeed("unmapped", "--out", out)
    assert tree(out / "cohort") | {"run": (out / "run.json").read_text("utf-8")} == before
    (out.parent / "told.txt").write_text(ended.told, encoding="utf-8")
    return out


@pytest.fixture
def out(first_look: Path, tmp_path: Path) -> Path:
    """A copy of it, with its list and drafts."""
    shutil.copytree(first_look, tmp_path / "out", symlinks=True)
    return tmp_path / "out"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def drafts(folder: Path) -> dict[str, Any]:
    return {path.name: json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))}


def elements(folder: Path) -> dict[str, dict[str, Any]]:
    """Every element of the drafts by its code or text."""
    groups = [group for draft in drafts(folder).values() for group in draft.get("group", [])]
    return {element["code"]: element for group in groups for element in group["element"]}


def fill_in(folder: Path, answers: dict[str, str]) -> None:
    """What a pharmacist does: a code of the study, or that it is none of them."""
    for name, draft in drafts(folder).items():
        for element in [element for group in draft["group"] for element in group["element"]]:
            if answer := answers.get(element["code"]):
                element["target"] = [{"code": answer, "equivalence": "equivalent"}]
            elif element["code"].startswith("Aqua"):
                element["target"] = [{"equivalence": "disjoint"}]
        (folder / name).write_text(json.dumps(draft, ensure_ascii=False), encoding="utf-8")


def settings(home: Path, maps: Path) -> Path:
    config = home / "site.toml"
    config.write_text(f'conceptmaps = "{maps}"\n', encoding="utf-8")
    return config


def test_a_new_hospital_teaches_its_codes_in_one_round(out: Path, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    shutil.copytree(out / "unmapped", maps)
    fill_in(maps, ANSWERS)
    config = settings(tmp_path, maps)
    told = succeed("build", "--out", out, "--config", config)
    assert "1 of 2 Patients are in the cohort" in told.out
    (person,) = rows(out / "cohort" / "subjects.csv")
    assert (person["subject_id"], person["bsab_agents"], person["apheresis_date"]) == (
        "HG-01",
        "glofitamab",
        "2024-06-03",
    )
    assert (person["bsab_failure"], person["best_response"]) == ("refractory", "CR")
    assert {row["observable"] for row in rows(out / "cohort" / "labs.csv")} == {"neutrophils", "leukocytes"}
    left = succeed("unmapped", "--out", out, "--config", config)
    assert "could have mattered" not in left.out
    assert drafts(out / "unmapped") == {}


def test_the_results_name_the_maps_they_rest_on(out: Path, tmp_path: Path) -> None:
    fill_in(out / "unmapped", ANSWERS)
    succeed("publish", "--out", out, "--config", settings(tmp_path, out / "unmapped"))
    asked = json.loads((out / "run.json").read_bytes())["asked"]["conceptmaps"]
    assert asked["folder"] == str(out / "unmapped")
    assert sorted(asked["files"]) == ["condition.json", "medication.json", "observation.json", "procedure.json"]
    about = asked["files"]["medication.json"]
    assert (about["decided"], about["replacing"], len(about["sha256"])) == (2, 0, 64)
    provenance = (out / "publish" / "Provenance.json").read_text("utf-8")
    assert f'"value": "sha256:{about["sha256"]}"' in provenance
    assert "identifier/input/conceptmap-medication" in provenance
    assert "In the cohort" in succeed("explain", "HG-01", "--out", out).out  # with the maps of the last run


def test_the_list_says_what_could_have_mattered_and_about_how_many_people(out: Path) -> None:
    listed = {row["code"] or row["text"]: row for row in rows(out / "unmapped" / "list.csv")}
    assert {key: (row["matters"], row["why"]) for key, row in listed.items()} == {
        "F-210": ("likely", "answer-is-known"),
        "LYM-07": ("likely", "looks-alike"),
        "6690-2": ("likely", "known-in-another-system"),
        "P-77": ("likely", "looks-alike"),
        "4711": ("perhaps", "not-ruled-out"),
        "NEU#": ("perhaps", "unit-fits"),
        "Aqua ad inj.": ("perhaps", "not-ruled-out"),
        "C09AA05": ("no", "another-class"),
        "4899": ("no", "nobody-undecided"),
        "RR-S": ("no", "another-measurement"),
    }
    assert (listed["4711"]["records"], listed["4711"]["patients"], listed["4711"]["undecided"]) == ("3", "1", "1")
    assert (listed["4899"]["patients"], listed["4899"]["undecided"]) == ("1", "0")
    assert listed["NEU#"]["candidates"] == "leukocytes;lymphocytes;neutrophils;platelets"
    assert listed["4711"]["example"] == "MedicationAdministration/HG-01-glf-1/_history/1"


def test_the_drafts_hold_what_matters_and_translate_nothing_by_themselves(out: Path, tmp_path: Path) -> None:
    found = elements(out / "unmapped")
    assert sorted(found) == sorted([*ANSWERS, "Aqua ad inj."])
    assert {target["equivalence"] for one in found.values() for target in one["target"]} == {"unmatched"}
    assert [target for one in found.values() for target in one["target"] if "code" in target] == []
    told = succeed("build", "--out", out, "--config", settings(tmp_path, out / "unmapped"))
    assert "0 of 2 Patients are in the cohort" in told.out
    codes = {row["code"] for row in rows(out / "unmapped" / "codes.csv") if row["table"] == "medication"}
    assert {"glofitamab", "axicabtagene-ciloleucel"} <= codes


def test_drafts_are_valid_r4(out: Path) -> None:
    from fhir.resources.R4B.conceptmap import ConceptMap

    fill_in(out / "unmapped", {"4711": "glofitamab"})
    for draft in drafts(out / "unmapped").values():
        ConceptMap.model_validate(draft)


def test_no_text_of_a_record_gets_to_the_screen_or_to_others(first_look: Path) -> None:
    out, told = first_look, (first_look.parent / "told.txt").read_text("utf-8")
    for name in NAMES:
        assert name not in told
    assert "4711" in told
    assert "a text (line " in told
    assert {stat.S_IMODE(path.stat().st_mode) for path in (out / "unmapped").iterdir()} == {0o600}
    assert stat.S_IMODE((out / "unmapped").stat().st_mode) == 0o700


def test_what_is_filled_in_is_kept_when_the_drafts_are_renewed(out: Path) -> None:
    fill_in(out / "unmapped", {"4711": "glofitamab"})
    before = elements(out / "unmapped")
    succeed("unmapped", "--out", out)
    assert elements(out / "unmapped") == before
    assert before["4711"]["target"] == [{"code": "glofitamab", "equivalence": "equivalent"}]


def test_drafts_can_be_used_where_they_are(out: Path, tmp_path: Path) -> None:
    fill_in(out / "unmapped", ANSWERS)
    config = settings(tmp_path, out / "unmapped")
    assert "1 of 2" in succeed("build", "--out", out, "--config", config).out
    succeed("unmapped", "--out", out, "--config", config)
    assert elements(out / "unmapped")["NEU#"]["target"][0]["code"] == "neutrophils"
    assert "1 of 2" in succeed("build", "--out", out, "--config", config).out


def test_the_same_records_give_the_same_files(out: Path) -> None:
    once = tree(out / "unmapped")
    succeed("unmapped", "--out", out)
    assert tree(out / "unmapped") == once


@pytest.mark.parametrize(
    "content", ["{", '{"resourceType": "Patient"}', '{"resourceType": "ConceptMap", "group": [1]}']
)
def test_a_draft_that_somebody_has_broken_is_not_thrown_away(content: str, out: Path) -> None:
    draft = out / "unmapped" / "medication.json"
    draft.write_text(content, encoding="utf-8")
    ended = command("unmapped", "--out", out)
    assert ended.code == 2
    assert "medication.json" in ended.err
    assert "Traceback" not in ended.told
    assert draft.read_text("utf-8") == content


def test_a_slip_in_a_map_ends_the_build_and_leaves_the_last_results(out: Path, tmp_path: Path) -> None:
    before = (out / "run.json").read_bytes()
    fill_in(out / "unmapped", {"4711": "glofitamap"})
    ended = command("build", "--out", out, "--config", settings(tmp_path, out / "unmapped"))
    assert ended.code == 2
    assert "`4711`" in ended.err
    assert "did you mean `glofitamab`?" in ended.err
    assert (out / "run.json").read_bytes() == before


def test_a_hospital_whose_codes_are_all_known_is_told_so(tmp_path: Path) -> None:
    write_ndjson(tmp_path / "in" / "Patient.ndjson", resources(bundles("SYN-12", "shared")))
    succeed("fetch", "--folder", tmp_path / "in", "--out", tmp_path / "out")
    told = succeed("unmapped", "--out", tmp_path / "out").out.splitlines()
    assert told[1] == "the study knows every code and text that was read about them"
    assert rows(tmp_path / "out" / "unmapped" / "list.csv") == []


def test_people_whom_nobody_has_read_are_told(tmp_path: Path) -> None:
    """Whose every code is unknown is passed over where a folder is read about the people of the study alone."""
    shutil.copytree(NEW_HOSPITAL, tmp_path / "in")
    stranger = {"resourceType": "Patient", "id": "HG-03", "meta": {"versionId": "1"}, "gender": "male"}
    (tmp_path / "in" / "more.ndjson").write_text(json.dumps(stranger) + "\n", encoding="utf-8")
    succeed("fetch", "--folder", tmp_path / "in", "--out", tmp_path / "out")
    told = succeed("unmapped", "--out", tmp_path / "out").out
    assert "1 Patients of the folder were not read" in told
    assert 'folder_people = "everybody"' in told


def test_nothing_fetched_is_told(tmp_path: Path) -> None:
    ended = command("unmapped", "--out", tmp_path / "empty")
    assert ended.code == 2
    assert not (tmp_path / "empty" / "unmapped").exists()


def test_every_column_of_the_list_is_described() -> None:
    from fhir_adapter.pipeline.unmapped import CODES_COLUMNS, LIST_COLUMNS

    page = (ROOT / "docs/reference/outputs.md").read_text("utf-8").partition("## unmapped/")[2].partition("\n## ")[0]
    told = [line.split("|")[1].strip().strip("`") for line in page.splitlines() if line.startswith("| `")]
    assert told == list(LIST_COLUMNS)
    assert all(f"`{column}`" in page for column in CODES_COLUMNS)
