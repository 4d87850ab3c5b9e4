"""Files as they are, or compressed: gzip by the standard library, faster where `isal` is installed; Zstandard."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from fhir_adapter.errors import UsageError

if TYPE_CHECKING:
    from typing_extensions import Buffer

Compression = Literal["", "gz", "zst"]
# One chunk of Zstandard can stand for up to about 30,000 times as much.
_CHUNK = 1 << 12


class Damaged(Exception):
    """A compressed file is cut short or damaged."""


# What the libraries raise when that is so, whichever is installed.
CUT_SHORT = (EOFError, zlib.error, gzip.BadGzipFile, Damaged)


def open_compressed(path: Path, compression: Compression) -> BinaryIO:
    """The content of a file, to be read from its beginning; it raises one of `CUT_SHORT` where that is not whole."""
    if compression == "gz":
        return _gzip(path)
    if compression == "zst":
        return cast(BinaryIO, io.BufferedReader(_Zstandard(path)))
    return path.open("rb", buffering=0)


def _gzip(path: Path) -> BinaryIO:
    if path.stat().st_size == 0:
        raise EOFError  # the gzip module would take it for a whole file with nothing in it
    try:
        from isal import igzip
    except ImportError:
        return cast(BinaryIO, gzip.open(path))
    return cast(BinaryIO, igzip.open(path))  # type: ignore[no-untyped-call]  # isal tells no types


class _Zstandard(io.RawIOBase):
    """One frame after the other. The library's own reader takes a frame that is cut short for a whole one."""

    def __init__(self, path: Path) -> None:
        try:
            import zstandard
        except ImportError:
            raise UsageError(
                "a file of the folder is compressed by Zstandard, and the library that reads it is not installed",
                "pip install 'fhir-adapter[fast]'",
            ) from None
        self._error = zstandard.ZstdError
        self._begin = zstandard.ZstdDecompressor().decompressobj
        self._frame, self._begun = self._begin(), False
        self._file = path.open("rb")
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        wanted = memoryview(buffer).cast("B")
        while not self._ready:
            chunk = (self._frame.unused_data if self._frame.eof else b"") or self._file.read(_CHUNK)
            if not chunk:
                return self._end()
            self._ready = memoryview(self._unpacked(chunk))
        taken = min(len(wanted), len(self._ready))
        wanted[:taken], self._ready = self._ready[:taken], self._ready[taken:]
        return taken

    def _unpacked(self, chunk: bytes) -> bytes:
        if self._frame.eof:
            self._frame = self._begin()
        self._begun = True
        try:
            return self._frame.decompress(chunk)
        except self._error:
            raise Damaged from None

    def _end(self) -> int:
        if not (self._begun and self._frame.eof):
            raise EOFError
        return 0

    def close(self) -> None:
        self._file.close()
        super().close()
