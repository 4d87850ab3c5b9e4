"""FHIR resources in Parquet tables, as Pathling writes them: of every row, the JSON of its resource.

A table has a column for each element of its type. Names with an underscore are Pathling's own: how many decimals a
number was written with, a number for each element by which its extensions are found, forms to compare by. Rows are read
by the hundred, and of the columns only those in which something stands. What Pathling left out cannot be brought back.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from decimal import Context, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import msgspec

from fhir_adapter.fhir.record import patient_id

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

CUT = "decimal-cut"
"""Why a row is set aside: it had a number with more decimals than the table can hold."""
CONTAINED = "contained-left-out"
"""Why a row is set aside: its drug or product was written inside it, and that is not in the table."""
LEFT_OUT = "tables of Pathling hold no modifier extensions and no contained resources: what those said is not known"
"""What has to be known about whatever is read here, a phrase."""

_ROWS = 500  # at once
_BUFFER = 1 << 16  # bytes of each column that are read ahead
_OWN = "_"
_SCALE = "_scale"
_NUMBER = "_fid"
_EXTENSIONS = "_extension"
_OF_A_TABLE = {"id", "meta"}
_ABOUT = ("subject", "patient", "individual")
_GIVEN = ("medicationReference", "usedReference")
# The Java types inherit from one another, and Pathling writes the value of an extension under both.
_ALSO_UNDER = {
    "valueString": {"valueCode", "valueId", "valueMarkdown"},
    "valueUri": {"valueCanonical", "valueOid", "valueUrl", "valueUuid"},
    "valueInteger": {"valuePositiveInt", "valueUnsignedInt"},
    "valueQuantity": {"valueAge", "valueCount", "valueDistance", "valueDuration"},
}

Element: TypeAlias = Mapping[str, object]
Extensions: TypeAlias = Mapping[int, list[Element]]
_DIGITS = Context(prec=38)  # as many as a column can have
_encoder = msgspec.json.Encoder(decimal_format="number")


class Row(msgspec.Struct, frozen=True):
    """A resource as JSON, and its number in the table from 1. `reason` says why it is not what was written."""

    number: int
    text: bytes
    reason: str = ""


class Damaged(ValueError):
    """It is no Parquet file, or not a whole one."""


def is_table_of_resources(path: Path) -> bool:
    """Has it the columns that every resource has?"""
    try:
        return set(_opened(path).schema_arrow.names) >= _OF_A_TABLE
    except (OSError, Damaged):
        return False


def read_rows(
    path: Path, type: str, people: Collection[str] | None = None, elements: Collection[str] | None = None
) -> Iterator[Row]:
    """The resources of this type in a table. With `people`, ids of Patients, what names only others may be left out;
    with `elements`, any other element. Raises `Damaged`, and `OSError` when it cannot be read.
    """
    import pyarrow as pa

    table, first = _opened(path), 1
    columns = [one for one in _columns_in_use(table) if elements is None or one.split(".")[0] in elements]
    try:
        for batch in table.iter_batches(_ROWS, columns=columns, use_threads=False):
            wanted = _wanted(batch, type, people)
            for at, told in zip(wanted, batch.take(pa.array(wanted, pa.int64())).to_pylist(), strict=True):
                yield _row(first + at, type, told)
            first += batch.num_rows
    except pa.ArrowException:
        raise Damaged from None


def _opened(path: Path) -> pq.ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False, coerce_int96_timestamp_unit="us")
    except pa.ArrowException:
        raise Damaged from None


def _columns_in_use(table: pq.ParquetFile) -> list[str]:
    """The columns in which something stands, by their paths, and of Pathling's own those that are needed."""
    used: set[str] = set()
    for group in range(table.metadata.num_row_groups):
        columns = table.metadata.row_group(group)
        for column in map(columns.column, range(columns.num_columns)):
            if not (column.is_stats_set and column.statistics.null_count == column.num_values):
                used.add(column.path_in_schema)
    extended = any(path.split(".")[0] == _EXTENSIONS for path in used)
    needed = (_SCALE, *((_NUMBER,) if extended else ()))
    return sorted(path for path in used if path.split(".")[0] == _EXTENSIONS or _is_needed(path, needed))


