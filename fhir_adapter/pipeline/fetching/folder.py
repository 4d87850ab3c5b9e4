"""A whole fetch from a folder: every file, every time, about everybody or about those whom the study may be about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, groupby

from fhir_adapter.ehr.folder import FolderFile, read_pages
from fhir_adapter.ehr.gather import Portion, Search, gather, pages_by_file
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.parts import Part, batches, parts_of, size_of
from fhir_adapter.engine import Engine, Serial
from fhir_adapter.fhir.resource_types import kind_of
from fhir_adapter.mapping.study import StudyFolder
from fhir_adapter.pipeline.fetching.candidates import SHARED, Candidates, candidates
from fhir_adapter.pipeline.fetching.landing import Fetched, Landing
from fhir_adapter.pipeline.fetching.passed_over import remember_passed_over
from fhir_adapter.pipeline.site import study_of
from fhir_adapter.pipeline.types_read import types_read
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

# An answer of a task is held in memory, and once more where it is packed to travel.
_ANSWER_BYTES = 1 << 24
_MUCH = 1 / 16  # of the people; to hand so much over costs more than to read it
_HERE = Serial()


def land_folder(
    files: Sequence[FolderFile],
    settings: Settings,
    store: Store,
    started_at: str,
    say: Progress,
    study: StudyFolder | None = None,
    engine: Engine = _HERE,
) -> Fetched:
    """Bring the store up to date. What is in no file any more, or about nobody of the study any more, is gone.

    `study` is that of the settings, where it has been read already.
    """
    types = types_read(settings)
    run = store.begin_run(started_at)
    landing = Landing(store, run, say, types)
    passed_over = 0
    read: Iterator[tuple[str, Iterator[Page]]] = map(_whole, files)
    if settings.folder_people == "study":
        about = candidates(files, study or study_of(settings), types, engine, every_line=settings.every_line)
        say(_told(about))
        passed_over = about.others
        read = pages_by_file(_portions(files, about, engine, every_line=settings.every_line))
    streams = {file.name: _stream_name(file) for file in files}
    for name, pages in read:
        landing.land(streams[name], pages, settings.unreadable_lines)
    if landing.is_whole:
        for type in sorted(types):
            store.sweep(landing.run, type)
        remember_passed_over(store, passed_over)
    return landing.finish()


def _whole(file: FolderFile) -> tuple[str, Iterator[Page]]:
    return file.name, read_pages(file)


def _portions(files: Sequence[FolderFile], about: Candidates, engine: Engine, *, every_line: bool) -> Iterator[Portion]:
    """Everything about them. Where that is much of a file, it is read here."""
    search = Search(about.people, SHARED)
    alike = ((file, not every_line and search.finds_alike(file)) for file in files)
    tasks = batches(part for file, usual in alike for part in parts_of(file, alike=usual))
    for travels, some in groupby(tasks, key=partial(_travels, about.share)):
        if travels:
            yield from chain.from_iterable(engine.map(partial(gather, search), some))
        else:
            yield from (portion for parts in some for part in parts for portion in search.portions(part))


def _travels(share: float, parts: tuple[Part, ...]) -> bool:
    """Is the answer of a task worth its way, and small enough to be held in memory?"""
    return share <= _MUCH and share * sum(map(size_of, parts)) <= _ANSWER_BYTES


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
