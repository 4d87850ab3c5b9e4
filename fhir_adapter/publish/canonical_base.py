"""Whose names our documents carry: every address that begins with our canonical base begins with the site's instead.

Two organisations that publish to one server keep their Measures, codes and identifiers apart in this way.
"""

from __future__ import annotations

from typing import Any, cast

from fhir_adapter.publish.documents import Resource
from fhir_adapter.publish.identity import CANON


def with_base(resource: Resource, base: str) -> Resource:
    """The resource with the addresses of ours under `base`; unchanged where that is empty."""
    return cast(Resource, _changed(resource, CANON, base)) if base else resource


def without_base(resource: Resource, base: str) -> Resource:
    """The resource with the addresses under `base` as they are in this project: undoes `with_base`."""
    return cast(Resource, _changed(resource, base, CANON)) if base else resource


def moved(address: str, base: str) -> str:
    """One address of ours under `base`."""
    return str(_changed(address, CANON, base)) if base else address


def _changed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {name: _changed(member, old, new) for name, member in value.items()}
    if isinstance(value, list):
        return [_changed(member, old, new) for member in value]
    if isinstance(value, str) and (value == old or value.startswith(f"{old}/")):
        return new + value.removeprefix(old)
    return value
