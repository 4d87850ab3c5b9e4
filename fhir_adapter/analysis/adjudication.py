"""What became of every line of the adjudication file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.cohort.fingerprint import same_question
from fhir_adapter.cohort.review import Review, Ruling, Rulings, Standing

State = Standing | Literal["superseded", "no-finding", "pending"]
STATES: tuple[State, ...] = (
    *("applied", "disputed", "other-definitions", "not-possible"),
    *("superseded", "no-finding", "pending"),
)
"""Those of a review; or a later line counts; or there is no such finding about the person; or nobody has decided."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One line, the person it is about, and the finding that it decides, if there is one."""

    subject_id: str
    ruling: Ruling
    finding: AnyFinding | None
    state: State

    @property
    def review(self) -> Review | None:
        return self.finding.review if self.finding else None


def decisions(
    rulings: Rulings, subject_of: Mapping[str, str], findings: Mapping[str, Iterable[AnyFinding]]
) -> tuple[Decided, ...]:
    """Every line, in the order of the file.

    `subject_of` names the person of each Patient id, `findings` are everybody's.
    """
    found = {(subject, one.rule): one for subject in findings for one in findings[subject]}
    return tuple(
        Decided(subject, one, finding, _state(one, finding))
        for one in rulings.rulings
        for subject in (subject_of[one.person],)
        for finding in (found.get((subject, one.rule)),)
    )


def _state(ruling: Ruling, finding: AnyFinding | None) -> State:
    if not ruling.verdict:
        return "pending"
    if finding is None or finding.review is None:
        return "no-finding"
    if ruling in finding.review.rulings:
        return finding.review.standing
    return "superseded" if same_question(ruling.evidence, finding) else "other-definitions"


def reviews(decided: Iterable[Decided]) -> list[tuple[str, Review]]:
    """Rule and review of every finding that somebody has decided, each once."""
    found = {(one.subject_id, one.ruling.rule): one.review for one in decided if one.review}
    return [(rule, review) for (_, rule), review in found.items()]


def counts(decided: Sequence[Decided]) -> dict[str, int]:
    """How many lines there are in each state, and how many findings were decided otherwise or on other records."""
    states = Counter(one.state for one in decided)
    applied = [review for _, review in reviews(decided) if review.applied]
    return {
        "lines": len(decided),
        **{state: states[state] for state in STATES},
        "findings_overridden": sum(review.overrides for review in applied),
        "findings_confirmed": sum(not review.overrides for review in applied),
        "findings_on_changed_records": sum(review.records == "changed" for review in applied),
        "findings_without_evidence": sum(review.records == "not-recorded" for review in applied),
    }
