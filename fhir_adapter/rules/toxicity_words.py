"""How a grade and a laboratory value are told."""

from __future__ import annotations

from decimal import Decimal

from fhir_adapter.cohort.events import Lab
from fhir_adapter.cohort.finding import Step, step


def grade_text(low: int, high: int) -> str:
    return f"grade {low}" if low == high else f"grade {low} to {high}"


def number(lab: Lab) -> str:
    return f"{lab.comparator}{lab.value}"


def limit_text(limit: Decimal | None) -> str:
    return "" if limit is None else str(limit)


def worst_step(lab: Lab) -> Step:
    limits = " to ".join(limit_text(limit) or "?" for limit in (lab.lower_limit, lab.upper_limit))
    says = f"worst value {number(lab)} {lab.unit} (reported as {lab.as_reported}), normal {limits}"
    return step(says, lab, value=number(lab), unit=lab.unit)
