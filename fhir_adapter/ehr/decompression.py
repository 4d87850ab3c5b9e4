"""Undoing Content-Encoding ourselves, because libraries take a truncated gzip body for a complete one.

A body counts as received only when every member reached its trailer and its checksum held. Output is bounded
in size and in ratio to the input, piece by piece, so a bomb costs no memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from typing import Protocol

from fhir_adapter.ehr.failures import Broken, Oversized

_PIECE = 65_536
_ALWAYS_ALLOWED = 1 << 20  # a small body may be compressed as well as it can be; ratios matter beyond that
_GZIP, _ZLIB, _RAW = 31, 15, -15
_GZIP_MAGIC = b"\x1f\x8b"


class Decoder(Protocol):
    """Turns the raw pieces of one body into plain ones. `finish` must be called: it says if the body was
    whole.
    """

    def feed(self, raw: bytes) -> Iterator[bytes]: ...

    def finish(self) -> None: ...


class _Limit:
    """Counts what goes in and what comes out."""

    def __init__(self, max_bytes: int, max_ratio: float) -> None:
        self._max_bytes, self._max_ratio = max_bytes, max_ratio
        self._in = self._out = 0

    def took(self, count: int) -> None:
        self._in += count
        if self._in > self._max_bytes:
            raise Oversized(f"more than {self._max_bytes} bytes")

    def gave(self, count: int) -> None:
        self._out += count
        if self._out > self._max_bytes:
            raise Oversized(f"more than {self._max_bytes} bytes")
        if self._out > _ALWAYS_ALLOWED and self._out > self._in * self._max_ratio:
            raise Oversized(f"compressed more than {self._max_ratio:g} times")


class _Plain:
    def __init__(self, limit: _Limit) -> None:
        self._limit = limit

    def feed(self, raw: bytes) -> Iterator[bytes]:
        self._limit.took(len(raw))
        self._limit.gave(len(raw))
        yield raw

    def finish(self) -> None:
        """Whether a plain body is whole is for HTTP framing and for the reader of the JSON to say."""


class _Inflated:
    """gzip (any number of members) and deflate (with or without its zlib header)."""

    def __init__(self, limit: _Limit, *, gzip: bool) -> None:
        self._limit, self._gzip = limit, gzip
        self._member: zlib._Decompress | None = None
        self._members = 0
        self._head = b""

    def feed(self, raw: bytes) -> Iterator[bytes]:
        self._limit.took(len(raw))
        pending = self._head + raw
        self._head = b""
        while pending:
            if self._member is None:
                if len(pending) < 2 and not self._between_members(pending):
                    self._head = pending  # not enough to see how it begins
                    return
                pending = self._begin(pending)
            else:
                pending = yield from self._inflated(self._member, pending)

    def _inflated(self, member: zlib._Decompress, pending: bytes) -> Generator[bytes, None, bytes]:
        """Everything that `pending` brings out of this member; returns what follows the member."""
        piece = b"x"
        while (pending or len(piece) == _PIECE) and not member.eof:
            try:
                piece = member.decompress(pending, _PIECE)
            except zlib.error:
                raise Broken("damaged compressed body") from None
            self._limit.gave(len(piece))
            if piece:
                yield piece
            pending = member.unconsumed_tail
        if not member.eof:
            return b""
        self._member = None
        self._members += 1
        return member.unused_data

    def _between_members(self, pending: bytes) -> bool:
        return self._members > 0 and not pending.strip(b"\0")

    def _begin(self, pending: bytes) -> bytes:
        if self._members and not self._gzip:
            raise Broken("data after the end of the compressed body")
        if self._between_members(pending):
            return b""  # zero padding after the last member is allowed
        if self._gzip and pending[:2] != _GZIP_MAGIC:
            what = "data after the end of the compressed body" if self._members else "not gzip, as its header says"
            raise Broken(what)
        self._member = zlib.decompressobj(_GZIP if self._gzip else _window(pending))
        return pending

    def finish(self) -> None:
        """A member that did not reach its trailer has lost its end."""
        if self._member is not None or self._head or not self._members:
            raise Broken("compressed body cut short")


class _Unpacked:
    """What comes out of `outer` may be a gzip file itself, as when a server hands out `.gz` files as they are."""

    def __init__(self, outer: Decoder, max_bytes: int, max_ratio: float) -> None:
        self._outer, self._limits = outer, (max_bytes, max_ratio)
        self._inner: Decoder | None = None

    def feed(self, raw: bytes) -> Iterator[bytes]:
        for piece in self._outer.feed(raw):
            if self._inner is None:
                # No text begins with the first byte of gzip.
                self._inner = decoder_for("gzip" if piece[:1] == _GZIP_MAGIC[:1] else "", *self._limits)
            yield from self._inner.feed(piece)

    def finish(self) -> None:
        self._outer.finish()
        if self._inner:
            self._inner.finish()


def _window(pending: bytes) -> int:
    """deflate means zlib in the standard and raw deflate in part of the world."""
    has_header = pending[0] & 0x0F == 8 and int.from_bytes(pending[:2], "big") % 31 == 0
    return _ZLIB if has_header else _RAW


def decoder_for(encoding: str, max_bytes: int, max_ratio: float) -> Decoder:
    """The decoder for a Content-Encoding header; `Broken` for an encoding we did not ask for."""
    limit = _Limit(max_bytes, max_ratio)
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return _Plain(limit)
    if name in ("gzip", "x-gzip"):
        return _Inflated(limit, gzip=True)
    if name == "deflate":
        return _Inflated(limit, gzip=False)
    raise Broken("a Content-Encoding that was not asked for")


def file_decoder_for(encoding: str, max_bytes: int, max_ratio: float) -> Decoder:
    """As `decoder_for`, for a file that may be gzip whatever the header says."""
    return _Unpacked(decoder_for(encoding, max_bytes, max_ratio), max_bytes, max_ratio)
