"""Reading a folder of FHIR files: NDJSON and JSON with a resource, a Bundle or an array, compressed or not; Parquet.

Files are read in the order of their names, NDJSON line by line, so that a folder of any size fits in memory.
A line that cannot be read is set aside with its number; a file that ends in the middle is not taken for a
whole one. Parquet files are named after the type they hold, or their folder is; of a Delta table those of its
newest version are read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar

import msgspec

from fhir_adapter.ehr.compressed import CUT_SHORT, Compression, open_compressed
from fhir_adapter.ehr.contents import Contents
from fhir_adapter.ehr.delta import LOG, live_files
from fhir_adapter.ehr.json_text import NotWhole, is_json, without_bom
from fhir_adapter.ehr.ndjson import Line, read_lines
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.parquet import LEFT_OUT, Damaged, Row, is_table_of_resources, read_rows
from fhir_adapter.errors import StreamIncomplete, UsageError
from fhir_adapter.fhir.resource_types import kind_of

T = TypeVar("T")
Kind = Literal["ndjson", "json", "parquet"]

_SUFFIXES: dict[str, Kind] = {".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "json", ".parquet": "parquet"}
_COMPRESSIONS: dict[str, Compression] = {".gz": "gz", ".zst": "zst"}
_SNIFFED = 65_536
_COUNTED = "Files are counted in the order of their paths."
PAGE_RESOURCES = 1_000
MAX_RESOURCE_BYTES = 20 << 20
MAX_JSON_BYTES = 1 << 29


class FolderFile(msgspec.Struct, frozen=True):
    """One file of the folder.

    `name` is its path inside the folder, with `/`, and the name of its stream. It may hold a patient's name,
    so messages speak of its `number` in the order of names, from 1.
    """

    path: Path
    name: str
    kind: Kind
    compression: Compression
    number: int = 0

    @property
    def label(self) -> str:
        return f"file {self.number} of the folder (a {'.'.join(filter(None, (self.kind, self.compression)))} file)"

    @property
    def type(self) -> str:
        """The type that it, or the folder it is in, is named after; empty when that is none."""
        named = (kind_of(one) for one in (self.name, self.name.rpartition("/")[0]))
        return next((type for type in named if type != "file"), "")


def scan(folder: Path) -> Iterator[FolderFile]:
    """The FHIR files below `folder`, sorted by name. `UsageError` if there is no such folder or no FHIR in
    it.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise UsageError(f"The input folder {folder} {what}.", "Give a folder with NDJSON or JSON files.")
    files = _listed(folder)
    if not any(_holds_fhir(file) for file in files):
        raise UsageError(
            f"The folder {folder} holds no FHIR resources.",
            "It should hold *.ndjson, *.json (each also *.gz, *.zst) or *.parquet files with FHIR R4 resources.",
        )
    return iter(files)


def _listed(folder: Path) -> list[FolderFile]:
    try:
        paths = list(folder.rglob("*"))
        found = [_file(path, folder) for path in paths if path.is_file()]
        tables = [path.parent for path in paths if path.name == LOG and path.is_dir()]
    except OSError:
        raise UsageError(f"The folder {folder} cannot be read.") from None
    files = sorted((file for file in found if file is not None), key=lambda file: file.name)
    for table in tables:
        live = live_files(table)
        files = [file for file in files if table not in file.path.parents or file.path.resolve() in live]
    return [msgspec.structs.replace(file, number=number) for number, file in enumerate(files, start=1)]


def _file(path: Path, folder: Path) -> FolderFile | None:
    name = path.relative_to(folder).as_posix()
    if any(part.startswith(".") for part in name.split("/")):
        return None
    compression = _COMPRESSIONS.get(path.suffix.lower(), "")
    kind = _SUFFIXES.get(Path(path.stem if compression else path.name).suffix.lower())
    if not kind or (kind == "parquet" and compression):
        return None
    file = FolderFile(path.absolute(), name, kind, compression)
    return None if kind == "parquet" and not file.type else file


