"""The human-readable part of a MeasureReport: one table, generated, with every text escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fhir_adapter.publish.documents import Resource

# XML 1.0 forbids these characters even when escaped.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def escaped(text: str) -> str:
    """`text` as XHTML character data."""
    return html.escape(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text), quote=True)


def report_text(
    measure: Mapping[str, Any], named: Iterable[tuple[Resource, str]], said: Callable[[str], str], caption: str
) -> Resource:
    """The text of a report on a Measure: a row for each group, with what is `said` of the statistic that it names."""
    rows = [(_label(group, name), said(name)) for group, name in named]
    return narrative(str(measure.get("title", measure["id"])), caption, rows)


def narrative(title: str, caption: str, rows: Iterable[tuple[str, str]]) -> Resource:
    """A Narrative with `title`, a line below it, and rows of (statistic, result)."""
    cells = "".join(f"<tr><td>{escaped(name)}</td><td>{escaped(result)}</td></tr>" for name, result in rows)
    table = f"<table><thead><tr><th>Statistic</th><th>Result</th></tr></thead><tbody>{cells}</tbody></table>"
    head = f"<p><b>{escaped(title)}</b></p><p>{escaped(caption)}</p>"
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{head}{table if cells else ""}</div>'
    return {"status": "generated", "div": div}


def _label(group: Resource, name: str) -> str:
    displays = (coding.get("display") for coding in group["code"].get("coding", ()))
    return str(group["code"].get("text") or next((text for text in displays if text), name))
