"""Which resource types are fetched: those of every study, and those that only this one accepts."""

from __future__ import annotations

from fhir_adapter.fhir.r4 import FURTHER_RECORDS, READ_TYPES, WEAKER_EVIDENCE
from fhir_adapter.mapping.study import read_parameters
from fhir_adapter.settings import Settings


def types_read(settings: Settings) -> tuple[str, ...]:
    """The types in the order in which they are asked for. `StudyError` for a study that cannot be read."""
    asked = read_parameters(settings.study, settings.set)
    weaker = (type for evidence, type in WEAKER_EVIDENCE.items() if evidence in asked.exposure_evidence)
    further = (type for record, type in FURTHER_RECORDS.items() if record in asked.further_records)
    return (*READ_TYPES, *weaker, *further)
