"""The documentation builds to a site that asks no other host for anything."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort
from pages import DOCS, PAGES, ROOT, Page

MOVED = {
    "README.md": "about",
    "GLOSSARY.md": "glossary",
    "DEVELOPERS.md": "developers",
    "CHANGELOG.md": "changes",
    "mappings/README.md": "mappings",
}
# What a browser fetches by itself; a link waits for somebody to follow it.
FETCHED = re.compile(r"<(?:script|img|iframe|source)[^>]*\ssrc=\"([^\"]+)\"|<link[^>]*\shref=\"([^\"]+)\"")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder)))
    return folder


def path_on_site(one: Page) -> str:
    uri = one.path.relative_to(ROOT).as_posix()
    return f"{MOVED.get(uri, uri.removeprefix('docs/').removesuffix('.md'))}.html"


@pytest.mark.parametrize("one", PAGES, ids=repr)
def test_every_page_is_on_the_site_with_its_code_blocks(site: Path, one: Page) -> None:
    text = (site / path_on_site(one)).read_text(encoding="utf-8")
    heading = re.search(r"^# (.+)$", one.text, re.MULTILINE)
    assert heading
    assert "</h1>" in text
    assert "```" not in text
    assert text.count("<pre><code") == len(re.findall(r"^```\w", one.text, re.MULTILINE))


def test_a_browser_fetches_nothing_from_elsewhere(site: Path) -> None:
    pages = [path.read_text(encoding="utf-8") for path in site.rglob("*.html")]
    fetched = {one or other for text in pages for one, other in FETCHED.findall(text)}
    assert len(fetched) > 3
    assert [address for address in fetched if re.match(r"(\w+:)?//", address)] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", styles) == []


def test_every_link_between_pages_is_a_link_on_the_site(site: Path) -> None:
    for path in set(site.rglob("*.html")) - {site / "404.html"}:  # that one is for servers
        for target in re.findall(r'<a[^>]*\shref="(?!https:)([^"#]+)', path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path) -> None:
    docs = shutil.copytree(DOCS, tmp_path / "docs")
    with (docs / "index.md").open("a", encoding="utf-8") as index:
        index.write("\n[Nowhere](how-to/nowhere.md)\n")
    with pytest.raises(Abort):
        build(load_config(str(ROOT / "mkdocs.yml"), docs_dir=str(docs), site_dir=str(tmp_path / "site")))
