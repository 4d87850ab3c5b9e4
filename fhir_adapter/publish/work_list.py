"""Records that somebody should look at although nobody leaves an endpoint for them."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.response_system import PROGRESSION
from fhir_adapter.cohort.subject import EVENT_FIELDS, Subject
from fhir_adapter.rules.appraisal import CLINICAL, GIVES_WAY, TREND
from fhir_adapter.rules.recorded_toxicity import DIFFERS

Reviewed = tuple[str, tuple[str, ...]]
"""A reason, and the sources of the records that it is about."""


def for_review(judgement: Judgement) -> Iterator[Reviewed]:
    """One entry a record, or a set of records that contradict each other."""
    subject = judgement.subject
    events = [event for name in EVENT_FIELDS for event in getattr(subject, name)]
    disagreeing = sorted({str(event.source) for event in events if "code-and-text-disagree" in event.flags})
    yield from (("code_and_text_disagree", (source,)) for source in disagreeing)
    unsure = sorted({str(dose.source) for dose in subject.doses if dose.given == "perhaps"})
    yield from (("dose_perhaps_not_given", (source,)) for source in unsure)
    yield from _uncounted_assessments(subject)
    ipi = judgement.ipi.value
    if ipi and ipi.contradicts:
        yield "ipi_recorded_differs", tuple(str(one.source) for one in subject.recorded_scores if one.score == "ipi")
    for finding in judgement.toxicities:
        if finding.value and DIFFERS in finding.value.flags:
            yield "toxicity_recorded_differs", finding.sources


def _uncounted_assessments(subject: Subject) -> Iterator[Reviewed]:
    """A progression that was told and the study does not count; an answer that gave way to another one of its day."""
    for one in subject.overruled:
        if one.category == PROGRESSION and {CLINICAL, TREND} & {*one.flags}:
            yield "progression_not_counted", (str(one.source),)
        elif any(flag.startswith(GIVES_WAY) for flag in one.flags):
            yield "assessments_of_a_day_disagree", (str(one.source),)
