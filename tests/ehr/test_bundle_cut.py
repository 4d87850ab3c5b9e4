"""Pages cut at their resources hold what a parser finds in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapter.ehr.bundle import Bundle, Malformed, NotABundle, read_bundle, read_page
from fhir_adapter.ehr.found import Found

Json = dict[str, object]

TEXTS = st.sampled_from(
    ["", "é", '"resource":null', '},{"resource":{', ',"search":{"mode":"match"}}', "]}", "\\", "resource", "\x0c"]
)
HOLDERS: list[Callable[[Json], Json]] = [
    lambda inner: {"resourceType": "Parameters", "id": "p", "parameter": [{"name": "x", "resource": inner}]},
    lambda inner: {"resourceType": "Bundle", "id": "b", "entry": [{"resource": inner}, {"resource": inner}]},
    lambda inner: {"id": "c", "contained": [inner], "search": {"mode": "x"}, "resourceType": "Group", "link": [{}]},
    lambda inner: {"resourceType": "Patient", "id": "p", "resource": inner},
]
ODD = (None, 7, [], {"resourceType": "OperationOutcome", "id": "o", "issue": [{"code": "timeout"}]})
MEMBERS = ("link", "fullUrl", "resource", "search", "request")
SPELLINGS: Mapping[str, Mapping[str, Any]] = {
    "compact": {"separators": (",", ":"), "ensure_ascii": False},
    "escaped": {"separators": (",", ":")},
    "spaced": {"ensure_ascii": False},
    "pretty": {"indent": 2},
    "odd": {"separators": (" , ", " :")},
}


@st.composite
def resources(draw: st.DrawFn) -> object:
    found: Json = {"resourceType": "Observation", "id": draw(st.sampled_from("ab")), "valueString": draw(TEXTS)}
    for hold in draw(st.lists(st.sampled_from(HOLDERS), max_size=2)):
        found = hold(found)
    return draw(st.sampled_from([found] * 60 + list(ODD)))


@st.composite
def pages(draw: st.DrawFn) -> bytes:
    members = st.fixed_dictionaries(
        {"resource": resources()},
        optional={
            "fullUrl": st.sampled_from(["https://ehr.example/fhir/Observation/a", "urn:uuid:1"]),
            "link": st.just([{"relation": "self", "url": "x"}]),
            "search": st.sampled_from(
                [{"mode": "match"}, {"mode": "include", "score": 1}, {"mode": "outcome"}, {}, None]
            ),
            "request": st.sampled_from([{"method": "GET"}] * 9 + [{"url": "resource"}]),
        },
    )
    is_usual = draw(st.booleans())
    order = ["link", "fullUrl", "resource", "search"] if is_usual else draw(st.permutations(MEMBERS))
    entries = [{name: one[name] for name in order if name in one} for one in draw(st.lists(members, max_size=4))]
    links = [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]
    page = {"resourceType": "Bundle", "type": "searchset", "total": 9, "link": links, "entry": entries}
    page = page if is_usual else dict(draw(st.permutations(list(page.items()))))
    return json.dumps(page, **SPELLINGS[draw(st.sampled_from(list(SPELLINGS)))]).encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Some bytes of a page taken away, doubled or overwritten."""
    page = draw(pages())
    start = draw(st.integers(0, len(page)))
    stop = min(len(page), start + draw(st.sampled_from([1, 2, 8, 40, 10_000])))
    others = [b"", page[start:stop] * 2, b'"', b"\\", b"}", b',"resource":null', b'{"resource":{}},']
    return page[:start] + draw(st.sampled_from(others)) + page[stop:]


def told(read: Callable[[bytes], Bundle], page: bytes) -> object:
    try:
        bundle = read(page)
    except (Malformed, NotABundle) as problem:
        return type(problem), problem.reason
    return bundle.type, bundle.total, bundle.next, bundle.own, bundle.entries, vars(Found("Observation", 1, bundle))


@settings(max_examples=300)
@given(pages() | damaged())
def test_a_page_that_is_cut_holds_what_a_parser_finds(page: bytes) -> None:
    assert told(read_page, page) == told(read_bundle, page)


@pytest.mark.parametrize("spelling", ["compact", "spaced", "pretty"])
@pytest.mark.parametrize("search", [{"search": {"mode": "match"}}, {}])
@pytest.mark.parametrize("place", [{"fullUrl": "https://ehr.example/fhir/Observation/1"}, {}])
def test_pages_as_servers_write_them_can_be_cut(spelling: str, search: Json, place: Json) -> None:
    entries = [
        {**place, "resource": {"resourceType": "Observation", "id": str(n), "note": [{"text": "a"}]}, **search}
        for n in range(3)
    ]
    page = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    bundle = read_page(json.dumps(page, **SPELLINGS[spelling]).encode())
    assert [record.id for record, _ in bundle.filed or ()] == ["0", "1", "2"]


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(b'{"resource":{"resourceType":"Observation"}}', id="without an id"),
        pytest.param(
            b'{"resource":{"resourceType":"OperationOutcome","id":"o"},"search":{"mode":"outcome"}}', id="a remark"
        ),
        pytest.param(b'{"\\u0072esource":{"resourceType":"Observation","id":"a"}}', id="a name spelled with an escape"),
        pytest.param(b'{"resource" :{"resourceType":"Observation","id":"a"}}', id="a blank before the colon"),
        pytest.param(b'{"resource":{"resourceType":"A","id":"a"},"resource":{"resourceType":"B","id":"b"}}', id="two"),
        pytest.param(b'{"fullUrl":"x"}', id="none"),
    ],
)
def test_what_cannot_be_proven_is_left_to_the_parser(entry: bytes) -> None:
    good = b'{"resource":{"resourceType":"Observation","id":"c"},"search":{"mode":"match"}}'
    page = b'{"resourceType":"Bundle","type":"searchset","entry":[' + good + b"," + entry + b"]}"
    assert read_page(page).filed is None
    assert told(read_page, page) == told(read_bundle, page)
