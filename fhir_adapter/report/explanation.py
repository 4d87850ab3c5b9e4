"""Why one person is in the cohort, or not, and why each classification is what it is: in sentences, or as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fhir_adapter.cohort.finding import AnyFinding, Step
from fhir_adapter.cohort.fingerprint import fingerprint


def explain(subject_id: str, findings: Iterable[AnyFinding]) -> str:
    """Each finding with its sentence, its steps, the parameters it depends on and the records it rests on."""
    lines = [f"Subject {subject_id}", ""]
    for finding in findings:
        lines += [*paragraph(finding), ""]
    return "\n".join(lines)


def paragraph(finding: AnyFinding) -> Iterator[str]:
    """One finding, line by line."""
    yield f"{finding.rule}: {finding.verdict}"
    yield f"  {finding.sentence}"
    for step in finding.steps:
        yield f"    - {_told(step)}"
    if finding.parameters:
        yield "    parameters: " + ", ".join(f"{name}={_value(value)}" for name, value in finding.parameters.items())
    if finding.sources:
        yield "    rests on: " + ", ".join(finding.sources)
    yield f"    evidence: {fingerprint(finding)}"


def _told(step: Step) -> str:
    parts = [step.says]
    if step.date and step.date not in step.says:
        parts.append(f"on {step.date}")
    notes = [f"parameter {step.parameter}"] if step.parameter else []
    notes += [step.source] if step.source else []
    return " ".join(parts) + (f"  [{'; '.join(notes)}]" if notes else "")


def _value(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
