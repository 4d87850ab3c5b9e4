"""One spelling for equal content, and another one for anything else."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.fhir.canonical import NotJson, canonical_json, content_sha256, parse_json

documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


def shuffled(value: Any) -> Any:
    """The same content with every object's members the other way round."""
    if isinstance(value, dict):
        return {name: shuffled(value[name]) for name in reversed(value)}
    return [shuffled(member) for member in value] if isinstance(value, list) else value


@given(documents)
def test_the_order_of_members_does_not_matter_and_nothing_else_is_lost(document: Any) -> None:
    text = canonical_json(document)

    assert canonical_json(shuffled(document)) == text
    assert canonical_json(parse_json(text)) == text
    assert json.loads(text, parse_float=Decimal) == document


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"a":1,"b":2}', b'{ "b" : 2,\n"a":1}', True),
        (b'{"a":"\\u00fc\\/"}', '{"a":"ü/"}'.encode(), True),
        (b'{"a":1,"meta":{"versionId":"1"}}', b'{"a":1,"meta":{"versionId":"2"}}', True),
        (b'{"a":1,"meta":{}}', b'{"a":1}', True),
        (b'{"a":5.4}', b'{"a":5.40}', False),
        (b'{"a":1}', b'{"a":1.0}', False),
        (b'{"a":[1,2]}', b'{"a":[2,1]}', False),
        (b'{"a":{"meta":1}}', b'{"a":{"meta":2}}', False),
        (b"not json", b"not json", True),
        (b"not json", b"not json ", False),
    ],
)
def test_content_is_the_same_or_it_is_not(one: bytes, other: bytes, same: bool) -> None:
    assert (content_sha256(one) == content_sha256(other)) is same


@pytest.mark.parametrize("text", [b"", b"{", b"[NaN]", b'"\xff"', b"[" * 100_000, b'{"a":1' + b"0" * 5000 + b"}"])
def test_what_is_not_json_is_said_without_quoting_it(text: bytes) -> None:
    with pytest.raises(NotJson) as refused:
        parse_json(text)
    assert str(refused.value) == "not JSON"
    assert refused.value.__suppress_context__