def _holds_fhir(file: FolderFile) -> bool:
    """A first look, to tell a folder of FHIR from a folder of anything else."""
    if file.kind == "parquet":
        return is_table_of_resources(file.path)
    try:
        with open_compressed(file.path, file.compression) as opened:
            return b'"resourceType"' in opened.read(_SNIFFED)
    except (OSError, *CUT_SHORT):
        return False


@contextmanager
def opened_whole(file: FolderFile) -> Iterator[BinaryIO]:
    """The file's content. `StreamIncomplete` when it is cut short or damaged, `UsageError` when it cannot be read."""
    try:
        with open_compressed(file.path, file.compression) as opened:
            yield opened
    except CUT_SHORT:
        raise incomplete(file, "the compressed file is cut short or damaged") from None
    except OSError as error:
        raise UsageError(f"Reading {file.label} failed ({type(error).__name__}).", _COUNTED) from None


def read_pages(
    file: FolderFile,
    *,
    people: Collection[str] | None = None,
    elements: Collection[str] | None = None,
    page_resources: int = PAGE_RESOURCES,
    max_bytes: int = MAX_RESOURCE_BYTES,
) -> Iterator[Page]:
    """The resources of one file, in pages of about `page_resources`. With `people`, ids of Patients, what is only about
    others may be left out; with `elements`, every element but these.

    `StreamIncomplete` when the file is cut short or damaged, `UsageError` when it cannot be opened.
    """
    if file.kind == "parquet":
        yield from _pages_of_rows(file, read_rows(file.path, file.type, people, elements), page_resources)
        return
    with opened_whole(file) as opened:
        if file.kind == "ndjson":
            yield from _pages_of_lines(file, opened, page_resources, max_bytes)
        else:
            yield from _pages_of_json(file, opened, page_resources)


def incomplete(file: FolderFile, reason: str) -> StreamIncomplete:
    """The error that says why not all of the file could be read."""
    return StreamIncomplete(f"{file.label.capitalize()} is incomplete: {reason}.", f"Export it again. {_COUNTED}")


def _paged(file: FolderFile, things: Iterable[T], add: Callable[[Contents, T], None], size: int) -> Iterator[Page]:
    number, contents = 1, Contents(file.name)
    for thing in things:
        add(contents, thing)
        if len(contents) >= size:
            yield contents.page(number)
            number, contents = number + 1, Contents(file.name)
    if len(contents) or number == 1:
        yield contents.page(number)


def _pages_of_lines(file: FolderFile, opened: BinaryIO, size: int, max_bytes: int) -> Iterator[Page]:
    def add(contents: Contents, line: Line) -> None:
        _check_end(file, line)
        contents.add_line(line)

    yield from _paged(file, read_lines(opened, max_bytes), add, size)


def _pages_of_rows(file: FolderFile, rows: Iterator[Row], size: int) -> Iterator[Page]:
    try:
        for page in _paged(file, rows, _add_row, size):
            yield msgspec.structs.replace(page, remark=LEFT_OUT)
    except Damaged:
        raise incomplete(file, "it is damaged or no Parquet file") from None
    except OSError as error:
        raise UsageError(f"Reading {file.label} failed ({type(error).__name__}).", _COUNTED) from None


def _add_row(contents: Contents, row: Row) -> None:
    place = f"row-{row.number}"
    if row.reason:
        contents.set_aside(row.text, row.reason, place)
    else:
        contents.add_document(row.text, place)


def _check_end(file: FolderFile, line: Line) -> None:
    """A last line without its end that is not JSON either was cut; one that is JSON is whole."""
    if not (line.ended or line.too_long or is_json(line.text)):
        raise incomplete(file, "it ends in the middle of a line")


def _pages_of_json(file: FolderFile, opened: BinaryIO, size: int) -> Iterator[Page]:
    text = opened.read(MAX_JSON_BYTES + 1)
    if len(text) > MAX_JSON_BYTES:
        raise incomplete(file, "it is too big for one JSON document; write it as NDJSON, one resource a line")
    contents = Contents(file.name)
    try:
        contents.add_document(without_bom(text).strip())
    except NotWhole:
        raise incomplete(file, "the JSON is cut short") from None
    yield from contents.pages(size)
