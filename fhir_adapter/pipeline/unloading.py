"""Taking away what `loading` has put on a server: that, and nothing else.

A resource goes if it carries the tag of the load now. Which ones there are is asked by a search for the tag, and by
reading what the receipt names where that search does not help. What others refer to goes after them, so that a server
that keeps references whole has nothing to object to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from fhir_adapter.ehr.bundle import Malformed, NotABundle, read_bundle, read_entry
from fhir_adapter.ehr.document import key_of, spelled
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import IncompleteError, ServerRefused, UsageError
from fhir_adapter.fhir.canonical import NotJson, parse_json
from fhir_adapter.fhir.record import Unreadable
from fhir_adapter.pipeline.loading import TAG_SYSTEM
from fhir_adapter.pipeline.receipt import Receipt, forget, read_receipt
from fhir_adapter.progress import Progress

_FRESH = {"Cache-Control": "no-cache", "Prefer": "handling=strict"}
_PAGE_SIZE = 200
_MAX_PAGES = 1000  # a search without end must not keep us for ever
_TOGETHER = 100  # deletions in one transaction
_STILL_THERE = "something that is not of this load may refer to them; the receipt is kept, run the same command again"

# `Type/id` of each resource with the `Type/id` of those it refers to.
Held = dict[str, set[str]]


def unload(transport: Transport, receipt_file: Path, say: Progress) -> Counter[str]:
    """Remove what a receipt is about, and the receipt; how many resources of each type there were.

    Raises `UsageError` for a receipt of another server, `IncompleteError` or `ServerRefused` when something is left
    (the receipt then stays), and what `Transport` raises.
    """
    receipt = read_receipt(receipt_file)
    if receipt.server != transport.base_url:
        raise UsageError(
            f"{receipt_file} is of {receipt.server}", "name the server that was loaded, or its own receipt"
        )
    tagged = _tagged(transport, receipt)
    unseen = [place for place in receipt.resources.values() if place not in tagged]
    held = {**tagged, **_read(transport, receipt.load, unseen)}
    done = 0
    for group in _dependants_first(held):
        _remove(transport, group)
        done += len(group)
        say.waiting("invented patients", done / len(held))
    left = _tagged(transport, receipt) if tagged else _read(transport, receipt.load, held)
    if left:
        raise IncompleteError(f"{_counted(left)} could not be removed", _STILL_THERE)
    forget(receipt_file)
    return _types(held)


def _tagged(transport: Transport, receipt: Receipt) -> Held:
    """What a search for the tag finds and what really carries it."""
    held: Held = {}
    for type in receipt.types:
        held.update(_search(transport, type, receipt.load))
    return held


def _search(transport: Transport, type: str, load: str) -> Held:
    held: Held = {}
    params = (("_tag", f"{TAG_SYSTEM}|{load}"), ("_count", str(_PAGE_SIZE)))
    url: str | None = type
    for number in range(_MAX_PAGES):
        try:
            answer = transport.get(url or type, params=None if number else params, headers=_FRESH)
            bundle = read_bundle(answer.body)
        except (ServerRefused, Malformed, NotABundle):
            return held  # no search by tag here; the receipt will have to do
        ours = [_references(body, load) for body in _bodies(bundle.entries)]
        for one in ours:
            held.update(one)
        if bundle.next is None or not all(ours):  # a stranger on the page: the server ignores the tag
            break
        url = transport.policy.resolve(bundle.next, answer.url)
    return held


def _bodies(entries: Iterable[bytes]) -> Iterator[bytes]:
    for raw in entries:
        try:
            yield read_entry(raw).resource
        except Unreadable:
            continue


def _read(transport: Transport, load: str, places: Collection[str]) -> Held:
    """Those of some resources that are there and carry the tag."""
    held: Held = {}
    for place in places:
        try:
            held.update(_references(transport.get(place, headers=_FRESH).body, load))
        except ServerRefused as refused:
            if refused.status not in (404, 410):
                raise
    return held


def _references(body: bytes, load: str) -> Held:
    """One resource of this load with what it refers to; nothing if it is not of this load."""
    try:
        resource = parse_json(body)
    except NotJson:
        return {}
    if not isinstance(resource, dict) or not _carries(resource, load):
        return {}
    return {key_of(resource): set(_referred(resource))}


def _carries(resource: dict[str, object], load: str) -> bool:
    meta = resource.get("meta")
    tags = meta.get("tag") if isinstance(meta, dict) else None
    wanted = {"system": TAG_SYSTEM, "code": load}
    return any(isinstance(tag, dict) and wanted.items() <= tag.items() for tag in tags or ())


def _referred(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            if name == "reference" and isinstance(member, str):
                yield "/".join(member.partition("/_history/")[0].split("/")[-2:])
            else:
                yield from _referred(member)
    elif isinstance(value, list):
        for member in value:
            yield from _referred(member)


def _dependants_first(held: Held) -> Iterator[list[str]]:
    """Groups to remove one after the other: nothing that is left refers to any of them. A circle goes at once."""
    left = {place: referred & held.keys() - {place} for place, referred in held.items()}
    while left:
        pointed_to = set().union(*left.values())
        free = [place for place in left if place not in pointed_to]
        size = _TOGETHER if free else len(left)
        group = (free or list(left))[:size]
        yield group
        for place in group:
            del left[place]


def _remove(transport: Transport, places: list[str]) -> None:
    entries = [{"request": {"method": "DELETE", "url": place}} for place in places]
    try:
        transport.post("", spelled({"resourceType": "Bundle", "type": "transaction", "entry": entries}))
    except ServerRefused as refused:
        message = f"the server refused to remove {_counted(places)} (HTTP {refused.status})"
        raise ServerRefused(message, _STILL_THERE, status=refused.status, issues=refused.issues) from None


def _types(places: Iterable[str]) -> Counter[str]:
    return Counter(place.partition("/")[0] for place in places)


def _counted(places: Iterable[str]) -> str:
    return ", ".join(f"{count} {type}" for type, count in sorted(_types(places).items()))
