"""Phrases stand in a text as whole words: what one pattern of all of them would find."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.mapping.phrases import Phrases

KNOWN = ["pd", "pd-1 inhibitor", "car", "car-t", "car-t cells", "g2", "3", "张", "张三", "(x)", "glofit", "-x", "c+"]
OTHERS = [" ", "-", "-l1", "10mg", "2.5 mg", "x", "1", "é", ","]
NUMBER_ENDS = r"(?![0-9a-z]|-l?[0-9])"
WORD_ENDS = r"(?!-l?[0-9])(?:(?![0-9a-z])|(?=[0-9][0-9.,]* ?(?:mg|μg|ug|mcg|g|ml|iu)(?![a-z])))"


def by_one_pattern(text: str) -> list[str]:
    """All phrases in one pattern, the longest first."""
    parts = []
    for phrase in sorted(KNOWN, key=len, reverse=True):
        begin = r"(?<![0-9a-z])" if re.match("[0-9a-z]", phrase) else ""
        end = NUMBER_ENDS if phrase[-1].isdecimal() else WORD_ENDS if re.search("[a-z]$", phrase) else ""
        parts.append(begin + re.escape(phrase) + end)
    return re.findall("|".join(parts), text)


@given(st.lists(st.sampled_from([*KNOWN, *OTHERS]), max_size=8).map("".join))
def test_the_longest_phrase_at_each_place_is_found_as_by_one_pattern(text: str) -> None:
    assert list(Phrases(KNOWN).found_in(text)) == by_one_pattern(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pd, then car-t cells", ["pd", "car-t cells"]),
        ("pd-1 and pd-l1", []),
        ("pd-1 inhibitor", ["pd-1 inhibitor"]),
        ("oscar car-tx", ["car"]),
        ("glofit10mg glofit10mgx", ["glofit"]),
        ("给张三张", ["张三", "张"]),
    ],
)
def test_a_phrase_is_found_as_a_whole_word_only(text: str, found: list[str]) -> None:
    assert list(Phrases(KNOWN).found_in(text)) == found


def test_among_no_phrases_none_is_found() -> None:
    assert list(Phrases([]).found_in("pd")) == []
