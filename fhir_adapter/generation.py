"""Results in the making: files written beside the current ones, whole or not at all, each with its SHA-256."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fhir_adapter.errors import DiskError

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}


class Generation:
    """A folder that nobody reads yet. `sha256` are those of the files that are closed, by `part/name`."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder, self._out = folder, out
        self.sha256: dict[str, str] = {}

    @contextmanager
    def open(self, name: str) -> Iterator[Output]:
        """A new file, `part/name` or `name`, to be written from its beginning to its end, and flushed to the disk."""
        path = self.folder / name
        with disk(self._out):
            if path.parent != self.folder and not path.parent.exists():
                path.parent.mkdir(mode=0o700)
            file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        output = Output(file, self._out)
        with file:
            yield output
            with disk(self._out):
                file.flush()
                os.fsync(file.fileno())
        self.sha256[name] = output.sha256

    def write(self, name: str, content: bytes) -> None:
        """A whole file at once."""
        with self.open(name) as file:
            file.write(content)

    def part(self, name: str) -> Part:
        """The files of one part, by their own names."""
        return Part(self, name)

    def flush(self) -> None:
        """Make sure that the names of the files are on the disk too."""
        for name in sorted({Path(name).parent for name in self.sha256} - {Path()}):
            flush_folder(self.folder / name)
        flush_folder(self.folder)


class Part:
    """A place where files of one part are written."""

    def __init__(self, generation: Generation, name: str) -> None:
        self._generation, self._name = generation, name

    @contextmanager
    def open(self, name: str) -> Iterator[Output]:
        """A new file of this part."""
        with self._generation.open(f"{self._name}/{name}") as file:
            yield file


class Output:
    """An open file that adds up what is written to it."""

    def __init__(self, file: IO[bytes], out: Path) -> None:
        self._file, self._out = file, out
        self._sum = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()

    def write(self, content: bytes) -> None:
        """`DiskError` when there is no room."""
        self._sum.update(content)
        with disk(self._out):
            self._file.write(content)


def flush_folder(folder: Path) -> None:
    """Make sure that the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk(out: Path) -> Iterator[None]:
    """What the disk refuses, in our words: a `DiskError` about the output folder."""
    try:
        yield
    except OSError as problem:
        if problem.errno in _DISK:
            reason = os.strerror(problem.errno or 0)
            message = f"the output folder {out} cannot be written: {reason}"
            raise DiskError(message, "make room or choose another --out; the last good result is untouched") from None
        raise
