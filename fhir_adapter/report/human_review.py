"""The section of the report about human judgement: what reviewers changed, what does not count, who agrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fhir_adapter.analysis import wording
from fhir_adapter.analysis.adjudication import Decided, counts, reviews
from fhir_adapter.analysis.agreement import Pair
from fhir_adapter.analysis.disclosure import hidden_cells, is_small
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.reviewable import TOXICITY
from fhir_adapter.cohort.study import Study
from fhir_adapter.report.table import DASH, Table

_QUESTIONS = {
    "eligibility": "Belongs to the cohort",
    "diagnosis": "Has the disease",
    "failure": "Failure of the antibody",
    "response": "Best response",
    "lines": "Prior lines of therapy",
    "ipi": "IPI",
    "bulky": "Bulky disease",
    "all": "All together",
}
_WARNINGS = {
    "findings_on_changed_records": "Decisions that count although the records have changed since, please look again",
    "findings_without_evidence": "Decisions that do not say which records the reviewer saw, so no change would show",
    "disputed": "Decisions that do not count, because the reviewers differ and the verdict of the rule stands",
    "other-definitions": "Decisions that do not count, because they answered the question under other definitions",
    "not-possible": "Decisions that cannot be applied, because the person was never infused",
    "no-finding": "Decisions about a question that was not asked of this person",
    "pending": "Decisions that are still to be taken",
}


@dataclass(frozen=True, slots=True)
class HumanReview:
    """What is shown: every verdict that people decided, how often they agree with the rules, and warnings."""

    verdicts: Table
    agreement: Table
    warnings: tuple[str, ...]


def human_review(decided: Sequence[Decided], agreed: Sequence[Estimate], study: Study) -> HumanReview | None:
    """The section, or None where nobody has reviewed anything. Numbers of people only, few of them withheld."""
    if not decided:
        return None
    warnings = tuple(_warnings(counts(decided), study.parameters.min_cell))
    return HumanReview(_verdicts(decided, study), _agreement(agreed, study), warnings)


def _verdicts(decided: Sequence[Decided], study: Study) -> Table:
    """Both verdicts: the people whom a rule and the reviewers judge so."""
    found = Counter((rule, review.by_rule, review.verdict) for rule, review in reviews(decided) if review.applied)
    rows: list[tuple[str, ...]] = []
    for rule in sorted({rule for rule, *_ in found}):
        answers = {answer[1:]: people for answer, people in sorted(found.items()) if answer[0] == rule}
        few = _few(answers, study.parameters.min_cell)
        for (by_rule, verdict), number in answers.items():
            people = wording.WITHHELD if (by_rule, verdict) in few else str(number)
            rows.append((_question(rule, study), by_rule, verdict, "yes" if by_rule == verdict else "no", people))
    return Table(("Question", "By the rule", "On review", "The same", "People"), tuple(rows))


def _few(answers: Mapping[Pair, int], least: int) -> set[Pair]:
    """The pairs of answers whose people are withheld. How many agree is told beside them, and so is how many do not:
    neither sum may give away one of its parts.
    """
    few: set[Pair] = set()
    for parts in (
        list(answers),
        [pair for pair in answers if pair[0] == pair[1]],
        [pair for pair in answers if pair[0] != pair[1]],
    ):
        few |= {parts[place] for place in hidden_cells([answers[pair] for pair in parts], least)}
    return few


def _agreement(agreed: Sequence[Estimate], study: Study) -> Table:
    digits = study.parameters.digits
    by_rule: dict[str, dict[str, Estimate]] = {}
    for one in agreed:
        rule, _, what = one.id.removeprefix("agreement.").rpartition(".")
        by_rule.setdefault(rule, {})[what] = one
    rows = tuple(
        (
            _question(rule, study),
            wording.fraction(found["agreed"]) or DASH,
            wording.result(found["agreed"], digits),
            wording.interval(found["agreed"], digits) or DASH,
            _kappa(found.get("kappa")),
            _missing(found["agreed"]),
        )
        for rule, found in by_rule.items()
    )
    heads = ("Question", "Agree", "Share", "Interval", "Kappa (interval)", "Not compared")
    note = (
        "Compared are answers to the same question on the same records, where rule and reviewers both have one. Who "
        "was reviewed is no random sample, and reviewers who know the answer of the rule agree with it more often."
    )
    return Table(heads, rows, note)


def _question(rule: str, study: Study) -> str:
    return study.display(rule.removeprefix(TOXICITY)) if rule.startswith(TOXICITY) else _QUESTIONS[rule]


def _kappa(estimate: Estimate | None) -> str:
    if estimate is None:
        return DASH
    if estimate.value is None:
        return wording.WITHHELD if estimate.suppressed else estimate.not_estimable
    around = f" ({estimate.ci_low:.2f} to {estimate.ci_high:.2f})" if estimate.ci_low is not None else ""
    return f"{estimate.value:.2f}{around}"


def _missing(estimate: Estimate) -> str:
    if "missing" in estimate.suppressed:
        return wording.WITHHELD
    return str(estimate.missing) if estimate.missing else DASH


def _warnings(numbers: Mapping[str, int], least: int) -> Iterator[str]:
    for name, sentence in _WARNINGS.items():
        if number := numbers[name]:
            yield f"{sentence}: {wording.WITHHELD if is_small(number, least) else number}."
