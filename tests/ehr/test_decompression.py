"""Bodies undone piece by piece, whole or not at all."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.ehr.decompression import decoder_for
from fhir_adapter.ehr.failures import Broken, Oversized

PLAIN = b'{"resourceType":"Bundle"}' * 400


def undo(encoding: str, raw: bytes, piece: int = 7, max_bytes: int = 1 << 22, max_ratio: float = 1000.0) -> bytes:
    decoder = decoder_for(encoding, max_bytes, max_ratio)
    parts = [part for start in range(0, len(raw), piece) for part in decoder.feed(raw[start : start + piece])]
    decoder.finish()
    return b"".join(parts)


@given(st.binary(max_size=5000), st.integers(min_value=1, max_value=400))
def test_every_body_comes_back_however_it_is_cut_into_pieces(plain: bytes, piece: int) -> None:
    assert undo("gzip", gzip.compress(plain), piece) == plain
    assert undo("deflate", zlib.compress(plain), piece) == plain
    assert undo("", plain, piece) == plain


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5), st.integers(min_value=1, max_value=40))
def test_several_members_make_one_body(members: list[bytes], piece: int) -> None:
    packed = b"".join(gzip.compress(member) for member in members)
    assert undo("gzip", packed, piece) == b"".join(members)


def test_every_cut_is_noticed() -> None:
    for encoding, packed in (("gzip", gzip.compress(PLAIN)), ("deflate", zlib.compress(PLAIN))):
        for cut in range(len(packed)):
            with pytest.raises(Broken):
                undo(encoding, packed[:cut])


def test_every_changed_byte_of_the_trailer_is_noticed() -> None:
    packed = gzip.compress(PLAIN)
    for position in range(1, 9):
        changed = bytearray(packed)
        changed[-position] ^= 0x10
        with pytest.raises(Broken):
            undo("gzip", bytes(changed))


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        ("gzip", PLAIN),
        ("gzip", gzip.compress(PLAIN, mtime=0) + b"x"),
        ("gzip", gzip.compress(PLAIN, mtime=0) + b"more"),
        ("deflate", zlib.compress(PLAIN) + b"more"),
        ("deflate", b"\xff" * 50),
        ("br", PLAIN),
        ("gzip, gzip", gzip.compress(gzip.compress(PLAIN, mtime=0), mtime=0)),
    ],
)
def test_what_is_not_what_it_says_is_refused(encoding: str, raw: bytes) -> None:
    with pytest.raises(Broken):
        undo(encoding, raw)


def test_zero_padding_after_the_last_member_is_fine() -> None:
    assert undo("gzip", gzip.compress(PLAIN) + bytes(100)) == PLAIN


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", " gzip "])
def test_the_name_of_the_encoding_may_be_spelled_in_any_way(encoding: str) -> None:
    assert undo(encoding, gzip.compress(PLAIN)) == PLAIN


def test_limits_of_size_and_ratio_hold() -> None:
    zeros = gzip.compress(bytes(4 << 20))
    with pytest.raises(Oversized, match="more than 2097152 bytes"):
        undo("gzip", zeros, max_bytes=2 << 20, max_ratio=10_000)
    with pytest.raises(Oversized, match="compressed more than 10 times"):
        undo("gzip", zeros, max_bytes=8 << 20, max_ratio=10)
    with pytest.raises(Oversized):
        undo("", PLAIN, max_bytes=100)


def test_input_without_output_is_bounded_too() -> None:
    with pytest.raises(Oversized):
        undo("gzip", gzip.compress(b"") * 100, max_bytes=1000)
