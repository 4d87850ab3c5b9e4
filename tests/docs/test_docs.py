"""What the documentation names exists: commands, flags, targets, files, links. It names no package registry."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from command_line import FLAGS, TARGETS, VERBS, is_ours, parse
from pages import PAGES, ROOT, Page, page

# Only these hosts may stand in an address: names kept for examples, this machine, the URIs of terminologies, and public
# sandboxes.
HOSTS = re.compile(
    r"(.*\.)?example(\.org)?|127\.0\.0\.1|hl7\.org|loinc\.org|unitsofmeasure\.org"
    r"|hapi\.fhir\.org|(r4|bulk-data)\.smarthealthit\.org"
)
OUR_FOLDERS = ("fhir_adapter/", "mappings/", "fixtures/", "tests/", "docs/", ".ci/")


@pytest.mark.parametrize(
    ("where", "line"), [(one, line) for one in PAGES for line in one.commands()], ids=lambda value: str(value)[:70]
)
def test_every_command_in_a_code_block_can_be_given(where: Page, line: str) -> None:
    first, *words = shlex.split(line)
    if is_ours(first):
        parse(words)
    elif first == "make":
        assert {word for word in words if "=" not in word} <= TARGETS
    elif first == "cp":
        assert (ROOT / words[-2]).exists()
    else:
        assert first in ("python", ".venv/bin/python", ".venv/bin/ruff"), f"{where}: nobody checks `{first}`"


@pytest.mark.parametrize("where", PAGES, ids=repr)
def test_every_command_in_a_sentence_exists(where: Page) -> None:
    for code in where.inline():
        first, _, rest = code.partition(" ")
        if first == "fhir-adapter" and rest:
            parse(shlex.split(rest))
        if first == "make" and rest:
            assert rest.split()[0] in TARGETS
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", code):
            assert flag in FLAGS | {"--help"}, f"{where}: {flag}"


@pytest.mark.parametrize("where", PAGES, ids=repr)
def test_every_link_leads_somewhere(where: Page) -> None:
    for link in where.links():
        target, _, anchor = link.partition("#")
        found = where.path.parent / target if target else where.path
        assert found.exists(), f"{where}: {link}"
        assert not anchor or anchor in Page(found).anchors(), f"{where}: {link}"


@pytest.mark.parametrize("where", PAGES, ids=repr)
def test_every_file_that_is_named_exists(where: Page) -> None:
    for code in where.inline():
        if code.startswith(OUR_FOLDERS) and not re.search(r"[<>*\s]|NAME", code):
            assert (ROOT / code).exists(), f"{where}: {code}"


@pytest.mark.parametrize("where", PAGES, ids=repr)
def test_only_example_hosts_are_named(where: Page) -> None:
    for host in re.findall(r"https?://([^/\s:`\"')]+)", where.text):
        assert HOSTS.fullmatch(host), f"{where}: {host}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [page("README.md").path.resolve()]
    while waiting:
        here = waiting.pop()
        if here in reached:
            continue
        reached.add(here)
        links = (link.partition("#")[0] for link in Page(here).links())
        waiting += [(here.parent / link).resolve() for link in links if link.endswith(".md")]
    assert {one.path.resolve() for one in PAGES} <= reached


def test_every_verb_is_told_in_the_changes() -> None:
    told = page("CHANGELOG.md").text
    assert [verb for verb in VERBS if f"`{verb}`" not in told and f"`fhir-adapter {verb}`" not in told] == []


def test_every_folder_of_tests_is_described() -> None:
    told = page("DEVELOPERS.md").text
    folders = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "tests").glob("*/test_*.py")}
    assert [folder for folder in sorted(folders) if f"`{folder}/`" not in told] == []


def test_every_word_of_code_in_the_glossary_is_in_the_code() -> None:
    kinds = {".py", ".toml", ".json", ".csv"}
    folders = (ROOT / "fhir_adapter", ROOT / "mappings")
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in kinds]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    names = {path.name for path in files} | {folder.name for path in files for folder in path.parents}
    words = {word.rstrip("/") for word in page("GLOSSARY.md").inline()} - {"code"}
    assert sorted(word for word in words if word not in code and word not in names) == []
