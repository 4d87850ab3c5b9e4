"""The verdicts as the page shows them: each with its sentence, its steps, its parameters and the records behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_adapter.cohort.finding import AnyFinding, IpiScore, Lines, Range, Span, Step
from fhir_adapter.cohort.fingerprint import fingerprint
from fhir_adapter.cohort.review import Review
from fhir_adapter.report.definitions import written
from fhir_adapter.report.timeline.person import Person

# What a tumour board asks first, and what it calls it.
_HEADLINES = {
    "failure": "Antibody failure",
    "washout": "Washout",
    "lines": "Earlier lines",
    "ipi": "IPI",
    "response": "Best response",
    "toxicity.crs": "CRS",
    "toxicity.icans": "ICANS",
    "endpoint.PFS": "PFS",
    "endpoint.OS": "OS",
}
_TONES = {"met": "met", "not met": "unmet", "undetermined": "open"}


@dataclass(frozen=True, slots=True)
class Headline:
    """One figure that is looked for first, with its whole sentence; `remark` says what reviewers make of it."""

    name: str
    value: str
    sentence: str
    remark: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A record by its name, and the row of the table of records that shows it (empty when none does)."""

    source: str
    row: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """One step on the way to a verdict."""

    says: str
    parameter: str
    record: Reference | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says; `review` is what people decided about it, `evidence` what they write down when they do."""

    rule: str
    verdict: str
    tone: str
    sentence: str
    reasons: tuple[Reason, ...]
    parameters: tuple[tuple[str, str], ...]
    records: tuple[Reference, ...]
    evidence: str
    review: Review | None


def headlines_of(person: Person) -> Iterator[Headline]:
    """The figures that are there, in the order in which they are asked for."""
    for rule, name in _HEADLINES.items():
        found = person.finding(rule)
        if found:
            yield Headline(name, _short(found), found.sentence, _remark(found.review))


def verdicts_of(person: Person, rows: Mapping[str, str]) -> tuple[Verdict, ...]:
    """Every finding in the order of the rules; `rows` tells which row of the table shows a record."""
    return tuple(_verdict(one, rows) for one in person.findings)


def _verdict(finding: AnyFinding, rows: Mapping[str, str]) -> Verdict:
    return Verdict(
        rule=finding.rule,
        verdict=finding.verdict,
        tone=_TONES.get(finding.verdict, "said"),
        sentence=finding.sentence,
        reasons=tuple(_reason(one, rows) for one in finding.steps),
        parameters=tuple((name, written(one)) for name, one in finding.parameters.items()),
        records=tuple(Reference(one, rows.get(one, "")) for one in finding.sources),
        evidence=str(fingerprint(finding)),
        review=finding.review,
    )


def _reason(step: Step, rows: Mapping[str, str]) -> Reason:
    day = f" on {step.date}" if step.date and step.date not in step.says else ""
    record = Reference(step.source, rows.get(step.source, "")) if step.source else None
    return Reason(f"{step.says}{day}", step.parameter, record)


def _remark(review: Review | None) -> str:
    if review is None:
        return ""
    if not review.applied:
        return f"review {review.standing.replace('-', ' ')}"
    return "on review" if review.overrides else "confirmed on review"


def _short(finding: AnyFinding) -> str:
    """The result where it says more than the verdict: days, points, a count."""
    found: Any = finding.value
    if isinstance(found, Span):
        return _between(found.shortest, found.longest, " days")
    if isinstance(found, IpiScore):
        return _range(found.points)
    if isinstance(found, Lines):
        return _range(found.count)
    if isinstance(found, dict) and "days_min" in found:
        return f"{_between(found['days_min'], found['days_max'], ' days')}, {finding.verdict}"
    return finding.verdict


def _range(found: Range) -> str:
    return _between(found.lowest, found.highest, "")


def _between(low: int, high: int, unit: str) -> str:
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit}"
