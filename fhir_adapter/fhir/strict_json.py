"""JSON read without forgiveness: what parsers usually let pass in silence is refused with a reason.

Duplicate keys (which one was meant?), NaN and Infinity, numbers nobody measured, bytes that are not UTF-8, halves of
surrogate pairs, and nesting without end.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal

from fhir_adapter.fhir.canonical import Json
from fhir_adapter.fhir.record import Unreadable

MAX_BYTES = 20_000_000
MAX_DIGITS = 64
MAX_EXPONENT = 300

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


def _constant(_: str) -> None:
    raise Unreadable("not-a-number")
