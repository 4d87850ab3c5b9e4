"""The results of a study as a FHIR server holds them: its MeasureReports, read back."""

from __future__ import annotations

from dataclasses import dataclass

from fhir_adapter.ehr.auth import Wanted
from fhir_adapter.ehr.capability import fetch_capability
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.ehr.whereabouts import fetch_matches
from fhir_adapter.errors import ServerRefused, StudyError, UsageError
from fhir_adapter.mapping.artefacts import read_toml
from fhir_adapter.mapping.study import find_study
from fhir_adapter.pipeline.connection import connected
from fhir_adapter.pipeline.publish import PUBLISHED_IN, release_of
from fhir_adapter.publish.canonical_base import moved
from fhir_adapter.publish.identity import REPORT, searchable
from fhir_adapter.publish.report_reading import NotAReport, ReportRead, read_body
from fhir_adapter.settings import Settings

READING_BACK = Wanted(read=("MeasureReport",))


@dataclass(frozen=True)
class Held:
    """What a server holds: our reports by study, site, cut and family, and how many others could not be read."""

    reports: tuple[ReportRead, ...]
    unreadable: int


def fetch_results(settings: Settings) -> Held:
    """Every report of ours on the server; of one study only, where the settings name one. Nothing is written.

    `UsageError` without a server; what `Transport` raises.
    """
    server = settings.server or settings.publish_to
    if not server:
        raise UsageError("no server is given, so there is nothing to read results from", "name it with --server URL")
    study = study_id(settings.study) if "study" in settings.model_fields_set else ""
    with connected(server, settings, READING_BACK) as transport:
        release = release_of(fetch_capability(transport, PUBLISHED_IN))
        bodies = _fetch_reports(transport, settings.canonical)
    read, unreadable = [], 0
    for body in bodies:
        try:
            read.append(read_body(body, settings.canonical, release))
        except NotAReport:
            unreadable += 1
    ours = [one for one in read if one and study in ("", one.study)]
    return Held(tuple(sorted(ours, key=lambda one: (one.study, one.site, one.cut, one.family))), unreadable)


def study_id(name: str) -> str:
    """The id of a study as it stands in the identifiers of its reports. Whoever reads them need not have its folder."""
    try:
        return searchable(str(read_toml(find_study(name) / "study.toml").get("id", name)))
    except StudyError:
        return searchable(name)


def _fetch_reports(transport: Transport, base: str) -> list[bytes]:
    """The reports with an identifier of ours; from a server that cannot search so, all there are."""
    try:
        found = fetch_matches(transport, "MeasureReport", (("identifier", f"{moved(REPORT, base)}|"),))
    except ServerRefused:
        found = []
    return [one.body for one in found or fetch_matches(transport, "MeasureReport", ())]
