"""Reads the documentation: its pages, code blocks, tables, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Page:
    """One Markdown file; its printed form is its path, so that a failing test names it."""

    path: Path

    def __repr__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The page without its code blocks."""
        return _BLOCK.sub("", self.text)

    def blocks(self, language: str) -> list[str]:
        """The code blocks of one language, in order."""
        return [body for _, name, body in _BLOCK.findall(self.text) if name == language]

    def commands(self) -> list[str]:
        """Every command of the shell blocks, one a line."""
        lines = (line.strip() for block in self.blocks("sh") for line in block.splitlines())
        return [line for line in lines if line and not line.startswith("#")]

    def inline(self) -> list[str]:
        """Every `code` in the prose."""
        return _INLINE.findall(self.prose)

    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    def anchors(self) -> set[str]:
        """The anchors that headings give."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}

    def section(self, heading: str) -> str:
        """What stands under a heading, up to the next heading of any level."""
        found = re.search(rf"^#+ {re.escape(heading)}$\n(.*?)(?=^#|\Z)", self.text, re.MULTILINE | re.DOTALL)
        assert found, f"{self} has no heading {heading!r}"
        return found.group(1)

    def rows(self, heading: str = "") -> list[list[str]]:
        """The cells of every table row of a section, or of the page, without the head rows."""
        text = self.section(heading) if heading else self.prose
        lines = text.splitlines()
        tables = [
            (line, lines[number + 1] if number + 1 < len(lines) else "")
            for number, line in enumerate(lines)
            if line.startswith("| ") and line.endswith("|")
        ]
        return [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line, following in tables
            if not following.startswith("|---")
        ]

    def keys(self, heading: str) -> list[str]:
        """The `code` in the first cell of each row of a section."""
        return [row[0].strip("`") for row in self.rows(heading)]


def page(name: str) -> Page:
    return Page(ROOT / name)


PAGES = [Page(path) for path in sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "mappings").glob("*.md")])]
README = page("README.md")
