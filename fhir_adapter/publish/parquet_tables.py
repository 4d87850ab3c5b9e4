"""Tables as Parquet: typed as the codebook says, with label and unit on each column. Equal rows give equal bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING

from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.publish.codebook import Column, columns

if TYPE_CHECKING:
    import pyarrow as pa


_AT_ONCE = 1_000  # rows
_ROW_GROUP = 1 << 17  # rows; as many are held, as Arrow does it, before they are compressed

Cells = tuple[object, ...]


def parquet_table(table: str, rows: Iterable[Mapping[str, object]]) -> bytes:
    """The rows of one table of the codebook as a Parquet file; what a row does not have is null.

    Dates that may be partial are text, as in the CSV tables; lists are lists; unknown is null.
    """
    whole, rest = ParquetTable(table), iter(rows)
    while some := list(islice(rest, _AT_ONCE)):
        whole.add(cells(table, some))
    return whole.finished()


def cells(table: str, rows: Iterable[Mapping[str, object]]) -> list[Cells]:
    """The cells of each row as Arrow takes them, in the order of the codebook."""
    described = columns(table)
    return [tuple(_plain(row.get(column.name), column) for column in described) for row in rows]


class ParquetTable:
    """A table that grows. The file does not depend on how many rows come at once."""

    def __init__(self, table: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._schema = pa.schema([_field(one) for one in columns(table)])
        self._sink = pa.BufferOutputStream()
        self._file = pq.ParquetWriter(self._sink, self._schema, compression="snappy", version="2.6")
        self._rows: list[Cells] = []
        self._waiting: list[pa.Table] = [self._schema.empty_table()]
        self._begun = False

    def add(self, rows: Sequence[Cells]) -> None:
        """Rows as `cells` gives them."""
        self._rows += rows
        if len(self._rows) >= _AT_ONCE:
            self._pack()

    def finished(self) -> bytes:
        """The whole file."""
        import pyarrow as pa

        self._pack()
        rest = pa.concat_tables(self._waiting)
        if rest.num_rows or not self._begun:
            self._write(rest)
        self._file.close()
        return bytes(self._sink.getvalue().to_pybytes())

    def _pack(self) -> None:
        """The rows as Arrow holds them, many at a time: a table of a few rows is mostly its own frame."""
        import pyarrow as pa

        if not self._rows:
            return
        by_column = zip(self._schema, zip(*self._rows, strict=True), strict=True)
        packed = [pa.array(values, field.type) for field, values in by_column]
        self._waiting.append(pa.Table.from_arrays(packed, schema=self._schema))
        self._rows = []
        while sum(some.num_rows for some in self._waiting) > _ROW_GROUP:
            rest = pa.concat_tables(self._waiting)
            self._write(rest.slice(0, _ROW_GROUP))
            self._waiting = [rest.slice(_ROW_GROUP)]

    def _write(self, rows: pa.Table) -> None:
        self._file.write_table(rows.combine_chunks())
        self._begun = True


def _field(column: Column) -> pa.Field:
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
    }
    told = {"label": column.label, "unit": column.unit}
    return pa.field(column.name, types[column.type], metadata={key: value for key, value in told.items() if value})


def _plain(value: object, column: Column) -> object:
    """A cell as Arrow takes it."""
    match value:
        case None | str():
            return value
        case PartialDate():
            return value.iso
        case Decimal():
            return float(value)
        case bool() if column.type == "integer":
            return int(value)
        case date() if column.type == "text":
            return value.isoformat()
        case tuple() | list():
            return list(value)
        case _:
            return value
