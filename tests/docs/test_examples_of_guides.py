"""The commands of the tutorial, the how-tos and the explanations, page by page, as a reader gives them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from checkouts import as_checkout
from command_line import is_ours
from pages import PAGES, Page, page
from whole_runs import succeed

from fhir_adapter.cohort.parameters import Parameters
from fhir_adapter.pipeline import loading
from fhir_adapter.settings import read_settings

TUTORIAL = page("docs/tutorial/first-question.md")
ADJUDICATION = page("docs/how-to/adjudication.md")
BULK = page("docs/how-to/bulk-export.md")
INCREMENTAL = page("docs/how-to/incremental.md")
LOGIN = page("docs/how-to/authentication.md")
NIGHTS = page("docs/how-to/every-night.md")
NEW_STUDY = page("docs/how-to/new-study.md")
ON_RESULTS = [
    page("docs/how-to/one-person.md"),
    page("docs/explanation/from-records-to-verdicts.md"),
    page("docs/explanation/reading-statistics.md"),
]
RUN_HERE = [TUTORIAL, ADJUDICATION, BULK, INCREMENTAL, LOGIN, NIGHTS, NEW_STUDY, *ON_RESULTS]
RUN_ELSEWHERE = [page(name) for name in ("README.md", "docs/how-to/your-own-server.md", "docs/how-to/sandboxes.md")]
RUN_ELSEWHERE += [page("docs/how-to/new-hospital-codes.md"), page("docs/how-to/spark.md")]
# Its one command is that of the page about a server of one's own.
SHOWN = [page("docs/reference/settings.md")]
# These wait until they are stopped; tests/unattended and tests/sandbox run them.
WAIT = ("fhir-adapter sandbox --port", "fhir-adapter schedule --")
LANGUAGES = {"sh", "text", "toml", "json", "python", "sql", "r"}
SERVERS = ("https://fhir.hospital.example/r4", "http://127.0.0.1:8080/fhir")


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A checkout in which somebody has followed the tutorial, and what each of its commands has printed."""
    home = as_checkout(tmp_path_factory.mktemp("tutorial"))
    lines = {line.split()[1]: line for line in _ours(TUTORIAL)}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        told = {"run": _run(lines.pop("run"))}
        for copy in ("out/demo/2025-08-01", "out/folder"):  # of the same people at the same cut
            shutil.copytree("out/tutorial", copy, symlinks=True)
        told |= {verb: _run(line) for verb, line in lines.items()}
    return home, told


