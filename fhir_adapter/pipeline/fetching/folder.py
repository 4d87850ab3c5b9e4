"""A whole fetch from a folder: every file, every time, about everybody or about those whom the study may be about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from fhir_adapter.ehr.folder import FolderFile, read_pages
from fhir_adapter.ehr.gather import Gatherer
from fhir_adapter.ehr.page import Page
from fhir_adapter.fhir.resource_types import kind_of
from fhir_adapter.pipeline.fetching.candidates import SHARED, Candidates, candidates
from fhir_adapter.pipeline.fetching.landing import Fetched, Landing
from fhir_adapter.pipeline.fetching.passed_over import remember_passed_over
from fhir_adapter.pipeline.site import study_of
from fhir_adapter.pipeline.types_read import types_read
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

Read = Callable[[FolderFile], Iterator[Page]]


def land_folder(
    files: Sequence[FolderFile], settings: Settings, store: Store, started_at: str, say: Progress
) -> Fetched:
    """Bring the store up to date. What is in no file any more, or about nobody of the study any more, is gone."""
    types = types_read(settings)
    about = candidates(files, study_of(settings), types) if settings.folder_people == "study" else None
    read: Read = read_pages
    if about:
        read = Gatherer(about.people, SHARED, every_line=settings.every_line).pages
        say(_told(about))
    landing = Landing(store, store.begin_run(started_at), say, types)
    for file in files:
        landing.land(_stream_name(file), read(file), settings.unreadable_lines)
    if landing.is_whole:
        for type in sorted(types):
            store.sweep(landing.run, type)
        remember_passed_over(store, about.others if about else 0)
    return landing.finish()


def _told(about: Candidates) -> str:
    """Whom the folder is read about. Where nobody is found, the codes of the hospital may be the reason."""
    known = len(about.people)
    told = f"{known} of {known + about.others} Patients have a record of the treatments of the study and are read about"
    if about.people:
        return told
    return f"{told}; if the hospital has codes of its own, read everybody (`folder_people`) and ask `unmapped`"


def _stream_name(file: FolderFile) -> str:
    """Files named after a resource type keep their name; any other may be named after a person, so it is counted."""
    name = file.name.encode("utf-8", "replace").decode()  # a file system holds bytes, not always text
    return f"file {file.number:04d}" if kind_of(name) == "file" else name
