"""Notes that think along: what a careful reader would ask about these numbers, answered from the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fhir_adapter.analysis import wording
from fhir_adapter.analysis.disclosure import is_small
from fhir_adapter.analysis.estimates import remarks
from fhir_adapter.cohort.estimate import Estimate, EventTime
from fhir_adapter.report.inputs import Material
from fhir_adapter.report.subgroup_ids import is_comparison

ENDPOINTS = ("PFS", "OS")
_WIDE = 0.4  # an interval over two fifths of the scale leaves "most" and "few" both possible
_TOUCHED = 0.1  # a code that is not known matters when it stands in the records of a tenth of the cohort
_UNKNOWN = 0.25  # of the people: a share of the rest may then be far from that of all


def cautions(material: Material) -> tuple[str, ...]:
    """Sentences in the order of their weight: the data, the numbers of people, the statistics."""
    return (
        *_of_data(material),
        *_of_events(material),
        *_of_survival(material),
        *_of_shares(material),
        *_of_groups(material),
        *material.remarks,
    )


def _of_data(material: Material) -> Iterator[str]:
    undecided = material.by_id.get("failure.undetermined")
    if undecided and undecided.numerator:
        yield (
            f"In {wording.fraction(undecided)} people the records do not settle how the antibody failed; they are in "
            "the cohort, and neither relapsed nor refractory."
        )
    least = material.study.parameters.min_cell
    if left := material.tallies.contradicted:
        told = f"fewer than {least}" if is_small(left, least) else str(left)
        yield f"Records of {told} people contradict each other; these people leave the endpoints concerned."
    many = max(2, _TOUCHED * len(material.people))
    touched = sum(seen.of_cohort >= many for seen in material.tallies.unknown.values())
    if touched:
        yield (
            f"{touched} codes or texts that the study does not know stand in the records of many people of the cohort; "
            "if one of them means a treatment, a response or a value, numbers will change."
        )


def _of_events(material: Material) -> Iterator[str]:
    few = material.study.parameters.cox_few_events
    ends = [one for name in ENDPOINTS if (one := material.by_id.get(f"{name.lower()}.median")) and one.n]
    told = [f"{one.endpoint} on {one.events}" for one in ends if one.events is not None and one.events < few]
    if told:
        yield f"Few events: {' and '.join(told)}. One more or one less would move the curve visibly."
    for endpoint in ENDPOINTS:
        if guessed := _imputed(material.times, endpoint):
            least = material.study.parameters.min_cell
            number = f"Fewer than {least}" if is_small(guessed, least) else str(guessed)
            yield (
                f"{number} times of {endpoint} rest on a day that is not known exactly; the middle of what it may be "
                "is used."
            )


def _imputed(times: Sequence[EventTime], endpoint: str) -> int:
    return sum(time.imputed for time in times if time.endpoint == endpoint)


def _of_survival(material: Material) -> Iterator[str]:
    yield from remarks(material.whole)
    followed = next((one.value for one in material.estimates if one.id == "followup.median"), None)
    for months in material.study.parameters.timepoints_months:
        told = [one for one in material.whole if _is_landmark(one) and one.timepoint_months == months]
        if told and followed is not None and followed < months:
            rest = " and ".join(f"{one.endpoint} on {_number(one.at_risk, one, 'at_risk')}" for one in told)
            yield (
                f"Half of the people were followed for less than {months} months. What is said of {months} months "
                f"rests on those who were still at risk then: {rest}."
            )
    for one in material.whole:
        if _is_landmark(one) and one.value == 1.0:
            yield f"{one.label} is 100% because no event came by then; that is no certainty, and it has no interval."


def _is_landmark(one: Estimate) -> bool:
    return (
        one.endpoint in ENDPOINTS
        and one.method == "kaplan-meier"
        and one.timepoint_months is not None
        and not one.not_estimable
    )


def _number(number: int | None, one: Estimate, field: str) -> str:
    return wording.WITHHELD if field in one.suppressed else str(number or 0)


def _of_shares(material: Material) -> Iterator[str]:
    wide = [one.label for one in material.whole if _is_headline(one) and _is_wide(one)]
    if wide:
        yield (
            f"Wide intervals, over {_WIDE:.0%} of the scale: {'; '.join(wide)}. With so few people these numbers "
            "tell the direction, not the size."
        )
    unknown = [
        one.label.partition(", ")[0] for one in material.whole if one.n and one.n > one.missing > _UNKNOWN * one.n
    ]
    if unknown and (names := list(dict.fromkeys(unknown))):
        yield f"Not known in more than a quarter of the people: {'; '.join(names)}."


def _is_headline(one: Estimate) -> bool:
    return one.id in ("response.orr", "response.cr") or (one.endpoint in ENDPOINTS and one.method == "kaplan-meier")


def _is_wide(one: Estimate) -> bool:
    return (
        wording.is_share(one)
        and one.ci_low is not None
        and one.ci_high is not None
        and one.ci_high - one.ci_low > _WIDE
    )


def _of_groups(material: Material) -> Iterator[str]:
    tests = sum(one.method == "log-rank" and not one.not_estimable for one in material.estimates if is_comparison(one))
    if tests > 1:
        yield (
            f"Subgroups were compared {tests} times, by log-rank test; of twenty comparisons of groups that do not "
            "differ, one is expected to give p < 0.05."
        )