def _is_needed(path: str, needed: tuple[str, ...]) -> bool:
    return all(_OWN not in part or part.endswith(needed) for part in path.split("."))


def _wanted(batch: pa.RecordBatch, type: str, people: Collection[str] | None) -> list[int]:
    """Which of some rows may be about these people, or about nobody."""
    if people is None:
        return list(range(batch.num_rows))
    if type == "Patient" and "id" in batch.schema.names:
        return [at for at, id in enumerate(batch.column("id").to_pylist()) if id in people]
    named = [_references(batch, element) for element in _ABOUT]
    return [at for at, those in enumerate(zip(*named, strict=True)) if _may_be_about(those, people)]


def _references(batch: pa.RecordBatch, element: str) -> list[str]:
    """What each row refers to there; nothing where that is no reference, or one of several."""
    import pyarrow as pa

    known = element in batch.schema.names and batch.schema.field(element).type
    if not (known and pa.types.is_struct(known) and known.get_field_index("reference") >= 0):
        return [""] * batch.num_rows
    return [one.get("reference") or "" if one else "" for one in batch.column(element).to_pylist()]


def _may_be_about(references: Collection[str], people: Collection[str]) -> bool:
    named = {patient_id(one) for one in references if one} - {""}
    return not named or any(one in people for one in named)


def _row(number: int, type: str, told: Element) -> Row:
    extensions: Extensions = dict(cast(list[tuple[int, list[Element]]], told.get(_EXTENSIONS) or []))
    restored = _Restored(extensions)
    resource = restored.element(told)
    reason = CUT if restored.is_cut else CONTAINED if _points_inside(resource) else ""
    return Row(number, _encoder.encode({"resourceType": type, **resource}), reason)


def _points_inside(resource: Element) -> bool:
    """Does it say what was given by a reference to a resource that it contained?"""
    named = (resource.get(element) for element in _GIVEN)
    every = (one for some in named for one in (some if isinstance(some, list) else [some]))
    return any(isinstance(one, dict) and str(one.get("reference", "")).startswith("#") for one in every)


class _Restored:
    """Elements of one resource as they were written, but for the blanks."""

    def __init__(self, extensions: Extensions) -> None:
        self._extensions = extensions
        self.is_cut = False

    def element(self, told: Element) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in told.items():
            if value is None or _OWN in name:
                continue
            scale = told.get(name + _SCALE)
            plain = self._number(value, scale) if isinstance(value, Decimal) else self._value(value)
            if plain is not None:
                found[name] = plain
        if extended := self._extensions.get(cast(int, told.get(_NUMBER))):
            found["extension"] = [self._extension(one) for one in extended]
        return found

    def _extension(self, told: Element) -> dict[str, object]:
        found = self.element(told)
        twice = [wide for wide, narrow in _ALSO_UNDER.items() if wide in found and not narrow.isdisjoint(found)]
        return {name: value for name, value in found.items() if name not in twice}

    def _value(self, value: object) -> object:
        if isinstance(value, dict):
            return self.element(value) or None
        if isinstance(value, list):
            return [plain for one in value if (plain := self._value(one)) is not None] or None
        if isinstance(value, datetime):  # an instant, in UTC
            return value.replace(tzinfo=None).isoformat() + "Z"
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value

    def _number(self, value: Decimal, scale: object) -> Decimal:
        """With as many decimals as were written."""
        if not isinstance(scale, int):
            return value.normalize()
        self.is_cut |= scale > -int(value.as_tuple().exponent)
        return value.quantize(Decimal(1).scaleb(-scale), context=_DIGITS)
