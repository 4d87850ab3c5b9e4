"""What the software says to people: every text of its code, with … where a value stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from pages import ROOT

VALUE = "…"


@cache
def sentences() -> str:
    """All of them, one a line."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "fhir_adapter").rglob("*.py")))
    return "\n".join(text for tree in trees for text in _texts(tree))


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
