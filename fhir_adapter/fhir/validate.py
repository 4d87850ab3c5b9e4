"""The gate: is this resource what FHIR R4 says it is, or at least something that can be understood?

What cannot be understood is set aside with a reason. What can, although it is not quite as it should be, is kept with
flags. Reasons and flags are fixed words followed by an element path; never a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from fhir_adapter.fhir import r4
from fhir_adapter.fhir.canonical import Json
from fhir_adapter.fhir.inspection import Inspection
from fhir_adapter.fhir.models import model_of
from fhir_adapter.fhir.record import Record, Unreadable
from fhir_adapter.fhir.repair import Repair
from fhir_adapter.fhir.required_codes import DECISIVE, codes_of, unknown_concepts
from fhir_adapter.fhir.resource_types import R4_TYPES
from fhir_adapter.fhir.shape import fits
from fhir_adapter.fhir.strict_json import is_unremarkable, read_strict

if TYPE_CHECKING:
    from pydantic import BaseModel

MAX_FLAGS = 50
_ROUNDS = 5
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is empty when accepted. `flags` are sorted and each is there once."""

    accepted: bool
    reason: str = ""
    flags: tuple[str, ...] = ()


def check(record: Record) -> Verdict:
    """Decide whether a resource can be used. Any bytes get a verdict; no input raises."""
    if is_unremarkable(record.body) and fits(record.type, record.body) and _is_readable(record):
        return Verdict(True)
    inspection = Inspection(_is_known)
    try:
        flags = _examine(record, inspection)
    except Unreadable as refusal:
        return Verdict(False, refusal.reason, _sorted(inspection.flags))
    except RecursionError:
        return Verdict(False, "nested-too-deeply", _sorted(inspection.flags))
    return Verdict(True, "", _sorted(flags))


def _examine(record: Record, inspection: Inspection) -> dict[str, None]:
    """The flags of a usable resource; `Unreadable` for one that is not."""
    resource = read_strict(record.body)
    type = record.type
    if not _ID.fullmatch(record.id):
        raise Unreadable("bad-id")
    if type not in R4_TYPES and not _is_known(type):
        raise Unreadable("unknown-resource-type")
    inspection.walk(resource, (type,))
    if "implicitRules" in resource:
        raise Unreadable(f"unknown-implicit-rules {type}.implicitRules")
    model = model_of(type)
    if model is None:
        inspection.flags["type-not-validated"] = None
        return inspection.flags
    if not fits(type, record.body):
        _check_codes(type, resource, inspection)
        _validate(type, model, resource, inspection)
    _look_through_lens(record, inspection)
    return inspection.flags


def _check_codes(type: str, resource: Mapping[str, Json], inspection: Inspection) -> None:
    for element, codes in _required_codes(type).items():
        code = resource.get(element)
        if not isinstance(code, str) or code in codes:
            continue
        if element in DECISIVE:
            raise Unreadable(f"code-not-in-value-set {type}.{element}")
        inspection.flag("code-not-in-value-set", (type, element))
    for element in unknown_concepts(type, resource):
        raise Unreadable(f"code-not-in-value-set {type}.{element}")


def _validate(type: str, model: type[BaseModel], resource: dict[str, Json], inspection: Inspection) -> None:
    """Validate once; only what fails is mended and validated again."""
    from pydantic import ValidationError

    repair = Repair(type, resource)
    for _ in range(_ROUNDS):
        try:
            model.model_validate(resource)
            break
        except ValidationError as error:
            repair.mend(error.errors(include_url=False, include_context=False, include_input=False))
        except Exception:
            # The models raise what they like on odd input; none of it may stop a run, nor be shown.
            raise Unreadable("invalid-resource") from None
        if repair.reasons:
            raise Unreadable(min(repair.reasons))
    else:
        raise Unreadable("invalid-resource")
    inspection.flags.update(dict.fromkeys(repair.flags))


def _look_through_lens(record: Record, inspection: Inspection) -> None:
    """What passes the gate must be readable by the mappers."""
    if not r4.is_read(record.type):
        return
    try:
        r4.decode(record.body)
    except Unreadable as refusal:
        nulls = [flag for flag in sorted(inspection.flags) if flag.startswith("null-value ")]
        raise Unreadable(nulls[0] if nulls else refusal.reason) from None


def _is_readable(record: Record) -> bool:
    try:
        r4.decode(record.body)
    except Unreadable:
        return not r4.is_read(record.type)
    return True


def _sorted(flags: Mapping[str, None]) -> tuple[str, ...]:
    ordered = sorted(flags)
    return tuple(ordered if len(ordered) <= MAX_FLAGS else [*ordered[:MAX_FLAGS], "more-flags"])


def _is_known(type: str) -> bool:
    return _TYPE.fullmatch(type) is not None and model_of(type) is not None


@cache
def _required_codes(type: str) -> Mapping[str, frozenset[str]]:
    """The value sets of a type's own code elements."""
    model = model_of(type)
    fields: Mapping[str, Any] = model.model_fields if model else {}
    found = {
        field.alias or name: codes_of(type, name, (field.json_schema_extra or {}).get("enum_values", ()))
        for name, field in fields.items()
    }
    return {element: codes for element, codes in found.items() if codes}
