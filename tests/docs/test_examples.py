"""The examples of the documentation do what the pages say when they are run."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import is_ours
from pages import README, ROOT, Page, page
from whole_runs import bundles, command, estimates, files, people, server_with, succeed

from fhir_adapter.fhir.r4 import CodeableConcept, Coding
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
    for name in ("mappings", "fixtures"):
        (tmp_path / name).symlink_to(ROOT / name)
    export = tmp_path / "exports" / "2026-03"
    export.mkdir(parents=True)
    shutil.copy(bundles("SYN-12")[0], export)
    (tmp_path / "patients.txt").write_text("SYN-12\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server() -> Iterator[str]:
    """A server of one's own, with one person of the study."""
    with server_with(bundles("SYN-12")) as sandbox:
        yield sandbox.base_url


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
    assert "18 documents sent" in published
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


def test_the_entries_for_new_codes_are_understood(checkout: Path) -> None:
    for line in examples(NEW_CODES):
        run_example(line)
    names = re.findall(r"`my-study/conceptmaps/(\w+)\.json`", NEW_CODES.prose)
    for name, block in zip(names, NEW_CODES.blocks("json"), strict=True):
        path = checkout / "my-study" / "conceptmaps" / f"{name}.json"
        resource = json.loads(path.read_bytes())
        resource["group"].append(json.loads(block))
        path.write_text(json.dumps(resource), encoding="utf-8")
    terms = read_study("my-study").terms
    rows = list(csv.DictReader(next(b for b in NEW_CODES.blocks("text") if b.startswith("reason,")).splitlines()))
    found = [
        terms[row["table"]].translate(
            CodeableConcept(coding=(Coding(system=row["system"], code=row["code"]),), text=row["text"])
        )
        for row in rows
    ]
    assert [(one.code, one.by) for one in found] == [("neutrophils", "code"), ("glofitamab", "text")]


def test_everything_a_run_leaves_is_described(checkout: Path) -> None:
    out = checkout / "out"
    succeed("run", "--folder", "exports/2026-03", "--out", out)
    headings = re.findall(r"^### (\S+)$", OUTPUTS.text, re.MULTILINE)
    told = {*headings, *OUTPUTS.keys("For statisticians"), *OUTPUTS.keys("report/"), "run.json"}
    left = {re.sub(r"(MeasureReport|Measure)-.*\.json", r"\1-*.json", name) for name in files(out)}
    documents = {f"publish/{name}" for name in ("Measure-*.json", "MeasureReport-*.json", "Provenance.json")}
    assert left == told | documents
    assert all(f"`{name.removeprefix('publish/')}`" in OUTPUTS.section("publish/") for name in documents)
    run = json.loads((out / "run.json").read_bytes())
    assert sorted(OUTPUTS.keys("run.json")) == sorted(run)
    assert {key for key in run["ledger"][0] if f"`{key}`" not in OUTPUTS.text} == set()
    lines = (out / "cohort/findings.ndjson").read_text(encoding="utf-8").splitlines()
    assert OUTPUTS.keys("cohort/findings.ndjson") == list(json.loads(lines[0]))


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
