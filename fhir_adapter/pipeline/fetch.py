"""From a server or a folder into the landing store: every page through the gate, every stream in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from fhir_adapter.ehr.capability import fetch_capability
from fhir_adapter.ehr.folder import scan
from fhir_adapter.ehr.plan import StreamPlan, plan
from fhir_adapter.ehr.population import Population, listed
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import UsageError
from fhir_adapter.fhir.r4 import READ_TYPES
from fhir_adapter.pipeline.connection import connected
from fhir_adapter.pipeline.fetching.folder import land_folder
from fhir_adapter.pipeline.fetching.landing import Fetched
from fhir_adapter.pipeline.fetching.server import Manner, Source, land_server
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

__all__ = ["Fetched", "Land", "Manner", "plan_streams", "reached"]

Land = Callable[[Store, str, Progress], Fetched]
_AS_EVERY_NIGHT = Manner()


@contextmanager
def reached(settings: Settings, manner: Manner = _AS_EVERY_NIGHT) -> Iterator[Land]:
    """Look at the source first; what is yielded lands everything the study reads, starting at an instant.

    Nothing is written before the source has shown that it can be read. Data once landed stay, whatever happens later.
    """
    if settings.folder:
        files = list(scan(settings.folder))
        yield lambda store, started_at, say: land_folder(files, settings, store, started_at, say)
        return
    with connected(settings.server, settings) as transport:
        streams = plan_streams(transport, settings)
        if not any(stream.type == "Patient" and stream.how != "unsupported" for stream in streams):
            raise UsageError("this server offers no Patient resources", "without patients there is nothing to build")
        people = _listed_patients(settings)
        source = Source(transport, tuple(streams), listed(people) if settings.patients else Population())
        yield lambda store, started_at, say: land_server(source, settings, manner, store, started_at, say)


def plan_streams(transport: Transport, settings: Settings) -> list[StreamPlan]:
    """How each resource type of this server will be fetched."""
    return plan(fetch_capability(transport), READ_TYPES, _listed_patients(settings))


def _listed_patients(settings: Settings) -> Sequence[str]:
    """The Patient ids of the list that the settings name: one a line."""
    if settings.patients is None:
        return ()
    try:
        lines = settings.patients.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"the list of patients {settings.patients} cannot be read", "one Patient id a line") from None
    return [line.strip() for line in lines if line.strip()]
