"""JSON in one spelling, so that equal content can be seen to be equal.

Keys are sorted, white space and escapes are gone, numbers keep the digits they were written with: 5.40 is not
5.4, because in FHIR the trailing zero says how exactly something was measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from decimal import Decimal

import msgspec

Json = object  # dict[str, Json] | list[Json] | str | int | Decimal | bool | None

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number", order="deterministic")
_META = frozenset({"meta"})


class NotJson(ValueError):
    """The bytes are not JSON. The text of the decoder is left out on purpose: it may quote content."""

    def __init__(self) -> None:
        super().__init__("not JSON")


def parse_json(body: bytes) -> Json:
    """Decode with exact decimals; `NotJson` for anything that is not well-formed JSON in UTF-8."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError):
        raise NotJson from None


def canonical_json(value: Json, without: Collection[str] = ()) -> bytes:
    """One spelling of `value`; members of the outermost object named in `without` are left out."""
    if without and isinstance(value, dict):
        value = {name: member for name, member in value.items() if name not in without}
    return _encoder.encode(value)


def content_sha256(body: bytes) -> str:
    """Hash of what a resource says, whatever its `meta`, key order or spelling.

    Bytes that are not JSON stand for themselves.
    """
    try:
        return hashlib.sha256(canonical_json(parse_json(body), _META)).hexdigest()
    except (NotJson, RecursionError):
        return hashlib.sha256(body).hexdigest()
