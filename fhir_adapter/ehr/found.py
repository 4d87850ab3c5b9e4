"""What one page of search results holds."""

from __future__ import annotations

from fhir_adapter.ehr.bundle import Bundle, Entry, is_outcome, read_entry
from fhir_adapter.ehr.outcome import Issue, read_issues
from fhir_adapter.fhir.deletion import Deletion
from fhir_adapter.fhir.quarantine import Quarantined, set_aside
from fhir_adapter.fhir.record import Record, Unreadable, read_record, read_records


class Found:
    """The entries of one page of a search for `type`, each in exactly one place."""

    def __init__(self, type: str, number: int, bundle: Bundle) -> None:
        self.records: list[Record] = []
        self.quarantined: list[Quarantined] = []
        self.deleted: list[Deletion] = []
        self.issues: list[Issue] = []
        self.matches: set[str] = set()
        self._type, self._number = type, number
        for record, mode in bundle.filed or ():
            self._place(record, mode)
        if bundle.filed is None and (bundle.read is None or not self._place_all(bundle.read)):
            for position, raw in enumerate(bundle.entries, start=1):
                self._read(raw, position)

    def _place_all(self, entries: list[Entry]) -> bool:
        """All of them at once, which costs least; False if one of them has to be looked at by itself."""
        records = read_records([entry.resource for entry in entries])
        if records is None:
            return False
        for record, entry in zip(records, entries, strict=True):
            self._place(record, entry.mode)
        return True

    def _read(self, raw: bytes, position: int) -> None:
        try:
            entry = read_entry(raw)
        except Unreadable as unreadable:
            self._quarantine(raw, unreadable.reason, position)
            return
        resource = entry.resource
        try:
            self._place(read_record(resource), entry.mode)
        except Unreadable as unreadable:  # a remark needs no id
            if entry.mode == "outcome" or is_outcome(resource):
                self._note(resource)
            else:
                self._quarantine(resource, unreadable.reason, position)

    def _place(self, record: Record, mode: str) -> None:
        if mode == "outcome" or (record.type == "OperationOutcome" and is_outcome(record.body)):
            self._note(record.body)
            return
        self.records.append(record)
        if mode == "match" or (not mode and record.type == self._type):
            self.matches.add(record.reference)

    def _note(self, outcome: bytes) -> None:
        self.issues.extend(read_issues(outcome) or (Issue("error", "other"),))

    def _quarantine(self, body: bytes, reason: str, position: int) -> None:
        quarantined = set_aside(self._type, body, reason, id=f"page-{self._number}-entry-{position}")
        self.quarantined.append(quarantined)
        self.matches.add(quarantined.sha256)
