"""Running an export in a test: waits that take no time, a memory that forgets with the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exportserver import ExportServer

from fhir_adapter.ehr.bulk import Export, ExportOrder, run_export
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import FhirAdapterError, StreamIncomplete
from fhir_adapter.progress import Progress

PATIENTS_AND_OBSERVATIONS = ExportOrder("system", ("Patient", "Observation"))


class Remembered(dict[str, str]):
    """A memory in memory."""

    def remember(self, name: str, value: str) -> None:
        self[name] = value

    def recall(self, name: str) -> str | None:
        return self.get(name)

    def forget(self, name: str) -> None:
        self.pop(name, None)


class Told(Progress):
    def __init__(self) -> None:
        self.waits: list[tuple[str, float | None]] = []

    def waiting(self, what: str, share: float | None = None) -> None:
        self.waits.append((what, share))


@dataclass
class Night:
    """One site: its server, what it remembers, what it waits for. `slept` are the waits between questions."""

    server: ExportServer
    folder: Path
    memory: Remembered = field(default_factory=Remembered)
    told: Told = field(default_factory=Told)
    slept: list[float] = field(default_factory=list)
    clock: float = 1_000.0
    options: dict[str, Any] = field(default_factory=dict)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock += seconds

    def transport(self) -> Transport:
        return Transport(self.server.base_url, sleep=lambda seconds: None, timeout_s=5, **self.options)

    def export(self, order: ExportOrder = PATIENTS_AND_OBSERVATIONS, max_wait_s: float = 86_400.0) -> Export:
        return run_export(
            self.transport(),
            order,
            self.memory,
            self.folder,
            self.told,
            now=lambda: self.clock,
            sleep=self.sleep,
            max_wait_s=max_wait_s,
        )

    def error(self, **options: Any) -> FhirAdapterError:
        """The error that the export ends with."""
        try:
            self.export(**options)
        except FhirAdapterError as error:
            return error
        raise AssertionError("the export went well")


@dataclass
class Read:
    """A stream read to its end: what came, and how it ended."""

    pages: list[Page]
    incomplete: StreamIncomplete | None

    @property
    def ids(self) -> list[str]:
        return [record.id for page in self.pages for record in page.records]

    @property
    def reasons(self) -> list[str]:
        return [one.reason for page in self.pages for one in page.quarantined]

    @property
    def deleted(self) -> list[str]:
        return [f"{one.type}/{one.id}" for page in self.pages for one in page.deleted]


def read(export: Export, type: str, confirm_empty: Callable[[str], bool] | None = None) -> Read:
    return _read(export.pages(type, confirm_empty))


def read_deletions(export: Export) -> Read:
    return _read(export.deletions())


def _read(pages: Any) -> Read:
    came: list[Page] = []
    try:
        for page in pages:
            came.append(page)
    except StreamIncomplete as incomplete:
        return Read(came, incomplete)
    return Read(came, None)
