"""What was received but cannot be used: kept whole, with the reason, so that nothing is lost in silence."""

from __future__ import annotations

import hashlib

import msgspec


class Quarantined(msgspec.Struct, frozen=True):
    """One thing set aside.

    `reason` is a fixed word, where it helps followed by an element path; never content. `type` and `id` are
    empty when they cannot be read. `body` holds the bytes as received (cut short by the reader when they are
    too many). `run` is the run that set it aside first, 0 as long as it is not in the store.
    """

    stream: str
    type: str
    id: str
    reason: str
    sha256: str
    body: bytes
    run: int = 0


def set_aside(stream: str, body: bytes, reason: str, *, type: str = "", id: str = "") -> Quarantined:
    """A `Quarantined` with the hash of its bytes filled in."""
    return Quarantined(stream, type, id, reason, hashlib.sha256(body).hexdigest(), body)
