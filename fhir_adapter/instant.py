"""Instants as FHIR and logs write them."""

from __future__ import annotations

from datetime import UTC, datetime


def written(moment: datetime, timespec: str = "seconds") -> str:
    """A moment with a zone as an instant in UTC: `2026-03-01T02:00:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
