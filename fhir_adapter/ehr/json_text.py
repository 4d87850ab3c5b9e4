"""JSON looked at as text: how it begins, whether it is whole, where the elements of an array lie.

Parsers reject a whole document for one bad byte. Here one bad element can be cut out and the others kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

# What the decoder raises for bytes that are not JSON of the shape that was asked for.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_BOM = b"\xef\xbb\xbf"
# A quote by itself is a string without an end. It must be a token too, or every quote in it would be tried
# again.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\],]', re.DOTALL)
_BLANK = b" \t\r\n"


class NotWhole(ValueError):
    """The text ends before its brackets and strings do, or closes what it never opened."""


def without_bom(text: bytes) -> bytes:
    """A leading byte order mark is not part of JSON, but part of the world."""
    return text.removeprefix(_BOM)


def looks_like_markup(text: bytes) -> bool:
    """Does it begin like HTML or XML?"""
    return without_bom(text[:1024]).lstrip(_BLANK).startswith(b"<")


def is_json(text: bytes) -> bool:
    """Is it one whole JSON value?"""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except UNREADABLE:
        return False
    return True


def _tokens(text: bytes, start: int = 0) -> Iterator[re.Match[bytes]]:
    """Strings, brackets and commas, one after the other."""
    for token in _TOKEN.finditer(text, start):
        if token.group() == b'"':
            raise NotWhole
        yield token


def split_elements(text: bytes, start: int) -> tuple[list[bytes], int]:
    """The elements of the array whose bracket is at `start`, as written, and the position after it."""
    elements: list[bytes] = []
    depth, begin = 0, start + 1
    for token in _tokens(text, start):
        mark = token.group()
        if mark in (b"{", b"["):
            depth += 1
        elif mark in (b"}", b"]"):
            depth -= 1
        if (depth == 1 and mark == b",") or depth == 0:
            element = text[begin : token.start()].strip(_BLANK)
            if element or mark == b",":
                elements.append(element)
            begin = token.end()
        if depth == 0:
            return elements, token.end()
    raise NotWhole


def cut_out_array(text: bytes, name: str) -> tuple[bytes, list[bytes]]:
    """The object `text` with the array member `name` emptied, and that array's elements as they are written.

    An object without such a member comes back as it is. `NotWhole` if the text is cut short.
    """
    key = f'"{name}"'.encode()
    depth, last = 0, b""
    for token in _tokens(text):
        mark = token.group()
        if depth == 1 and mark == b"[" and last == key:
            elements, end = split_elements(text, token.start())
            rest = text[end:]
            if not _is_balanced(rest, depth):
                raise NotWhole
            return text[: token.start()] + b"[]" + rest, elements
        depth += 1 if mark in (b"{", b"[") else -1 if mark in (b"}", b"]") else 0
        last = mark
    if depth != 0 or not last:
        raise NotWhole
    return text, []


def _is_balanced(text: bytes, depth: int) -> bool:
    for token in _tokens(text):
        mark = token.group()
        depth += 1 if mark in (b"{", b"[") else -1 if mark in (b"}", b"]") else 0
    return depth == 0
