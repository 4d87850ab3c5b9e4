"""Terms other than CRS and ICANS that somebody recorded as an adverse event, beside what the laboratory shows.

One row a person and term: what was recorded and what was measured are not counted twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fhir_adapter.cohort.finding import Finding, Index, Toxicity, step
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.rules.syndromes import CRS, ICANS, UNGRADED, episode
from fhir_adapter.rules.toxicity_words import grade_text

# Codes of the vocabulary that stand for no one term of CTCAE.
_NO_TERM = frozenset(("other", "d-dimer-increased"))
DIFFERS = "recorded-grade-differs"


def with_recorded(
    measured: Sequence[Finding[Toxicity]], subject: Subject, study: Study, index: Index
) -> Iterator[Finding[Toxicity]]:
    """The laboratory's findings, each with what was recorded of its term; then the terms that were only recorded."""
    named = {one.term for one in subject.adverse_events} - {CRS, ICANS} - _NO_TERM
    recorded = {term: one for term in sorted(named) if (one := episode(term, subject, study, index))}
    for finding in measured:
        beside = recorded.pop(finding.value.code, None) if finding.value else None
        yield _together(finding, beside) if beside else finding
    yield from recorded.values()


def _together(measured: Finding[Toxicity], recorded: Finding[Toxicity]) -> Finding[Toxicity]:
    """The worse of both grades. A record without a grade adds nothing to a measured one."""
    value, told = measured.value, recorded.value
    if value is None or told is None or value.grade_min is None or value.grade_max is None:
        return measured
    if told.grade_min is None or told.grade_max is None or (told.grade_min, told.grade_max) == UNGRADED:
        return measured
    low, high = max(value.grade_min, told.grade_min), max(value.grade_max, told.grade_max)
    says = f"{grade_text(told.grade_min, told.grade_max)} was recorded as an adverse event"
    differs = (told.grade_min, told.grade_max) != (value.grade_min, value.grade_max)
    return measured.model_copy(
        update={
            "verdict": grade_text(low, high),
            "value": value.model_copy(
                update={
                    "grade_min": low,
                    "grade_max": high,
                    "flags": (*value.flags, DIFFERS) if differs else value.flags,
                }
            ),
            "sentence": f"{measured.sentence} Recorded as {recorded.verdict}." if differs else measured.sentence,
            "steps": (*measured.steps, step(says, value=recorded.verdict), *recorded.steps),
            "sources": tuple(dict.fromkeys((*measured.sources, *recorded.sources))),
        }
    )
