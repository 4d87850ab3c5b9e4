"""What an export says was deleted: lines with transaction Bundles whose entries are DELETE requests."""

from __future__ import annotations

import re

import msgspec

from fhir_adapter.ehr.json_text import UNREADABLE
from fhir_adapter.fhir.resource_types import R4_TYPES

_TARGET = re.compile(r"/?([A-Z][A-Za-z]{1,63})/([A-Za-z0-9\-.]{1,64})")
_TYPES = frozenset(R4_TYPES)


class _Request(msgspec.Struct, frozen=True):
    method: str = ""
    url: str = ""


class _Entry(msgspec.Struct):
    request: _Request = _Request()


class _Bundle(msgspec.Struct):
    resourceType: str = ""
    entry: list[_Entry] = []


_decoder = msgspec.json.Decoder(_Bundle)


def read_deletions(line: bytes, base_url: str) -> list[tuple[str, str]] | None:
    """Type and id of each resource that a line says was deleted; None unless all of it is understood."""
    try:
        bundle = _decoder.decode(line)
    except UNREADABLE:
        return None
    if bundle.resourceType != "Bundle":
        return None
    targets = [_target(entry.request, base_url) for entry in bundle.entry]
    known = [target for target in targets if target is not None]
    return known if len(known) == len(targets) else None


def _target(request: _Request, base_url: str) -> tuple[str, str] | None:
    found = _TARGET.fullmatch(request.url.removeprefix(base_url))
    if request.method != "DELETE" or not found or found.group(1) not in _TYPES:
        return None
    return found.group(1), found.group(2)
