"""One person with every finding, for whoever asks why."""

from __future__ import annotations

from pathlib import Path

from fhir_adapter.errors import DiskError, UsageError
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline import with_last_parameters
from fhir_adapter.pipeline.build import find_person
from fhir_adapter.pipeline.moment import known
from fhir_adapter.pipeline.site import study_of
from fhir_adapter.progress import Progress
from fhir_adapter.report.timeline.person import Person
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store
from fhir_adapter.whole_file import write_whole


def person_of(patient: str, settings: Settings, as_of: str = "") -> Person:
    """The person with this Patient id (or one merged into them), judged; `UsageError` when there is none."""
    settings = with_last_parameters(settings, Progress())
    folder = study_of(settings)
    with Store.reopen(OutputFolder(settings.out).store) as store:
        found = find_person(known(store, as_of).view if as_of else store, folder, patient.removeprefix("Patient/"))
    if found is None:
        message = f"no person with this id was fetched into {settings.out}, or the links of the Patient cannot be used"
        raise UsageError(message, "use the logical id of the Patient on the source server; see cohort/rejects.csv")
    return Person(folder.study, found.subject, found.findings, found.times)


def write_page(person: Person, path: Path) -> None:
    """The course of the person as one HTML file that only its owner may read; what was there is replaced as a whole."""
    from fhir_adapter.report.timeline.page import render

    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UsageError("the page cannot be written there: it needs the name of a file in a folder that exists")
    try:
        write_whole(path, render(person))
    except OSError as problem:
        message = f"the page cannot be written: {problem.strerror}"
        raise DiskError(message, "make room, or name a file in a folder that you may write") from None
