"""What was set aside, looked at again: by a gate that may have learned, then as the server has it now."""

from __future__ import annotations

from collections import Counter
from typing import Literal, get_args

from fhir_adapter.ehr.failures import Forbidden
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import IncompleteError, ServerRefused
from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.fhir.record import Record, Unreadable, read_record
from fhir_adapter.fhir.validate import check
from fhir_adapter.pipeline.fetching.landing import Landing, Retried
from fhir_adapter.store import Store

Outcome = Literal["accepted", "corrected", "gone", "refused"]
_OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
STREAM = "quarantine"
_GONE = frozenset({404, 410})


def retry_quarantine(store: Store, landing: Landing, transport: Transport | None = None) -> tuple[Retried, ...]:
    """Look at everything again, and read again from the server (if there is one) what is still refused."""
    counts: dict[tuple[str, str], Counter[Outcome]] = {}
    landing.take(STREAM, STREAM, Page(STREAM, 1, (), announced=0))
    for one in store.quarantine():
        outcome = _Retry(store, landing, transport, one).outcome()
        counts.setdefault((one.stream, one.reason.partition(" ")[0]), Counter())[outcome] += 1
    landing.close(STREAM)
    return tuple(Retried(*key, *(seen[name] for name in _OUTCOMES)) for key, seen in sorted(counts.items()))


class _Retry:
    """One thing that was set aside."""

    def __init__(self, store: Store, landing: Landing, transport: Transport | None, one: Quarantined) -> None:
        self._store, self._landing, self._transport, self._one = store, landing, transport, one

    def outcome(self) -> Outcome:
        if record := _usable(self._one.body):
            self._take(record)
            return "accepted"
        if self._transport is None or not self._one.type or not self._one.id:
            return "refused"
        return self._as_the_server_has_it(self._transport)

    def _as_the_server_has_it(self, transport: Transport) -> Outcome:
        try:
            body = transport.get(f"{self._one.type}/{self._one.id}").body
        except ServerRefused as refused:
            if refused.status in _GONE:
                self._store.dismiss(self._one)
                return "gone"
            return "refused"
        except (Forbidden, IncompleteError):
            return "refused"
        record = _usable(body)
        if record is None or record.reference != f"{self._one.type}/{self._one.id}":
            return "refused"
        self._take(record)
        return "corrected"

    def _take(self, record: Record) -> None:
        self._landing.take(STREAM, self._one.sha256, Page(STREAM, 1, (record,), announced=1))


def _usable(body: bytes) -> Record | None:
    try:
        record = read_record(body)
    except Unreadable:
        return None
    return record if check(record).accepted else None
