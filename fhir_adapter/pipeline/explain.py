"""The findings about one person, for whoever asks why."""

from __future__ import annotations

from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.errors import UsageError
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline import with_last_parameters
from fhir_adapter.pipeline.build import build
from fhir_adapter.pipeline.moment import known
from fhir_adapter.pipeline.site import study_of
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store


def findings_of(patient: str, settings: Settings, as_of: str = "") -> tuple[str, tuple[AnyFinding, ...]]:
    """The surviving id and the findings of the person with this Patient id (or one merged into them)."""
    settings = with_last_parameters(settings, Progress())
    folder = study_of(settings)
    with Store.reopen(OutputFolder(settings.out).store) as store:
        view = known(store, as_of).view if as_of else store
        found = build(view, folder).findings_of(patient.removeprefix("Patient/"))
    if found is None:
        message = f"no person with this id was fetched into {settings.out}, or the links of the Patient cannot be used"
        raise UsageError(message, "use the logical id of the Patient on the source server; see cohort/rejects.csv")
    return found
