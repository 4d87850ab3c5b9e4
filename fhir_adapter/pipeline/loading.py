"""Invented patients onto a FHIR server.

A server of our own takes them as they are, under their own ids. On anybody else's they are new resources: the server
chooses their ids, each carries a tag with the id of the load, and a receipt says what became of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from fhir_adapter.ehr.auth import Wanted
from fhir_adapter.ehr.capability import Capability, fetch_capability
from fhir_adapter.ehr.document import key_of, spelled, type_of, urn_of, with_references, without_id
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.ehr.url_policy import is_loopback
from fhir_adapter.errors import NotReadyError, ServerRefused, UsageError
from fhir_adapter.packaged import data_folder
from fhir_adapter.pipeline.receipt import Receipt, write_receipt
from fhir_adapter.progress import Progress
from fhir_adapter.publish.identity import CANON

STORIES = ("study12", "background")
TAG_SYSTEM = f"{CANON}/CodeSystem/invented-patients"
_PLACE = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})(?:/_history/|$)")
_UNDO = "what was loaded is in the receipt: `fhir-adapter sandbox unload` takes it away again"

Resource = dict[str, Any]


def fixture_bundles(stories: Sequence[str] = STORIES) -> Iterator[Path]:
    """The Bundles of the reference study and of the people around it, in order."""
    for story in stories:
        yield from sorted((data_folder("fixtures") / story).glob("*.json"))


def load_fixtures(base_url: str) -> int:
    """Send every Bundle of the fixtures to a server of our own as a transaction; the number of Bundles."""
    bundles = list(fixture_bundles())
    with Transport(base_url) as transport:
        for path in bundles:
            transport.post("", path.read_bytes())
    return len(bundles)


def access_to(types: Sequence[str]) -> Wanted:
    """What has to be allowed to load and unload resources of some types."""
    return Wanted(read=tuple(types), write=tuple(types))


def types_in(bundles: Iterable[Path]) -> list[str]:
    """The resource types in some Bundles."""
    return sorted({type_of(one) for path in bundles for one in _resources(path)})


def require_test_server(base_url: str, said_so: bool) -> None:
    """`UsageError` unless the server is on this machine, or somebody has said that it is there for tests."""
    if not said_so and not is_loopback(urlsplit(base_url).hostname or ""):
        raise UsageError(
            "this server is not on this machine, and invented patients must never stand among real ones",
            "if it holds no real patients, say so with --yes-this-is-a-test-server",
        )


def load(transport: Transport, bundles: Sequence[Path], receipt_file: Path, load_id: str, say: Progress) -> Receipt:
    """Make the resources of some Bundles anew on a server, each under an id of its choice.

    The receipt is on the disk before anything is sent, and again after every Bundle. Raises `UsageError` for a server
    without transactions or a receipt that is there already, and what `Transport` raises.
    """
    types = types_in(bundles)
    _require_possible(fetch_capability(transport), types)
    if receipt_file.exists():
        raise UsageError(
            f"the receipt {receipt_file} is of an earlier load",
            "unload that one first, or name another file with --receipt",
        )
    receipt = Receipt(server=transport.base_url, load=load_id, types=tuple(types))
    write_receipt(receipt_file, receipt)
    for number, path in enumerate(bundles, 1):
        new = [one for one in _resources(path) if key_of(one) not in receipt.resources]
        made = _make(transport, new, receipt)
        receipt = receipt.model_copy(update={"resources": {**receipt.resources, **made}})
        write_receipt(receipt_file, receipt)
        say.waiting("invented patients", number / len(bundles))
    return receipt


def _require_possible(capability: Capability, types: Iterable[str]) -> None:
    if not capability.transaction:
        raise UsageError("this server takes no transactions, so what belongs together cannot be loaded", "try another")
    missing = [type for type in types if type not in capability.types or not capability.types[type].create]
    if missing:
        raise UsageError(f"this server does not store {', '.join(missing)}", "try another")


def _resources(path: Path) -> list[Resource]:
    return [entry["resource"] for entry in json.loads(path.read_bytes())["entry"]]


def _make(transport: Transport, resources: Sequence[Resource], receipt: Receipt) -> dict[str, str]:
    """One transaction: our names with the places that the server has found for them."""
    keys = [key_of(one) for one in resources]
    if not keys:
        return {}
    places = {**receipt.resources, **{key: urn_of(key) for key in keys}}
    entries = [
        {
            "fullUrl": places[key_of(one)],
            "resource": with_references(_tagged(without_id(one), receipt.load), places),
            "request": {"method": "POST", "url": type_of(one)},
        }
        for one in resources
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    try:
        answer = transport.post("", spelled(bundle))
    except NotReadyError as problem:
        raise NotReadyError(problem.message, _UNDO) from None
    except ServerRefused as refused:
        raise ServerRefused(refused.message, _UNDO, status=refused.status, issues=refused.issues) from None
    return dict(zip(keys, _places(answer.body, len(keys)), strict=True))


def _tagged(resource: Mapping[str, Any], load_id: str) -> Resource:
    """The resource as a new one of this load."""
    meta = {name: value for name, value in resource.get("meta", {}).items() if name != "versionId"}
    tags = [*meta.get("tag", []), {"system": TAG_SYSTEM, "code": load_id}]
    return {**resource, "meta": {**meta, "tag": tags}}


class _Response(msgspec.Struct):
    location: str = ""


class _Entry(msgspec.Struct):
    response: _Response


class _Answered(msgspec.Struct):
    entry: list[_Entry] = []


def _places(body: bytes, expected: int) -> list[str]:
    """`Type/id` of each resource that a transaction has made."""
    try:
        responses = [one.response for one in msgspec.json.decode(body, type=_Answered).entry]
    except (msgspec.DecodeError, UnicodeDecodeError):
        responses = []
    found = [place.group(1) for one in responses if (place := _PLACE.search(one.location))]
    if len(found) != expected:
        raise NotReadyError("the server does not say where it has put what it was sent", _UNDO)
    return found
