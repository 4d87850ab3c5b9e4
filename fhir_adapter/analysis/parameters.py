"""The study parameters an estimate depends on, as plain values that every document can carry."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from fhir_adapter.cohort.finding import Json
from fhir_adapter.cohort.study import Study


def in_force(study: Study, *names: str) -> dict[str, Json]:
    """The named parameters of the study; dates, decimals and lists are written as text."""
    return {name: _plain(getattr(study.parameters, name)) for name in names}


def _plain(value: object) -> Json:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, tuple):
        return " ".join(str(item) for item in value)
    raise TypeError(f"a parameter of type {type(value).__name__} has no plain form")
