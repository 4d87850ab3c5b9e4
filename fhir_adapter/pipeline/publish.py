"""From estimates to documents, and from documents to the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from fhir_adapter import __version__
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.ehr.capability import fetch_capability
from fhir_adapter.ehr.deliver import Delivery, deliver
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import AccessError
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline.build import Cohort
from fhir_adapter.pipeline.connection import PUBLISHING, connected
from fhir_adapter.publish.documents import Document, document
from fhir_adapter.publish.measure_report import build_reports
from fhir_adapter.publish.provenance import build as build_provenance
from fhir_adapter.settings import Settings

SOFTWARE = f"fhir-adapter/{__version__}"


def documents(cohort: Cohort, estimates: Sequence[Estimate], as_of: date) -> tuple[Document, ...]:
    """Every Measure and MeasureReport of the study; `as_of` ends the period when the study has no data cut."""
    infusions = [one.index.value.infusion.earliest for one in cohort.judgements if one.index.value]
    end = cohort.study.parameters.data_cut or as_of
    start = min(infusions, default=end)
    return build_reports(estimates, cohort.study, flow=cohort.flow, period_start=start, period_end=end)


def provenance(
    targets: Sequence[Mapping[str, Any]], cohort: Cohort, inputs: Mapping[str, str], changed_at: str
) -> dict[str, Any]:
    """The Provenance of some documents: software, study and the hashes of what they rest on, by name."""
    return build_provenance(targets, software=SOFTWARE, study=cohort.study, inputs=inputs, recorded=changed_at)


def files(found: Sequence[Document], about: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of `publish/`: every document, and the Provenance of them all."""
    written = {one.file_name: one.to_json() for one in found}
    traced = document(about, "the Provenance")
    return {**written, "Provenance.json": traced.to_json()}


def send(
    found: Sequence[Document],
    cohort: Cohort,
    inputs: Mapping[str, str],
    changed_at: str,
    settings: Settings,
    out: OutputFolder,
) -> Delivery:
    """Bring the server to hold the documents; unchanged ones are left alone."""
    with connected(settings.destination, settings, PUBLISHING) as transport:
        capability = fetch_capability(transport)
        _check_permission(transport)
        return deliver(
            transport,
            capability,
            [one.resource for one in found],
            lambda changed: provenance(changed, cohort, inputs, changed_at),
            journal=out.journal,
        )


def _check_permission(transport: Transport) -> None:
    """What is not allowed is said before anything is sent, not in the middle."""
    denied = sorted(transport.denied_types)
    if denied:
        raise AccessError(
            f"The server grants no permission to write {', '.join(denied)}, so nothing was sent.",
            f"Ask its administrators for the scopes {' '.join(PUBLISHING.scopes(2))}, or publish to files only.",
        )
