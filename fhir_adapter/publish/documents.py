"""A FHIR resource ready to be sent: checked, with an id and a file name that stay the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from fhir_adapter.errors import StudyError
from fhir_adapter.fhir.canonical import parse_json
from fhir_adapter.publish.codes import unknown_codes

Resource = dict[str, Any]
"""FHIR JSON as Python sees it; decimals are `Decimal`."""

_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Document:
    """One resource as it would be sent. `file_name` is `<type>-<id>.json`."""

    type: str
    id: str
    resource: Resource

    @property
    def file_name(self) -> str:
        return f"{self.type}-{self.id}.json"

    def to_json(self) -> bytes:
        """The resource as indented JSON that ends with a line feed; equal documents give equal bytes."""
        return msgspec.json.format(_encoder.encode(self.resource), indent=2) + b"\n"


def document(resource: Mapping[str, Any], origin: str, release: str = "4.0") -> Document:
    """Check `resource` against its model of a FHIR release (R4 and R4B have the same one here) and the code lists.

    Elements come out in the order of the specification. `origin` says where the resource comes from, for the
    `StudyError` raised when it is not valid.
    """
    try:
        model = model_class(str(resource.get("resourceType")), release).model_validate(resource)
    except (ValidationError, KeyError) as error:
        raise StudyError(f"{origin} is not valid FHIR {release}: {_places(error)}") from None
    if problems := unknown_codes(model):
        raise StudyError(f"{origin} uses a code that FHIR R4 does not have: {'; '.join(problems)}")
    checked = cast(Resource, parse_json(model.model_dump_json().encode()))
    if not checked.get("id"):
        raise StudyError(f"{origin} has no id")
    return Document(checked["resourceType"], checked["id"], checked)


def model_class(type: str, release: str) -> Any:
    """The model of a resource type in a release of FHIR; `KeyError` for a type that it does not have."""
    if release == "5.0":
        from fhir.resources import get_fhir_model_class as r5_model

        return r5_model(type)
    return get_fhir_model_class(type)


def _places(error: ValidationError | KeyError) -> str:
    """Elements and kinds of what is wrong, never the values."""
    if isinstance(error, KeyError):
        return "unknown resource type"
    found = [f"{'.'.join(map(str, part['loc']))} ({part['type']})" for part in error.errors(include_input=False)]
    return "; ".join(found[:5])
