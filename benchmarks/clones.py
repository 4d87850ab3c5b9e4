"""A landing store with as many included people as are asked for: the people of the reference study under other ids.

The same number gives the same bytes. Of records of one kind (a laboratory value, a drug) each person keeps a few.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from fhir_adapter.fhir.record import Record, read_record
from fhir_adapter.store import Store

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
SOURCE = "folder:/clones"
_STARTED = "2026-01-01T00:00:00Z"
_AT_ONCE = 5_000  # records in one transaction
_OF_A_KIND = 2  # records of one kind that a person keeps
_BESIDE = 6  # for as many included people there is one who is not

Resource = dict[str, Any]
Template = tuple[tuple[bytes, ...], ...]
"""The records of a person, each cut behind every one of the person's own ids in it."""


def write_store(path: Path, people: int) -> None:
    """A store of this many included people, and of some who are not included."""
    with Store.open(path, SOURCE) as store:
        run = store.begin_run(_STARTED)
        records, landed = _records(people), 0
        while some := list(islice(records, _AT_ONCE)):
            store.land(run, "everything", some, [])
            landed += len(some)
        store.finish_stream(run, "everything", announced=landed, complete=True)
        store.finish_run(run, complete=True)


def _records(people: int) -> Iterator[Record]:
    shared, inside = _templates("study12")
    _, outside = _templates("background")
    yield from map(read_record, shared)
    for number in range(people):
        yield from _clone(inside[number % len(inside)], number)
        if number % _BESIDE == 0:
            yield from _clone(outside[number // _BESIDE % len(outside)], number)


def _clone(template: Template, number: int) -> Iterator[Record]:
    ending = b".%06d" % number
    return (read_record(ending.join(pieces)) for pieces in template)


def _templates(folder: str) -> tuple[list[bytes], list[Template]]:
    """What is shared by everybody, and a template of each person who has no other id."""
    people: dict[str, list[Resource]] = defaultdict(list)
    for path in sorted((FIXTURES / folder).glob("*.json")):
        for entry in json.loads(path.read_bytes())["entry"]:
            people[read_record(_written(entry["resource"])).person].append(entry["resource"])
    shared = {one["id"]: _written(one) for one in people.pop("", [])}
    alone = [own for own in people.values() if not any("link" in one for one in own)]
    return list(shared.values()), [_cut(_thinned(own)) for own in alone]


def _written(resource: Resource) -> bytes:
    return json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()


def _thinned(resources: list[Resource]) -> list[Resource]:
    """The first and the last of every kind."""
    kinds: dict[str, list[Resource]] = defaultdict(list)
    for one in resources:
        about = one.get("code") or one.get("medicationCodeableConcept") or one.get("medicationReference")
        kinds[one["resourceType"] + json.dumps(about, sort_keys=True)].append(one)
    half = _OF_A_KIND // 2
    few = (some if len(some) <= _OF_A_KIND else [*some[:half], *some[-half:]] for some in kinds.values())
    return [one for some in few for one in some]


def _cut(resources: list[Resource]) -> Template:
    ids = sorted((re.escape(one["id"]) for one in resources), key=len, reverse=True)
    own = re.compile(rf'(?<=["/])(?:{"|".join(ids)})(?=["/])'.encode())
    return tuple(_pieces(own, _written(one)) for one in resources)


def _pieces(own: re.Pattern[bytes], body: bytes) -> tuple[bytes, ...]:
    ends = [found.end() for found in own.finditer(body)]
    return tuple(body[start:end] for start, end in zip([0, *ends], [*ends, len(body)], strict=True))
