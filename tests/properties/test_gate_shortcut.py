"""The gate's shortcut never changes its verdict: whatever fits a shape, the models accept without a remark."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapter.ehr.delta import LOG
from fhir_adapter.fhir import validate
from fhir_adapter.fhir.record import Record
from fhir_adapter.fhir.shape import fits
from fhir_adapter.fhir.strict_json import is_unremarkable
from fhir_adapter.fhir.validate import Verdict, check

FIXTURES = Path(__file__).parents[2] / "fixtures"
NAMES = ["odd", "_status", "valueString", "extension", "id"]
_KEPT = ("resourceType",)
ODD: list[object] = [
    None,
    "",
    " ",
    "\u00a0",
    "\u200b",
    "x y",
    " x",
    "x\t",
    "tab\there",
    "<",
    "0001",
    "9999-12-31",
    "2020",
    "2020-13",
    "2021-02-29",
    "2020-02-29",
    "2020-02-30",
    "2020-1-1",
    "2020-04-31",
    "2020-01-01T24:00:00Z",
    "2020-01-01T10:00:60Z",
    "2020-01-01T10:00:00",
    "2020-01-01T10:00:00+14:00",
    "2020-01-01T10:00:00+25:00",
    "2020-01-01T10:00:00.123456789Z",
    "1066-10-14",
    "2020-01-01\n",
    "final",
    "banana",
    "a/b",
    "http://x y",
    "urn:oid:1.2",
    0,
    -1,
    1,
    2**31,
    2**40,
    1.5,
    -0.0,
    1e300,
    1e305,
    1e-305,
    True,
    False,
    [],
    {},
    [None],
    [""],
    [[]],
    {"extension": []},
    {"value": 1},
    "x" * 70,
    "'\"",
    "\\",
    "é",
    "\ud83d\ude00",
]


def resources() -> Iterator[dict[str, object]]:
    for path in sorted(FIXTURES.rglob("*.json")):
        if path.parent.name == LOG:  # of a Delta table
            continue
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("resourceType") == "Bundle":
            yield from (entry["resource"] for entry in document.get("entry", []) if "resource" in entry)
        elif "resourceType" in document:
            yield document


@cache
def samples() -> tuple[dict[str, object], ...]:
    """One resource of each make-up: same type, same elements."""
    found = {json.dumps(sorted(_elements(resource))): resource for resource in resources()}
    return tuple({**resource, "id": resource.get("id", "a")} for _, resource in sorted(found.items()))


def _elements(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{path}.{name}" for name in value)
        for name, inner in value.items():
            yield from _elements(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _elements(inner, path)


def places(value: object) -> Iterator[tuple[object, object]]:
    """Every container with each of its keys or positions."""
    if isinstance(value, dict | list):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from places(inner)


def record(resource: dict[str, object]) -> Record:
    body = json.dumps(resource, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return Record(str(resource["resourceType"]), str(resource["id"]), "", "", "", body)


def without_shortcut(one: Record) -> Verdict:
    with patch.object(validate, "fits", lambda *_: False):
        return check(one)


@pytest.mark.parametrize("resource", samples(), ids=lambda resource: f"{resource['resourceType']}-{resource['id']}")
def test_every_sample_gets_the_verdict_that_it_gets_without_the_shortcut(resource: dict[str, object]) -> None:
    one = record(resource)
    assert check(one) == without_shortcut(one)


def test_nearly_everything_that_hospitals_send_takes_the_shortcut() -> None:
    bodies = [record({**resource, "id": "a"}) for resource in resources()]
    assert len([one for one in bodies if fits(one.type, one.body)]) > 0.95 * len(bodies)
    plain = [one for one in bodies if b"\\" not in one.body and b"xtension" not in one.body]
    assert len([one for one in plain if is_unremarkable(one.body)]) > 0.95 * len(plain)


@settings(deadline=None)
@given(data=st.data())
def test_a_resource_that_is_changed_anywhere_gets_the_verdict_that_it_gets_without_the_shortcut(
    data: st.DataObject,
) -> None:
    resource = copy.deepcopy(data.draw(st.sampled_from(samples())))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from([place for place in places(resource) if place[1] not in _KEPT]))
        match data.draw(st.sampled_from(["replace", "remove", "rename", "repeat"])):
            case "remove":
                del holder[key]
            case "rename" if isinstance(holder, dict):
                holder[data.draw(st.sampled_from(["odd", "_status", "valueString", "extension", "id"]))] = holder.pop(
                    key
                )
            case "repeat":
                holder[key] = [holder[key], holder[key]]
            case _:
                holder[key] = data.draw(st.sampled_from(ODD) | st.text(max_size=5) | st.floats() | st.integers())
        if not list(places(resource)):
            break
    resource = {**resource, "resourceType": resource.get("resourceType", "Patient"), "id": "a"}
    one = record(resource)
    assert check(one) == without_shortcut(one)


@pytest.mark.parametrize(
    "odd",
    [
        b'{"resourceType":"Patient","id":"a","gender":"male","gender":"female"}',
        b'{"resourceType":"Patient","id":"a","birthDate":"0001-01-01"}',
        b'{"resourceType":"Patient","id":"a","name":[{"text":"\\u0000"}]}',
        b'{"resourceType":"Patient","id":"a","name":[{"text":"\\ud800"}]}',
        b'{"resourceType":"Observation","id":"a","status":"final","code":{"text":"x"},"valueQuantity":{"value":1e400}}',
        b'{"resourceType":"Observation","id":"a","status":"final","code":{"text":"x"},"valueQuantity":{"value":NaN}}',
        b'{"resourceType":"Patient","id":"a","name":[{"text":"\xff"}]}',
        b'{"resourceType":"Patient","id":"a"} {}',
    ],
)
def test_what_the_strict_reader_would_refuse_or_remark_is_never_called_unremarkable(odd: bytes) -> None:
    assert not is_unremarkable(odd)
