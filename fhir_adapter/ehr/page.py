"""What every way in hands on: pages of records, whatever they were read from."""

from __future__ import annotations

import msgspec

from fhir_adapter.ehr.outcome import Issue
from fhir_adapter.fhir.deletion import Deletion
from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.fhir.record import Record


class Page(msgspec.Struct, frozen=True):
    """A portion of one stream, to be landed in one transaction. Every thing received is in exactly one place.

    `number` counts from 1 and never jumps back. `announced` is how many resources the source says the search or file
    of this page holds, as known by this page (its last page counts); None when it does not say. `issues` are what the
    source remarked, not data; `remark` is what we noticed about the source, a phrase for the ledger. `aliases` pairs a
    `urn:uuid:...` that resources of this page are pointed to by with their `Type/id`. `deleted` are deletions that the
    source reports. `cursor` stands on the last page of a search that is whole: the person it was about (empty:
    everybody) and the instant from which the next run has to ask again.
    """

    stream: str
    number: int
    records: tuple[Record, ...]
    quarantined: tuple[Quarantined, ...] = ()
    announced: int | None = None
    issues: tuple[Issue, ...] = ()
    retries: int = 0
    aliases: tuple[tuple[str, str], ...] = ()
    deleted: tuple[Deletion, ...] = ()
    cursor: tuple[str, str] | None = None
    remark: str = ""

    @property
    def received(self) -> int:
        """How many things of the ledger's count this page brought."""
        return len(self.records) + len(self.quarantined) + len(self.deleted)

    def __repr__(self) -> str:
        return f"Page({self.stream!r}, {self.number}, {self.received} received)"
