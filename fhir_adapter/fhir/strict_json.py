"""JSON read without forgiveness: what parsers usually let pass in silence is refused with a reason.

Duplicate keys (which one was meant?), NaN and Infinity, numbers nobody measured, bytes that are not UTF-8, halves of
surrogate pairs, and nesting without end.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal

import msgspec

from fhir_adapter.fhir.canonical import Json
from fhir_adapter.fhir.record import Unreadable

MAX_BYTES = 20_000_000
MAX_DIGITS = 64
MAX_EXPONENT = 300

_WORTH_A_LOOK = (b"\\", b'xtension"', b'"0001', b'"9999')
_HALF_PAIR = re.compile("[\ud800-\udfff]")


def read_strict(body: bytes) -> dict[str, Json]:
    """One JSON object with exact decimals; `Unreadable` with a fixed word that says why not."""
    if len(body) > MAX_BYTES:
        raise Unreadable("too-large")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("invalid-utf8") from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except RecursionError:
        raise Unreadable("nested-too-deeply") from None
    except json.JSONDecodeError:  # its message and its `doc` would carry the content along
        raise Unreadable("not-json") from None
    if not isinstance(value, dict):
        raise Unreadable("not-a-json-object")
    return value


def is_unremarkable(body: bytes) -> bool:
    """Whether there is certainly nothing here that `read_strict` would refuse or that calls for a second look.

    Escapes, extensions and placeholder dates do. A duplicate key is seen by what is lost when the JSON is written
    again: without escapes, every key and every text has exactly two quotation marks.
    """
    if len(body) > MAX_BYTES or any(odd in body for odd in _WORTH_A_LOOK):
        return False
    try:
        value = _plain.decode(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and body.count(b'"') == _written.encode(value).count(b'"')


def has_half_pair(text: str) -> bool:
    """Does the text hold half of a surrogate pair, which cannot be written as UTF-8?"""
    return _HALF_PAIR.search(text) is not None


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Unreadable("duplicate-key")
    return value


def _decimal(text: str) -> Decimal:
    if len(text) > MAX_DIGITS:
        raise Unreadable("number-out-of-range")
    value = Decimal(text)
    if value and abs(value.adjusted()) > MAX_EXPONENT:
        raise Unreadable("number-out-of-range")
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise Unreadable("number-out-of-range")
    return int(text)


_plain = msgspec.json.Decoder(float_hook=_decimal)
_written = msgspec.json.Encoder(decimal_format="number")


def _constant(_: str) -> None:
    raise Unreadable("not-a-number")
