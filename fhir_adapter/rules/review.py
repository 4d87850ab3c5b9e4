"""Puts what people decided beside the answer of a rule, and in its place where that may be.

A verdict counts if the reviewers agree and if it answers the question that the study asks now. If the records have
changed since, it still counts and is flagged: docs/decisions/0008-human-judgement.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from fhir_adapter.cohort.finding import AnyFinding, Finding
from fhir_adapter.cohort.fingerprint import fingerprint, same_question, written_fingerprint
from fhir_adapter.cohort.review import Review, Ruling, Seen, voices
from fhir_adapter.cohort.study import Study
from fhir_adapter.rules.revision import answer, revised, verdict_of

V = TypeVar("V")
_RECORDS = {
    "as-seen": "",
    "changed": " The records have changed since the review.",
    "not-recorded": " Which records the reviewer saw was not written down.",
}


def reviewed(finding: Finding[V], rulings: Sequence[Ruling], study: Study) -> Finding[V]:
    """The finding with the verdict of its reviewers: in force if it counts, else only told beside it."""
    review = review_of(finding, rulings)
    if review is None:
        return finding
    told = {"review": review, "sentence": tell(review)}
    if not review.overrides:
        return finding.model_copy(update=told)
    value = revised(finding, review.verdict, study)
    return finding.model_copy(update={**told, "verdict": verdict_of(finding.rule, review.verdict), "value": value})


def not_possible(finding: Finding[V], review: Review) -> Finding[V]:
    """The finding of the rule, with a review that the records leave nothing to apply to."""
    told = review.model_copy(update={"standing": "not-possible"})
    return finding.model_copy(update={"review": told, "sentence": tell(told)})


def review_of(finding: AnyFinding, rulings: Sequence[Ruling]) -> Review | None:
    """What the reviewers decided about a finding, and whether it counts; None if nobody did.

    What answered another question has no say among what answers that of now.
    """
    about = [one for one in rulings if one.rule == finding.rule]
    if not about:
        return None
    answering = [one for one in about if same_question(one.evidence, finding)]
    counted = voices(answering or about)
    verdicts = {one.verdict for one in counted}
    return Review(
        by_rule=answer(finding),
        sentence_by_rule=finding.sentence,
        verdict=counted[-1].verdict if len(verdicts) == 1 else "",
        standing="disputed" if len(verdicts) > 1 else "applied" if answering else "other-definitions",
        records=_seen(counted, finding),
        rulings=counted,
    )


def _seen(counted: Sequence[Ruling], finding: AnyFinding) -> Seen:
    """Of several reviewers who decided the same it is enough that one has seen the records of now."""
    known = [then for one in counted if (then := written_fingerprint(one.evidence))]
    if any(then.records == fingerprint(finding).records for then in known):
        return "as-seen"
    return "changed" if known else "not-recorded"


def tell(review: Review) -> str:
    """The review and the rule in words, what counts first."""
    rule = review.sentence_by_rule
    said = "; ".join(f"{one.verdict} by {_signature(one)}" for one in review.rulings)
    match review.standing:
        case "disputed":
            return f"{rule} The reviewers differ ({said}), so the verdict of the rule stands."
        case "other-definitions":
            return f"{rule} A review is not applied, because it answered the question under other definitions: {said}."
        case "not-possible":
            return f"{rule} A review cannot be applied, because there is no infusion to count from: {said}."
    if not review.overrides:
        return f"{rule} Confirmed on review: {said}.{_RECORDS[review.records]}"
    return f"On review {said}.{_RECORDS[review.records]} The rule alone says {review.by_rule}: {rule}"


def _signature(ruling: Ruling) -> str:
    on = ruling.on.isoformat() if ruling.on else "an unknown day"
    return f"{ruling.reviewer} on {on} ({ruling.reason})"