@pytest.fixture
def home(tutorial: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that checkout with results in `out/folder`, as the working folder."""
    as_checkout(tmp_path)
    shutil.copytree(tutorial[0] / "out/folder", tmp_path / "out/folder", symlinks=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _ours(where: Page) -> list[str]:
    return [line for line in where.commands() if is_ours(line.split()[0]) and not line.startswith(WAIT)]


def _run(line: str) -> str:
    return succeed(*shlex.split(line)[1:]).out


def test_every_page_with_commands_is_run() -> None:
    with_commands = {one.path for one in PAGES if _ours(one)}
    assert with_commands == {one.path for one in [*RUN_HERE, *RUN_ELSEWHERE, *SHOWN]}


def test_the_tutorial_shows_what_is_printed(tutorial: tuple[Path, dict[str, str]]) -> None:
    _, told = tutorial
    assert list(told) == ["run", "explain", "report", "diff"]
    assert "12 of 12 Patients are in the cohort" in told["run"]
    _, verdict, changed = TUTORIAL.blocks("text")
    assert verdict in told["explain"]
    assert changed in told["diff"]


def test_the_parts_of_the_report_that_the_tutorial_names_are_there(tutorial: tuple[Path, dict[str, str]]) -> None:
    report = (tutorial[0] / "out/tutorial/report/index.html").read_text(encoding="utf-8")
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", report)
    named = [name.rstrip(".") for name in re.findall(r"^\d\. \*\*(.+?)\*\*", TUTORIAL.text, re.MULTILINE)]
    assert len(named) == 6
    assert [name for name in named if name not in headings] == []


def test_the_tutorial_counts_what_the_demo_loads() -> None:
    assert f"{len(list(loading.fixture_bundles()))} Bundles of invented patients" in TUTORIAL.text


def test_the_tutorial_says_what_the_question_moves(tutorial: tuple[Path, dict[str, str]]) -> None:
    _, told = tutorial
    moved = re.findall(r"^  (\S+?)(?: \(.*\))?: ", told["diff"].partition("estimates: ")[2], re.MULTILINE)
    assert "failure.refractory" in moved
    of_everybody = [name for name in moved if "bsab_failure" not in name]
    assert {name.partition(".")[0] for name in of_everybody} == {"failure"}


@pytest.mark.parametrize("where", ON_RESULTS, ids=repr)
def test_what_is_asked_of_results_is_answered(home: Path, where: Page) -> None:
    for line in _ours(where):
        assert _run(line)


def test_a_decision_is_written_down_and_used_as_told(home: Path) -> None:
    _, opened = [_run(line) for line in _ours(ADJUDICATION)]
    assert "refractory" in opened
    table = home / "adjudication.csv"
    head, line = table.read_text(encoding="utf-8").splitlines()
    assert head == ADJUDICATION.blocks("text")[0].splitlines()[0]
    person, rule, *_, evidence = line.split(",")
    table.write_text(f"{head}\n{person},{rule},relapsed,A. Chen,2026-03-14,seen again,{evidence}\n", encoding="utf-8")
    (settings,) = ADJUDICATION.blocks("toml")
    (home / "site.toml").write_text(settings, encoding="utf-8")
    _run("fhir-adapter build --config site.toml --out out/folder")
    assert "failure: relapsed" in _run("fhir-adapter explain SYN-04 --out out/folder")


def test_another_study_runs_as_told(home: Path) -> None:
    run, explain = [_run(line) for line in _ours(NEW_STUDY)]
    sentence = re.search(r"\d+ of \d+ Patients are in the cohort", run)
    assert sentence
    assert f"`{sentence[0]}`" in NEW_STUDY.text
    assert explain.startswith("Subject MM-05")


def test_a_bulk_export_is_fetched_as_told(home: Path, server: str) -> None:
    settings, _ = BULK.blocks("toml")
    settings = settings.replace('"group"', '"system"').replace(SERVERS[0], server)
    (home / "site.toml").write_text(re.sub(r"^group.*$", "", settings, flags=re.MULTILINE), encoding="utf-8")
    for line in _ours(BULK):
        told = _run(_at(line, server))
    assert "Patient" in told


def test_earlier_states_are_asked_for_as_told(home: Path, server: str) -> None:
    (home / "site.toml").write_text(f'server = "{server}"\npublish = false\n', encoding="utf-8")
    _run("fhir-adapter fetch --config site.toml")
    _run("fhir-adapter analyze --config site.toml")
    shutil.copytree("out", "kept/2026-03", symlinks=True)
    today = datetime.now(UTC).date().isoformat()
    for line in _ours(INCREMENTAL):
        told = _run(line.replace(" 12", " 1").replace("2026-03-31", today))
    assert json.loads(told)


def test_a_key_is_made_as_told(home: Path, server: str) -> None:
    make, check = _ours(LOGIN)
    assert "keys" in _run(make)
    login, _ = LOGIN.blocks("toml")
    assert set(read_settings(_written(home, f'server = "{server}"\n{login}'), {}).auth.model_fields_set) == {
        "method",
        "client_id",
        "key_file",
    }
    _written(home, f'server = "{server}"\n')
    assert "Patient" in _run(check)


def test_the_state_of_the_nights_is_told(home: Path) -> None:
    _written(home, 'out = "out/folder"\n')
    asked = [line for line in _ours(NIGHTS) if " status" in line]
    assert len(asked) == 3
    for line in asked:
        assert _run(line.replace("/srv/fhir-adapter/", ""))


@pytest.mark.parametrize("where", PAGES, ids=repr)
def test_every_block_says_what_it_is(where: Page) -> None:
    assert set(re.findall(r"^ *```(.+)$", where.text, re.MULTILINE)) <= LANGUAGES
    opened = re.findall(r"^ *```(.*)$", where.text, re.MULTILINE)
    assert all(opened[::2])


@pytest.mark.parametrize("where", [one for one in PAGES if one.blocks("toml")], ids=repr)
def test_every_block_of_settings_can_be_read(home: Path, where: Page) -> None:
    for block in where.blocks("toml"):
        if where.path.name == "parameters.md":
            assert Parameters.model_validate({"data_cut": "none", **tomllib.loads(block)}).subgroups
            continue
        text = block if re.search(r"^(server|folder) = ", block, re.MULTILINE) else f'folder = "fixtures"\n{block}'
        assert read_settings(_written(home, text), {})


def _written(home: Path, text: str) -> Path:
    path = home / "site.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def _at(line: str, server: str) -> str:
    for example in SERVERS:
        line = line.replace(example, server)
    return line
