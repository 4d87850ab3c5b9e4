"""Tables as Parquet: typed as the codebook says, with label and unit on each column. Equal rows give equal bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.publish.codebook import Column, columns

if TYPE_CHECKING:
    import pyarrow as pa


def parquet_table(table: str, rows: Iterable[Mapping[str, object]]) -> bytes:
    """The rows of one table of the codebook as a Parquet file; what a row does not have is null.

    Dates that may be partial are text, as in the CSV tables; lists are lists; unknown is null.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    described = columns(table)
    told = list(rows)
    schema = pa.schema([_field(one) for one in described])
    arrays = [
        pa.array([_plain(row.get(column.name), column) for row in told], type=field.type)
        for column, field in zip(described, schema, strict=True)
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), sink, compression="snappy", version="2.6")
    return bytes(sink.getvalue().to_pybytes())


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
        case PartialDate():
            return value.iso
        case Decimal():
            return float(value)
        case bool() if column.type == "integer":
            return int(value)
        case date() if column.type == "text":
            return value.isoformat()
        case Sequence() if not isinstance(value, str):
            return list(value)
        case _:
            return value
