"""The section of the report about human judgement: what reviewers changed, what does not count, who agrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fhir_adapter.analysis import wording
from fhir_adapter.analysis.adjudication import Decided, counts, reviews
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.study import Study
from fhir_adapter.report.tables import DASH, Table

_STATES = {
    "disputed": "{} lines do not count, because the reviewers differ: the verdict of the rule stands.",
    "other-definitions": "{} lines do not count, because they answered the question under other definitions.",
    "not-possible": "{} lines cannot be applied: the person was never infused.",
    "no-finding": "{} lines are about a question that was not asked of this person.",
    "pending": "{} lines are still to be decided.",
}
_FINDINGS = {
    "findings_on_changed_records": "{} decisions count although the records have changed since: please look again.",
    "findings_without_evidence": "{} decisions do not say which records the reviewer saw, so a change would not show.",
}


@dataclass(frozen=True, slots=True)
class HumanReview:
    """What is shown: every verdict that people decided, how often they agree with the rules, and warnings."""

    verdicts: Table
    agreement: Table
    warnings: tuple[str, ...]


def human_review(decided: Sequence[Decided], agreed: Sequence[Estimate], study: Study) -> HumanReview | None:
    """The section, or None where nobody has reviewed anything. Numbers of people only."""
    if not decided:
        return None
    return HumanReview(_verdicts(decided), _agreement(agreed, study), tuple(_warnings(counts(decided))))


def _verdicts(decided: Sequence[Decided]) -> Table:
    """Both verdicts: the people whom a rule and the reviewers judge so."""
    found = Counter((rule, review.by_rule, review.verdict) for rule, review in reviews(decided) if review.applied)
    rows = tuple(
        (*answers, "yes" if answers[1] == answers[2] else "no", str(n)) for answers, n in sorted(found.items())
    )
    return Table(("Question", "By the rule", "On review", "The same", "People"), rows)


def _agreement(agreed: Sequence[Estimate], study: Study) -> Table:
    digits = study.parameters.digits
    by_rule: dict[str, dict[str, Estimate]] = {}
    for one in agreed:
        rule, _, what = one.id.removeprefix("agreement.").rpartition(".")
        by_rule.setdefault(rule, {})[what] = one
    rows = tuple(
        (
            "all together" if rule == "all" else rule,
            wording.fraction(found["agreed"]) or DASH,
            wording.result(found["agreed"], digits),
            wording.interval(found["agreed"], digits) or DASH,
            _kappa(found.get("kappa")),
            str(found["agreed"].missing) if found["agreed"].missing else DASH,
        )
        for rule, found in by_rule.items()
    )
    heads = ("Question", "Agree", "Share", "Interval", "Kappa (interval)", "Not compared")
    note = (
        "Compared are answers to the same question on the same records, where rule and reviewers both have one. Who "
        "was reviewed is no random sample, and reviewers who know the answer of the rule agree with it more often."
    )
    return Table(heads, rows, note)


def _kappa(estimate: Estimate | None) -> str:
    if estimate is None:
        return DASH
    if estimate.value is None:
        return estimate.not_estimable
    around = f" ({estimate.ci_low:.2f} to {estimate.ci_high:.2f})" if estimate.ci_low is not None else ""
    return f"{estimate.value:.2f}{around}"


def _warnings(numbers: Mapping[str, int]) -> Iterator[str]:
    for name, sentence in {**_FINDINGS, **_STATES}.items():
        if numbers[name]:
            yield sentence.format(numbers[name])
