"""A file on its way in: beside its place while it arrives, in its place when it is whole, never half."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import TracebackType

import msgspec

from fhir_adapter.errors import DiskError

_MORE_SPACE = "Make space, or check the permissions of the output folder; the next run goes on from there."


class Download(msgspec.Struct, frozen=True):
    """A file that arrived: bytes and hash of what lies on the disk.

    `proven` says that the transfer itself shows that nothing is missing at its end: a length, chunks, or a checksum.
    """

    size: int
    sha256: str
    proven: bool


class ArrivingFile:
    """Takes pieces within a `with` block; without `settle` nothing stays. `DiskError` when it cannot be written."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(f"{target.name}.part")
        self._digest = hashlib.sha256()
        self._size = 0

    def __enter__(self) -> ArrivingFile:
        try:
            self._part.unlink(missing_ok=True)
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise _disk_error(error) from None
        self._file = os.fdopen(descriptor, "wb")
        return self

    def take(self, piece: bytes) -> None:
        """The next piece."""
        self._digest.update(piece)
        self._size += len(piece)
        try:
            self._file.write(piece)
        except OSError as error:
            raise _disk_error(error) from None

    def settle(self, *, proven: bool) -> Download:
        """It is whole: put it in its place."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            os.replace(self._part, self._target)
        except OSError as error:
            raise _disk_error(error) from None
        return Download(self._size, self._digest.hexdigest(), proven)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()  # which flushes, and so can fail again on a full disk
        except OSError as problem:
            if error is None:
                raise _disk_error(problem) from None
        self._part.unlink(missing_ok=True)


def _disk_error(error: OSError) -> DiskError:
    return DiskError(f"A file of the export cannot be written ({error.strerror or type(error).__name__}).", _MORE_SPACE)
