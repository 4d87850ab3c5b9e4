"""One way to write a CSV table: fixed columns, ISO dates, `;` in lists, true/false, empty for unknown.

A text that a spreadsheet would take for a formula gets a leading apostrophe; numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import islice

from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.publish.places import Output

Cell = str | int | float | bool | Decimal | date | PartialDate | Sequence[str] | None
Row = Mapping[str, Cell]

_AT_ONCE = 5_000  # rows that are held as text
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_table(columns: Sequence[str], rows: Iterable[Row]) -> bytes:
    """The table as UTF-8 bytes with LF line ends."""
    return heads(columns) + lines(columns, rows)


def write_long_table(file: Output, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """The same into a file, some thousand rows at a time."""
    file.write(heads(columns))
    rest = iter(rows)
    while some := list(islice(rest, _AT_ONCE)):
        file.write(lines(columns, some))


def heads(columns: Sequence[str]) -> bytes:
    """The first line."""
    return _written([columns])


def lines(columns: Sequence[str], rows: Iterable[Row]) -> bytes:
    """The other lines."""
    return _written([_cell(row.get(column)) for column in columns] for row in rows)


def _written(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: Cell) -> str:
    match value:
        case str():
            return _harmless(value)
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case PartialDate():
            return value.iso
        case date():
            return value.isoformat()
        case int() | float() | Decimal():
            return str(value)
        case _:
            return _harmless(";".join(value))


def _harmless(text: str) -> str:
    if text[:1].isalnum() and "\r" not in text:
        return text
    # A carriage return would not be quoted, and end the row for most readers.
    shown = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{shown}" if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else shown
