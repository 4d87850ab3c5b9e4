"""How often the rules and the reviewers agree: the share with its interval, and Cohen's kappa.

Only what can be compared is: reviewers who agree with each other, on the records and definitions of now, where rule and
reviewers both have an answer. The rest is counted as missing. The people who were reviewed are no random sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import sqrt
from statistics import NormalDist

from fhir_adapter.analysis.disclosure import disclosed
from fhir_adapter.analysis.proportions import proportion
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.review import Review
from fhir_adapter.cohort.study import Study

Pair = tuple[str, str]
"""The answer of the rule and that of the reviewers."""

_POPULATION = "reviewed"
_ALL = "all"
_COUNTS = ("value", "ci_low", "ci_high", "numerator", "denominator", "n", "missing")


def agreement(reviews: Iterable[tuple[str, Review]], study: Study) -> tuple[Estimate, ...]:
    """For each rule that was reviewed, the share of equal answers and kappa; at last the share over all rules.

    There is no kappa over all rules: their answers are in different words. What tells of too few people is withheld.
    """
    by_rule: dict[str, list[Review]] = {}
    for rule, review in sorted(reviews, key=lambda one: one[0]):
        by_rule.setdefault(rule, []).append(review)
    found: list[Estimate] = []
    for rule, some in by_rule.items():
        found += _of_rule(rule, some, study)
    everything = [review for some in by_rule.values() for review in some]
    return _told((*found, _share(_ALL, "All rules", everything, study)), study) if everything else ()


def _told(found: Sequence[Estimate], study: Study) -> tuple[Estimate, ...]:
    """The statistics as they may leave the site. With a share go the kappa of its rule and the share over all rules."""
    told = disclosed(found, study)
    gone = {rule for one in told if one.suppressed for rule in (_rule_of(one), _ALL)}
    return tuple(_withheld(one) if _rule_of(one) in gone else one for one in told)


def _rule_of(one: Estimate) -> str:
    return one.id.removeprefix("agreement.").rpartition(".")[0]


def _withheld(one: Estimate) -> Estimate:
    """Without anything from which a number of people could be worked out."""
    names = [name for name in _COUNTS if getattr(one, name) is not None and name not in one.suppressed]
    gone: dict[str, object] = {name: 0 if name in ("n", "missing") else None for name in names}
    return one.model_copy(update={**gone, "suppressed": (*one.suppressed, *names), "parameters": {}})


def _of_rule(rule: str, reviews: Sequence[Review], study: Study) -> Iterator[Estimate]:
    label = rule.removeprefix("toxicity.")
    yield _share(rule, label, reviews, study)
    pairs = comparable(reviews)
    value, error, reason = kappa(pairs)
    low, high = _interval(value, error, study.parameters.ci_level)
    yield Estimate(
        id=f"agreement.{rule}.kappa",
        endpoint="agreement",
        label=f"{label}: Cohen's kappa",
        population=_POPULATION,
        method="cohen-kappa",
        value=value,
        ci_level=study.parameters.ci_level if low is not None else None,
        ci_low=low,
        ci_high=high,
        n=len(pairs),
        not_estimable=reason,
        missing=len(reviews) - len(pairs),
        parameters={"interval": "large sample"} if low is not None else {},
    )


def _share(rule: str, label: str, reviews: Sequence[Review], study: Study) -> Estimate:
    pairs = comparable(reviews)
    return proportion(
        (f"agreement.{rule}.agreed", "agreement", f"{label}: rule and reviewers agree"),
        sum(one == other for one, other in pairs),
        len(pairs),
        study,
        missing=len(reviews) - len(pairs),
        population=_POPULATION,
        parameters={"overridden": sum(one.overrides for one in reviews)},
    )


def comparable(reviews: Iterable[Review]) -> list[Pair]:
    """The pairs of answers that are about the same question and the same records."""
    return [(one.by_rule, one.verdict) for one in reviews if one.comparable]


def kappa(pairs: Sequence[Pair]) -> tuple[float | None, float | None, str]:
    """(kappa, standard error, why there is none). Cohen 1960; the large-sample error of Fleiss, Cohen and Everitt 1969.

    With perfect agreement the error is 0, which says nothing about other people: it is then None.
    """
    n = len(pairs)
    if not n:
        return None, None, "nobody with two answers"
    both = {pair: count / n for pair, count in Counter(pairs).items()}
    words = sorted({word for pair in pairs for word in pair})
    rule = {word: sum(share for (one, _), share in both.items() if one == word) for word in words}
    people = {word: sum(share for (_, one), share in both.items() if one == word) for word in words}
    observed = sum(both.get((word, word), 0.0) for word in words)
    expected = sum(rule[word] * people[word] for word in words)
    if len(words) == 1:
        return None, None, "only one answer was ever given"
    value = (observed - expected) / (1 - expected)
    same = sum(both.get((word, word), 0.0) * (1 - (rule[word] + people[word]) * (1 - value)) ** 2 for word in words)
    apart = (1 - value) ** 2 * sum(
        share * (people[one] + rule[other]) ** 2 for (one, other), share in both.items() if one != other
    )
    variance = (same + apart - (value - expected * (1 - value)) ** 2) / (n * (1 - expected) ** 2)
    perfect = all(one == other for one, other in pairs)
    return value, None if perfect else sqrt(max(0.0, variance)), ""


def _interval(value: float | None, error: float | None, level: float) -> tuple[float | None, float | None]:
    if value is None or error is None:
        return None, None
    half = NormalDist().inv_cdf((1 + level) / 2) * error
    return max(-1.0, value - half), min(1.0, value + half)
