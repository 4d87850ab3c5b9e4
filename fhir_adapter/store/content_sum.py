"""A hash of a set that grows with what changed, not with what is there.

Each member is spread over 2048 bits; the members of a set are added up modulo 2**2048. Taking one out is a
subtraction, the order does not matter, and the empty set is nought. Two different sets have the same sum by
accident with a chance of 2**-2048; on purpose it takes about 2**90 steps (the generalised birthday problem; with
a sum of only 256 bits it would be 2**32).
"""

from __future__ import annotations

import hashlib

SIZE = 256
_MODULUS = 1 << (8 * SIZE)
EMPTY = bytes(SIZE)


def member(type: str, id: str, content: str) -> int:
    """What one resource adds to the sum; `content` is the hash of what it says."""
    return int.from_bytes(hashlib.shake_256(f"{type}/{id} {content}\n".encode()).digest(SIZE))


def added(total: bytes, difference: int) -> bytes:
    """The sum after members worth `difference` came (or went, where it is negative)."""
    return ((int.from_bytes(total) + difference) % _MODULUS).to_bytes(SIZE)


def content_hash(total: bytes) -> str:
    """The sum in the length of a SHA-256, for whoever has to name it."""
    return hashlib.sha256(total).hexdigest()
