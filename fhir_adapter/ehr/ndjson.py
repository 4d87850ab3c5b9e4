"""Lines of a file of any size, each bounded, none lost."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO, Literal

import msgspec

from fhir_adapter.ehr.json_text import without_bom

_SAMPLE = 4_096
_CHUNK = 1 << 16


class Line(msgspec.Struct, frozen=True):
    """One line without its end. `number` counts lines from 1, blank ones included, which are not handed on; or it is
    the byte of the file at which the line starts, as `counted` says.

    A line beyond the limit is `too_long`: `text` is only its beginning, `sha256` belongs to all of it.
    `ended` says whether a newline followed.
    """

    number: int
    text: bytes
    sha256: str
    ended: bool
    too_long: bool = False
    counted: Literal["line", "byte"] = "line"

    @property
    def place(self) -> str:
        return f"{self.counted}-{self.number}"


def read_lines(opened: BinaryIO, max_bytes: int) -> Iterator[Line]:
    """The lines of `opened`, with CRLF or LF, without a byte order mark, without blank ones."""
    number = 0
    while raw := opened.readline(max_bytes + 1):
        number += 1
        if len(raw) > max_bytes and not raw.endswith(b"\n"):
            yield _overlong(opened, raw, number)
            continue
        text = (without_bom(raw) if number == 1 else raw).strip(b" \t\r\n")
        if text:
            yield Line(number, text, "", raw.endswith(b"\n"))


def _overlong(opened: BinaryIO, start: bytes, number: int) -> Line:
    """Read to the end of the line without keeping it."""
    digest = hashlib.sha256(start)
    ended = False
    while not ended and (rest := opened.readline(_CHUNK)):
        digest.update(rest)
        ended = rest.endswith(b"\n")
    return Line(number, start[:_SAMPLE], digest.hexdigest(), ended, too_long=True)
