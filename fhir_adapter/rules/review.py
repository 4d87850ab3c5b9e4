"""Puts what people decided beside the answer of a rule, and in its place where that may be.

A verdict counts if the reviewers agree and if it answers the question that the study asks now. If the records have
changed since, it still counts and is flagged: docs/decisions/0008-human-judgement.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from fhir_adapter.cohort.finding import AnyFinding, Finding
from fhir_adapter.cohort.fingerprint import Fingerprint, fingerprint, written_fingerprint
from fhir_adapter.cohort.review import Review, Ruling, Seen, Standing, voices
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
    """What the reviewers decided about a finding, and whether it counts; None if nobody did."""
    counted = voices(one for one in rulings if one.rule == finding.rule)
    if not counted:
        return None
    verdicts = {one.verdict for one in counted}
    evidence = [_seen(written_fingerprint(one.evidence), fingerprint(finding)) for one in counted]
    standing: Standing = "applied"
    if len(verdicts) > 1:
        standing = "disputed"
    elif all(seen is None for seen in evidence):
        standing = "other-definitions"
    return Review(
        by_rule=answer(finding),
        sentence_by_rule=finding.sentence,
        verdict=counted[-1].verdict if len(verdicts) == 1 else "",
        standing=standing,
        records=_best(evidence),
        rulings=counted,
    )


def _seen(then: Fingerprint | None, now: Fingerprint) -> Seen | None:
    """Whether a reviewer saw the records of now; None if the question was another one then."""
    if then is None:
        return "not-recorded"
    if then.definitions != now.definitions:
        return None
    return "as-seen" if then.records == now.records else "changed"


def _best(evidence: Sequence[Seen | None]) -> Seen:
    """Of several reviewers who decided the same it is enough that one has seen the records of now."""
    order: tuple[Seen, ...] = ("as-seen", "changed", "not-recorded")
    return next((one for one in order if one in evidence), "changed")


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
