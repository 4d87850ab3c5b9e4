"""A whole fetch from a folder: every file, every time."""

from __future__ import annotations

from collections.abc import Sequence

from fhir_adapter.ehr.folder import FolderFile, read_pages
from fhir_adapter.fhir.resource_types import kind_of
from fhir_adapter.pipeline.fetching.landing import Fetched, Landing
from fhir_adapter.pipeline.types_read import types_read
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store


def land_folder(
    files: Sequence[FolderFile], settings: Settings, store: Store, started_at: str, say: Progress
) -> Fetched:
    """Bring the store up to date. What is not in any file any more is gone."""
    types = types_read(settings)
    landing = Landing(store, store.begin_run(started_at), say, types)
    for file in files:
        landing.land(_stream_name(file), read_pages(file), settings.unreadable_lines)
    if landing.is_whole:
        for type in sorted(types):
            store.sweep(landing.run, type)
    return landing.finish()


def _stream_name(file: FolderFile) -> str:
    """Files named after a resource type keep their name; any other may be named after a person, so it is counted."""
    name = file.name.encode("utf-8", "replace").decode()  # a file system holds bytes, not always text
    return f"file {file.number:04d}" if kind_of(name) == "file" else name
