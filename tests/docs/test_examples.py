"""The examples of the documentation do what the pages say when they are run."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from checkouts import as_checkout
from command_line import is_ours
from pages import README, ROOT, Page, page
from whole_runs import bundles, command, estimates, files, people, succeed

from fhir_adapter.fhir.r4 import CodeableConcept, Coding
from fhir_adapter.mapping.relevance import Why
from fhir_adapter.mapping.study import read_study
from fhir_adapter.pipeline import loading
from fhir_adapter.settings import read_settings

OWN_SERVER = page("docs/how-to/your-own-server.md")
SANDBOXES = page("docs/how-to/sandboxes.md")
NEW_CODES = page("docs/how-to/new-hospital-codes.md")
OUTPUTS = page("docs/reference/outputs.md")
SERVERS = ("https://fhir.hospital.example/r4", "https://reports.example/r4")
# They start a server and wait, or set up an environment; other tests run the demo.
NOT_RUN = ("make", "sandbox", "demo", "schedule")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a checkout, with an export in it, as the working folder."""
    export = as_checkout(tmp_path) / "exports" / "2026-03"
    export.mkdir(parents=True)
    shutil.copy(bundles("SYN-12")[0], export)
    (tmp_path / "patients.txt").write_text("SYN-12\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_example(line: str, server: str = "") -> str:
    """Run one command of a page and give what it printed; the servers of the examples are ours."""
    for example in SERVERS:
        line = line.replace(example, server)
    first, *words = shlex.split(line.replace(" ID ", " SYN-12 "))
    if is_ours(first):
        return succeed(*words).out
    program = sys.executable if first == "python" else first
    return subprocess.run([program, *words], check=True, capture_output=True, encoding="utf-8").stdout


def examples(where: Page) -> list[str]:
    return [line for line in where.commands() if not set(line.split()[:2]) & set(NOT_RUN)]


def test_the_commands_of_the_readme_work_and_give_its_numbers(checkout: Path, server: str) -> None:
    out = checkout / "out" / "folder"
    told: dict[str, str] = {}
    found: dict[str, dict[str, Any]] = {}
    for line in examples(README):
        verb, text = line.split()[1], run_example(line, server)
        if "out/folder" in line:
            told[verb], found[verb] = text, estimates(out)
    assert list(told) == ["run", "explain", "status", "analyze", "report"]
    assert "12 of 12 Patients are in the cohort" in told["run"]
    assert told["explain"].startswith("Subject SYN-04")
    assert people(out) == [f"SYN-{number:02}" for number in range(1, 13)]
    pfs = [f"{100 * found[verb]['pfs.12m']['value']:.1f} %" for verb in ("run", "analyze")]
    worst = [found[verb]["toxicity.neutrophil-count-decreased.grade3"] for verb in ("run", "report")]
    assert f"PFS at 12 months from {pfs[0]} to {pfs[1]}" in README.text
    numbers = f"{worst[0]['numerator']} to {worst[1]['numerator']} of {worst[1]['denominator']}"
    assert f"neutropenia of grade 3 or higher from {numbers}" in README.text


def test_the_readme_counts_the_published_figures() -> None:
    tables = sorted((ROOT / "mappings/bsab-cart-dlbcl/published").glob("*.csv"))
    rows = [len(list(csv.reader(path.open(encoding="utf-8")))) - 1 for path in tables]
    assert f"{rows[0]} and {rows[1]} figures" in re.sub(r"\s+", " ", README.text)


def test_the_notebook_of_the_readme_works(checkout: Path) -> None:
    names: dict[str, Any] = {}
    (code,) = README.blocks("python")
    exec(compile(code, "README.md", "exec"), names)
    cohort = names["cohort"]
    assert len(cohort.subjects) == 11
    told = re.search(r"cohort\.subjects  # a DataFrame; also (.*)", code)
    assert told
    for name in told.group(1).split(", "):
        assert len(getattr(cohort, name).columns) > 3, name
    assert cohort.findings("SYN-04")[0].rule == "eligibility"


def test_the_steps_towards_a_server_of_ones_own_work_as_written(checkout: Path, server: str) -> None:
    """The settings of the page, with an address and an output folder of the test."""
    settings = next(block for block in OWN_SERVER.blocks("toml") if block.startswith("# site.toml"))
    settings = settings.replace(SERVERS[0], server).replace("/srv/fhir-adapter/out", "out/site")
    shutil.copytree(ROOT / "mappings/bsab-cart-dlbcl", "my-study")
    (checkout / "site.toml").write_text(settings, encoding="utf-8")
    told = {line: run_example(line, server) for line in examples(OWN_SERVER)}
    assert [line for line, text in told.items() if "published to" in text] == [
        "fhir-adapter run --config site.toml --publish --publish-to https://reports.example/r4"
    ]
    (published,) = (text for text in told.values() if "published to" in text)
    measures = list((ROOT / "mappings/bsab-cart-dlbcl/measures").glob("*.json"))
    assert f"{2 * len(measures)} documents sent" in published
    assert (checkout / "out/2026-03/cohort/subjects.csv").exists()


def test_the_steps_on_a_test_server_leave_it_as_it_was(
    checkout: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "fixture_bundles", lambda stories=(): iter(bundles("SYN-01")))
    address = "http://127.0.0.1:8080/fhir"
    lines = [
        line.replace(address, server) for line in SANDBOXES.commands() if address in line and is_ours(line.split()[0])
    ]
    told = [run_example(line) for line in lines]
    assert [line.split()[1] for line in lines] == ["sandbox", "check", "run", "sandbox"]
    assert "1 of 1 Patients are in the cohort" in told[2]
    count = told[0].split()[0]
    assert (told[0].split()[2], told[3].split()[:3]) == ("loaded:", [count, "resources", "removed:"])


def test_a_new_hospital_is_taught_as_the_page_says(checkout: Path) -> None:
    """Every command of the page in its order; the maps are filled in with the page's own entries."""
    told: dict[str, str] = {}
    for line in examples(NEW_CODES):
        if "--config" in line and not Path("site.toml").exists():
            _fill_in_as_told(Path("out/new-hospital/unmapped"))
        told[line.split()[1]] = run_example(line)
    assert NEW_CODES.blocks("text") == [told["unmapped"].partition("  out/")[0]]
    for verb in ("run", "build"):
        sentence = re.search(r"\d of 2 Patients are in the cohort", told[verb])
        assert sentence
        assert f"`{sentence[0]}`" in NEW_CODES.text
    assert told["explain"].startswith("Subject HG-01")
    asked = json.loads(Path("out/new-hospital/run.json").read_bytes())["asked"]["conceptmaps"]["files"]
    assert sum(one["decided"] for one in asked.values()) == 7


def _fill_in_as_told(drafts: Path) -> None:
    """The drafts, filled in with the entries of the page, and the settings that name them."""
    groups = [json.loads(block) for block in NEW_CODES.blocks("json")]
    entries = {one["code"]: one["target"] for group in groups for one in group["element"]}
    pairs = re.findall(r"`(\S+)`:\s+`([a-z]+)`", NEW_CODES.prose)
    entries |= {code: [{"code": target, "equivalence": "equivalent"}] for code, target in pairs}
    Path("conceptmaps").mkdir()
    for path in drafts.glob("*.json"):
        draft = json.loads(path.read_bytes())
        for element in [element for group in draft["group"] for element in group["element"]]:
            element["target"] = entries[element["code"]]
        Path("conceptmaps", path.name).write_text(json.dumps(draft), encoding="utf-8")
    (settings,) = NEW_CODES.blocks("toml")
    Path("site.toml").write_text(settings, encoding="utf-8")


def test_a_contradiction_that_is_meant_is_written_as_the_page_says(checkout: Path) -> None:
    *_, replacing = (json.loads(block) for block in NEW_CODES.blocks("json"))
    Path("conceptmaps").mkdir()
    Path("conceptmaps/observation.json").write_text(
        json.dumps({"resourceType": "ConceptMap", "status": "draft", "group": [replacing]}), encoding="utf-8"
    )
    table = read_study("bsab-cart-dlbcl", {}, Path("conceptmaps")).terms["observation"]
    coding = Coding(system=replacing["source"], code="7799-0")
    assert table.translate(CodeableConcept(coding=(coding,))).code == "d-dimer-ddu"


def test_every_reason_why_a_code_may_matter_is_described() -> None:
    told = {
        code for row in NEW_CODES.rows("2. See what was not understood") for code in re.findall(r"`([a-z-]+)`", row[1])
    }
    given = {why for part in get_args(Why) for why in get_args(part)}
    assert given <= told
    assert "looks-alike" in given


def test_everything_a_run_leaves_is_described(checkout: Path) -> None:
    out = checkout / "out"
    succeed("run", "--folder", "exports/2026-03", "--out", out)
    headings = re.findall(r"^### (\S+)$", OUTPUTS.text, re.MULTILINE)
    told = {*headings, *OUTPUTS.keys("For statisticians"), *OUTPUTS.keys("report/"), "run.json"}
    left = {_as_described(name) for name in files(out)}
    documents = {f"publish/{name}" for name in ("Measure-*.json", "MeasureReport-*.json", "Provenance.json")}
    for_many = {"report/states.svg"}  # in place of the lanes of single people
    assert left == (told | documents) - for_many
    assert all(f"`{name.removeprefix('publish/')}`" in OUTPUTS.section("publish/") for name in documents)
    run = json.loads((out / "run.json").read_bytes())
    assert sorted(OUTPUTS.keys("run.json")) == sorted(run)
    assert {key for key in run["ledger"][0] if f"`{key}`" not in OUTPUTS.text} == set()
    lines = (out / "cohort/findings.ndjson").read_text(encoding="utf-8").splitlines()
    assert OUTPUTS.keys("cohort/findings.ndjson") == list(json.loads(lines[0]))


def _as_described(name: str) -> str:
    """The name under which the page tells of a file: documents by kind, figures once, those of subgroups together."""
    name = re.sub(r"(MeasureReport|Measure)-.*\.json", r"\1-*.json", name)
    name = re.sub(r"^(report/.+)\.png$", r"\1.svg", name)
    return re.sub(r"km-(pfs|os)-by-.+\.svg", "km-pfs-by-COLUMN.svg", name)


def test_a_flag_wins_over_the_environment_and_both_over_the_file(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of precedence that `docs/reference/settings.md` gives; parameters are merged key by key."""
    file = checkout / "site.toml"
    file.write_text("page-size = 10\n[set]\ndata_cut = 2025-03-01\ngap_days = 90\n", encoding="utf-8")
    assert settings_of(file) == (10, {"data_cut": "2025-03-01", "gap_days": "90"})
    monkeypatch.setenv("FHIR_ADAPTER__PAGE_SIZE", "20")
    monkeypatch.setenv("FHIR_ADAPTER__SET__DATA_CUT", "2025-04-01")
    assert settings_of(file) == (20, {"data_cut": "2025-04-01", "gap_days": "90"})
    given = {"page_size": 30, "set": {"data_cut": "none"}}
    assert settings_of(file, **given) == (30, {"data_cut": "none", "gap_days": "90"})


def settings_of(file: Path, **flags: object) -> tuple[int, dict[str, str]]:
    found = read_settings(file, flags, need_source=False)
    return found.page_size, found.set


def test_a_command_with_an_unknown_flag_fails() -> None:
    """The commands above are really run: the program refuses what it does not know."""
    assert command("run", "--no-such-flag").code == 2
