"""A table of the report, as text ready to be shown."""

from __future__ import annotations

from dataclasses import dataclass

DASH = "–"
FAULT = "These numbers do not add up. This is a fault: please report it."


@dataclass(frozen=True, slots=True)
class Table:
    """Column heads and rows of cells; the first cell of a row is its head. `note` stands below."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
