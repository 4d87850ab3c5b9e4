"""Bundles taken apart, and JSON looked at as text."""

from __future__ import annotations

import json
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.ehr.bundle import Malformed, read_bundle
from fhir_adapter.ehr.found import Found
from fhir_adapter.ehr.json_text import NotWhole, cut_out_array, split_elements

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(alphabet='ab"\\{}[],é', max_size=8))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(alphabet='k"[', max_size=3), inner)),
    max_leaves=8,
)


@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 2]), st.booleans())
def test_elements_of_an_array_are_found_whatever_they_hold(
    values: list[object], indent: int | None, plain: bool
) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=plain).encode()
    elements, end = split_elements(text, 0)
    assert [json.loads(element) for element in elements] == values
    assert end == len(text)


@given(st.lists(VALUES, max_size=4), VALUES, VALUES)
def test_an_array_is_cut_out_and_nothing_else_changes(values: list[object], before: object, after: object) -> None:
    whole = {"link": before, "entry": values, "inner": {"entry": [1]}, "total": after}
    frame, elements = cut_out_array(json.dumps(whole).encode(), "entry")
    assert [json.loads(element) for element in elements] == values
    assert json.loads(frame) == {**whole, "entry": []}


@given(st.lists(VALUES, min_size=1, max_size=4), st.data())
def test_an_object_that_was_cut_is_noticed(values: list[object], data: st.DataObject) -> None:
    text = json.dumps({"a": 1, "entry": values, "b": [2]}).encode()
    with pytest.raises(NotWhole):
        cut_out_array(text[: data.draw(st.integers(0, len(text) - 1))], "entry")


def test_a_cut_inside_a_long_narrative_full_of_quotes_takes_no_time() -> None:
    text = b'{"resourceType":"Bundle","entry":[{"resource":{"div":"' + b'<td class=\\"x\\">' * 100_000
    started = time.monotonic()
    with pytest.raises(Malformed, match="cut short"):
        read_bundle(text)
    assert time.monotonic() - started < 2


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(content: bytes) -> None:
    for text in (content, b'{"resourceType":"Bundle","type":"searchset","entry":[' + content + b"]}"):
        try:
            bundle = read_bundle(text)
        except ValueError:
            continue
        assert isinstance(bundle.entries, tuple)


RESOURCES = st.sampled_from(
    [
        b'{"resourceType":"Observation","id":"a","meta":{"versionId":"2"},"subject":{"reference":"Patient/p"}}',
        b'{ "id" : "b", "resourceType" : "Observation", "valueString" : "\\"resource\\":{}" }',
        b'{"resourceType":"Patient","id":"p"}',
        b'{"resourceType":"Observation"}',
        b'{"resourceType":"Observation","id":"a b"}',
        b'{"resourceType":"Observation","id":7}',
        b'{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"incomplete"}]}',
        b'{"resourceType":"OperationOutcome","id":"o","issue":[{"severity":"error","code":"timeout"}]}',
        b"null",
        b"[]",
    ]
)
SEARCHES = st.sampled_from(
    [b"", b',"search":{}', *(b',"search":{"mode":"%s"}' % m for m in (b"match", b"include", b"outcome"))]
)


@given(st.lists(st.tuples(RESOURCES, SEARCHES), max_size=6))
def test_a_page_taken_apart_at_once_holds_the_same_as_entry_by_entry(entries: list[tuple[bytes, bytes]]) -> None:
    written = b",".join(b'{"resource":%s%s}' % entry for entry in entries)
    bundle = read_bundle(b'{"resourceType":"Bundle","type":"searchset","entry":[' + written + b"]}")
    at_once, one_by_one = (
        vars(Found("Observation", 3, one)) for one in (bundle, msgspec.structs.replace(bundle, read=None))
    )
    assert at_once == one_by_one
    placed = [at_once[name] for name in ("records", "quarantined")]
    assert sum(map(len, placed)) + (len(at_once["issues"])) == len(entries)
