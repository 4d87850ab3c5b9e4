"""What the pages of the report have in common: how their texts are written into them, and their one style sheet."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fhir_adapter.report.drawing import UNPRINTABLE


@dataclass(frozen=True, slots=True)
class StyleSheet:
    """Our own style sheet. A page allows it by its `hash` alone, so that no style can come in with a text."""

    text: Markup
    hash: str


@cache
def style_sheet(package: str) -> StyleSheet:
    """The `page.css` of a package of the report."""
    text = resources.files(package).joinpath("page.css").read_text("utf-8")
    digest = hashlib.sha256(text.encode()).digest()
    return StyleSheet(Markup(text), base64.b64encode(digest).decode())  # noqa: S704 - we wrote it


def templates(package: str, **filters: Callable[..., object]) -> Environment:
    """The templates of a package of the report: every text is escaped, and none is missing in silence."""
    made = Environment(
        loader=PackageLoader(package, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    made.filters.update(filters)
    return made


def _printable(value: object) -> object:
    """A text without what would turn the direction of the text around it, or what a page cannot hold."""
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value) if type(value) is str else value
