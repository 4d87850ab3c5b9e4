"""The models of fhir.resources that stand for R4."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel

# R4B, the edition of the models, changed these; other types it has not at all.
_DIFFER = frozenset({"Evidence", "EvidenceVariable"})


@lru_cache(maxsize=512)
def model_of(type: str) -> type[BaseModel] | None:
    """The R4B model of a resource type; None when it has none, or one that is not R4's."""
    from fhir.resources.R4B import get_fhir_model_class
    from fhir.resources.R4B.resource import Resource

    if type in _DIFFER:
        return None
    try:
        model = get_fhir_model_class(type)
    except (KeyError, ValueError):
        return None
    return model if issubclass(model, Resource) else None
