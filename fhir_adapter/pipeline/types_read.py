"""Which resource types are fetched: those of every study, and those of the weaker evidence that this study accepts."""

from __future__ import annotations

from fhir_adapter.fhir.r4 import READ_TYPES, WEAKER_EVIDENCE
from fhir_adapter.mapping.study import read_parameters
from fhir_adapter.settings import Settings


def types_read(settings: Settings) -> tuple[str, ...]:
    """The types in the order in which they are asked for. `StudyError` for a study that cannot be read."""
    accepted = read_parameters(settings.study, settings.set).exposure_evidence
    return (*READ_TYPES, *(type for evidence, type in WEAKER_EVIDENCE.items() if evidence in accepted))
