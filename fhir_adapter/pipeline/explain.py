"""The findings about one person, for whoever asks why."""

from __future__ import annotations

from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.cohort.judgement import Excluded, Judgement
from fhir_adapter.errors import UsageError
from fhir_adapter.mapping.study import read_study
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline.build import build
from fhir_adapter.publish.cohort_tables import eligibility
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store


def findings_of(patient: str, settings: Settings) -> tuple[str, list[AnyFinding]]:
    """The surviving id and the findings of the person with this Patient id (or one merged into them)."""
    folder = read_study(settings.study, settings.set)
    wanted = patient.removeprefix("Patient/")
    with Store.reopen(OutputFolder(settings.out).store) as store:
        cohort = build(store, folder)
    everyone: list[Judgement | Excluded] = [*cohort.judgements, *cohort.excluded]
    for one in everyone:
        if wanted in one.subject.patient_ids:
            told = one.findings() if isinstance(one, Judgement) else one.findings
            return one.subject.subject_id, [eligibility(one), *told]
    raise UsageError(
        f"no person with this id was fetched into {settings.out}",
        "use the logical id of the Patient on the source server",
    )
