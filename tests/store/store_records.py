"""Invented resources for the landing store, in as few words as possible."""

from __future__ import annotations

import json
import sqlite3

from fhir_adapter.fhir.quarantine import Quarantined, set_aside
from fhir_adapter.fhir.record import Record, read_record
from fhir_adapter.store import Store


def record(
    reference: str, says: str = "x", *, version: str = "1", updated: str = "", about: str = "", **more: object
) -> Record:
    """`Type/id` that says something; `about` is the logical id of a Patient."""
    type, _, id = reference.partition("/")
    meta = {"versionId": version} if version else {}
    meta |= {"lastUpdated": updated} if updated else {}
    subject = {"subject": {"reference": f"Patient/{about}"}} if about else {}
    body = {"resourceType": type, "id": id, "meta": meta, **subject, "note": says, **more}
    return read_record(json.dumps(body).encode())


def bad(reference: str, reason: str = "invalid-utf8", stream: str = "Observation") -> Quarantined:
    type, _, id = reference.partition("/")
    return set_aside(stream, b"bytes of " + reference.encode(), reason, type=type, id=id)


def says(store: Store) -> dict[str, str]:
    """What every current resource says, by `Type/id`."""
    return {each.reference: json.loads(each.body)["note"] for each in store.current()}


def fetched(store: Store, *records: Record, stream: str = "Observation", at: str = "2026-01-01T00:00:00Z") -> int:
    """One whole run that brings these records and nothing else."""
    run = store.begin_run(at)
    store.land(run, stream, records, [])
    store.finish_stream(run, stream, announced=len(records), complete=True)
    store.finish_run(run, complete=True)
    return run


def database_of(store: Store) -> sqlite3.Connection:
    """The connection under a store, to make it fail or to look behind it."""
    return store._connection._database
