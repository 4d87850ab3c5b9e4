"""From a server or a folder into the landing store: every page through the gate, every stream in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fhir_adapter.ehr.folder import scan
from fhir_adapter.engine import Engine, Serial
from fhir_adapter.errors import UsageError
from fhir_adapter.mapping.study import StudyFolder
from fhir_adapter.pipeline.fetching.folder import land_folder
from fhir_adapter.pipeline.fetching.landing import Fetched
from fhir_adapter.pipeline.fetching.manner import AS_EVERY_NIGHT, Manner
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

__all__ = ["AS_EVERY_NIGHT", "Fetched", "Land", "Manner", "reached"]

Land = Callable[[Store], Fetched]
_HERE = Serial()


@contextmanager
def reached(
    settings: Settings,
    started_at: str,
    say: Progress,
    manner: Manner = AS_EVERY_NIGHT,
    study: StudyFolder | None = None,
    engine: Engine = _HERE,
) -> Iterator[Land]:
    """Look at the source first; what is yielded lands everything the study reads. `started_at` is an instant.
    `study` is that of the settings, where it has been read already; `engine` reads a folder.

    Nothing is written before the source has shown that it can be read. Data once landed stay, whatever happens later.
    """
    if settings.folder:
        if manner.retry_quarantine:
            raise UsageError("a folder is read as a whole every time", "leave out --retry-quarantine")
        files = list(scan(settings.folder))
        yield lambda store: land_folder(files, settings, store, started_at, say, study, engine)
        return
    # What speaks to servers takes time and memory to import, which those who read a folder need not spend.
    from fhir_adapter.pipeline.connection import connected
    from fhir_adapter.pipeline.fetching.server import Source, land_server
    from fhir_adapter.pipeline.planning import plan_fetch

    with connected(settings.server, settings, say=say) as transport:
        source = Source(transport, plan_fetch(transport, settings, started_at))
        for note in source.plan.notes:
            say(note)
        yield lambda store: land_server(source, settings, manner, store, started_at, say)
