"""The study as this site asks it: its folder, and what the site keeps beside its FHIR server."""

from __future__ import annotations

from dataclasses import replace

from fhir_adapter.mapping.rulings_file import read_rulings
from fhir_adapter.mapping.side_car import read_side_car
from fhir_adapter.mapping.study import StudyFolder, read_study
from fhir_adapter.settings import Settings


def study_of(settings: Settings) -> StudyFolder:
    """The checked study folder of the settings with the site's own ConceptMaps, adverse events and adjudication."""
    folder = read_study(settings.study, settings.set, settings.conceptmaps)
    return replace(
        folder,
        side_car=read_side_car(settings.adverse_events, folder.reader([])),
        rulings=read_rulings(settings.adjudication, folder.study),
    )
