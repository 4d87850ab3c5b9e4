"""What publishing would do, from what the last fetch left. Nothing is written, neither here nor on the server."""

from __future__ import annotations

from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.ehr.foresee import Foreseen
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline import with_last_parameters
from fhir_adapter.pipeline.build import build
from fhir_adapter.pipeline.moment import known
from fhir_adapter.pipeline.publish import Material, foreseen
from fhir_adapter.pipeline.site import study_of
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store


def foresee_publishing(settings: Settings, say: Progress, *, individual: bool = False) -> tuple[Foreseen, ...]:
    """Every document with what would become of it on the server; raises what would prevent it."""
    settings = with_last_parameters(settings, say)
    folder = study_of(settings)
    with Store.reopen(OutputFolder(settings.out).store) as store:
        view = known(store).view
        cohort = build(view, folder, whole=individual)
        flow = [(row.step, row.n_left) for row in cohort.flow]
        found = estimate(cohort.people, cohort.times, flow, folder.study)
        inputs = {"landing-store": view.content_hash(), **folder.inputs}
        material = Material(cohort, found, inputs, view.changed_at(), settings, individual)
    return foreseen(material)
