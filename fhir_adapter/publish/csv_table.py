"""One way to write a CSV table: fixed columns, ISO dates, `;` in lists, true/false, empty for unknown.

A text that a spreadsheet would take for a formula gets a leading apostrophe; numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from fhir_adapter.fhir.dates import PartialDate

Cell = str | int | float | bool | Decimal | date | PartialDate | Sequence[str] | None
Row = Mapping[str, Cell]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_table(columns: Sequence[str], rows: Iterable[Row]) -> bytes:
    """The table as UTF-8 bytes with LF line ends."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return text.getvalue().encode()


def _cell(value: Cell) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return _harmless(value)
        case PartialDate():
            return value.iso
        case date():
            return value.isoformat()
        case int() | float() | Decimal():
            return str(value)
        case _:
            return _harmless(";".join(value))


def _harmless(text: str) -> str:
    # A carriage return would not be quoted, and end the row for most readers.
    shown = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{shown}" if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else shown
