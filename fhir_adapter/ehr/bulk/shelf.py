"""The files of one export on our disk, under names of our own, with a list of those that arrived whole.

The list is written as each file arrives, so that a run that was killed need not fetch it again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from fhir_adapter.ehr.arriving import Download
from fhir_adapter.ehr.bulk.manifest import Listed
from fhir_adapter.errors import DiskError

_LIST = "arrived.ndjson"
_CHUNK = 1 << 20


class Shelved(msgspec.Struct, frozen=True):
    """A file that arrived: which one of the manifest it is, its name here, what arrived."""

    place: str
    name: str
    download: Download


class _Heading(msgspec.Struct, frozen=True):
    export: str


class Shelf:
    """The folder of one export. Whatever another export, or another state of the data, left in it is removed."""

    def __init__(self, folder: Path, job_url: str, transaction_time: str) -> None:
        self._folder = folder
        self._export = hashlib.sha256(f"{job_url} {transaction_time}".encode()).hexdigest()
        self._arrived: dict[str, Shelved] = {}
        self._names: set[str] = set()
        try:
            self._arrived = {file.place: file for file in self._read_list()}
            self._names = {file.name for file in self._arrived.values()}
            if not self._arrived:
                self._begin()
        except OSError as error:
            raise _unwritable(error) from None

    def find(self, place: str) -> Shelved | None:
        """What arrived for this place of the manifest."""
        return self._arrived.get(place)

    def path(self, name: str) -> Path:
        return self._folder / name

    def free_name(self, file: Listed) -> str:
        """A name that no file of this export has."""
        group = file.type if file.kind == "output" else file.kind
        numbered = (f"{group}.{number:04d}.ndjson" for number in count(1))
        name = next(name for name in numbered if name not in self._names)
        self._names.add(name)
        return name

    def keep(self, shelved: Shelved) -> None:
        """It arrived whole."""
        self._arrived[shelved.place] = shelved
        self._append(shelved)

    def _read_list(self) -> list[Shelved]:
        """The files that are listed for this export and still are what they were."""
        path = self._folder / _LIST
        lines = path.read_bytes().splitlines() if path.is_file() else []
        try:
            if not lines or msgspec.json.decode(lines[0], type=_Heading).export != self._export:
                return []
            listed = [msgspec.json.decode(line, type=Shelved) for line in lines[1:]]
        except msgspec.DecodeError:
            return []
        return [file for file in listed if _hash_of(self._folder / file.name) == file.download.sha256]

    def _begin(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)
        self._append(_Heading(self._export))

    def _append(self, line: msgspec.Struct) -> None:
        try:
            descriptor = os.open(self._folder / _LIST, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(line) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unwritable(error) from None


def _hash_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _unwritable(error: OSError) -> DiskError:
    return DiskError(
        f"The folder for the files of the export cannot be used ({error.strerror or type(error).__name__}).",
        "Make space, or check its permissions; the next run goes on with the same export.",
    )


def places(files: Iterable[Listed]) -> dict[str, Listed]:
    """Each file under a name that stays the same when the server makes out new links to the same files.

    What changes in a signed link is its query. Where the path alone does not tell the files apart, all of it counts.
    """
    files = list(files)
    paths = Counter((file.kind, urlsplit(file.url).path) for file in files)
    named: dict[str, Listed] = {}
    for file in files:
        path = urlsplit(file.url).path
        what = path if paths[file.kind, path] == 1 else file.url
        named[hashlib.sha256(f"{file.kind} {file.type} {what}".encode()).hexdigest()] = file
    return named
