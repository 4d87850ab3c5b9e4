"""What one page of search results holds."""

from __future__ import annotations

from fhir_adapter.ehr.bundle import Bundle, Entry, file_resource, is_outcome, read_entry
from fhir_adapter.ehr.outcome import Issue, read_issues
from fhir_adapter.fhir.deletion import Deletion
from fhir_adapter.fhir.quarantine import Quarantined, set_aside
from fhir_adapter.fhir.record import Record, Unreadable


class Found:
    """The entries of one page of a search for `type`, each in exactly one place."""

    def __init__(self, type: str, number: int, bundle: Bundle) -> None:
        self.records: list[Record] = []
        self.quarantined: list[Quarantined] = []
        self.deleted: list[Deletion] = []
        self.issues: list[Issue] = []
        self.matches: set[str] = set()
        self._type = type
        if bundle.read is not None:
            for position, entry in enumerate(bundle.read, start=1):
                self._place(entry, f"page-{number}-entry-{position}")
            return
        for position, raw in enumerate(bundle.entries, start=1):
            self._read(raw, f"page-{number}-entry-{position}")

    def _read(self, raw: bytes, place: str) -> None:
        try:
            self._place(read_entry(raw), place)
        except Unreadable as unreadable:
            self._quarantine(set_aside(self._type, raw, unreadable.reason, id=place))

    def _place(self, entry: Entry, place: str) -> None:
        filed = file_resource(self._type, entry.resource, place)
        may_be_outcome = isinstance(filed, Quarantined) or filed.type == "OperationOutcome"
        if entry.mode == "outcome" or (may_be_outcome and is_outcome(entry.resource)):
            self.issues.extend(read_issues(entry.resource) or (Issue("error", "other"),))
            return
        if isinstance(filed, Quarantined):
            self._quarantine(filed)
            return
        self.records.append(filed)
        if entry.mode == "match" or (not entry.mode and filed.type == self._type):
            self.matches.add(filed.reference)

    def _quarantine(self, quarantined: Quarantined) -> None:
        self.quarantined.append(quarantined)
        self.matches.add(quarantined.sha256)
