"""What MkDocs is told about this repository (`make site`): pages outside `docs/`, and links as GitHub reads them.

Links in the pages are written for whoever reads them in the repository. Those between pages stay links; what leads to
code becomes its text, because the site does not hold the code.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
# The pages outside docs/, and what they are called on the site; README.md would take the place of index.md.
ELSEWHERE = {
    "README.md": "about.md",
    "GLOSSARY.md": "glossary.md",
    "DEVELOPERS.md": "developers.md",
    "CHANGELOG.md": "changes.md",
    "mappings/README.md": "mappings.md",
}
_IN_REPOSITORY = {uri: path for path, uri in ELSEWHERE.items()}
_LINK = re.compile(r"(!?\[(?P<text>[^\]]*)\])\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
_FENCE = re.compile(r"(^( *)```.*?^\2```$)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Headings get the anchors that they have on GitHub."""
    config.mdx_configs["toc"] = {"slugify": anchor_of}
    return config


def anchor_of(heading: str, separator: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", separator)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, uri in ELSEWHERE.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page with links that lead within the site."""
    here = PurePosixPath(page.file.src_uri)
    source = PurePosixPath(_IN_REPOSITORY.get(str(here), f"docs/{here}"))
    known = {file.src_uri for file in files}

    def relinked(found: re.Match[str]) -> str:
        return _relinked(found, here, source, known)

    def told(text: str) -> str:
        return _LINK.sub(relinked, _CODE.sub(_with_plain_bars, text))

    pieces: list[str] = _FENCE.split(markdown)  # text, block, indentation of the block, text, ...
    return "".join(told(text) + block for text, block in zip(pieces[::3], [*pieces[1::3], ""], strict=True))


def _with_plain_bars(code: re.Match[str]) -> str:
    """GitHub wants a bar in a table escaped, also inside code; MkDocs shows the backslash there."""
    return code[0].replace("\\|", "|")


def _relinked(found: re.Match[str], here: PurePosixPath, source: PurePosixPath, known: set[str]) -> str:
    if ":" in found["target"]:
        return found[0]
    path = os.path.normpath(source.parent / found["target"])
    uri = ELSEWHERE.get(path, path.removeprefix("docs/"))
    if uri not in known:
        # A page that is not there stays a link, and ends the build.
        return found[0] if path.endswith(".md") else found["text"]
    return f"{found[1]}({os.path.relpath(uri, here.parent)}{found['anchor'] or ''})"
