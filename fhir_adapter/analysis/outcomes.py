"""What became of the people: their best response."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fhir_adapter.analysis.proportions import proportion
from fhir_adapter.cohort.case import Case
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.response_system import NOT_EVALUABLE, UNSPECIFIED, ResponseSystem
from fhir_adapter.cohort.study import Study

People = Sequence[Case]


def response(people: People, study: Study) -> Iterator[Estimate]:
    """Best response. A response of unknown depth counts as a response and is missing from CR and from PR.

    An empty best response (assessments that contradict each other) is missing everywhere.
    """
    denominator = study.parameters.orr_denominator
    responses, everybody = study.responses, denominator != "not_in_cr"
    asked = [person for person in people if everybody or not person.complete_before]
    best = [NOT_EVALUABLE if person.best_response is None else person.best_response for person in asked]
    evaluable = denominator == "evaluable"
    counted = [category for category in best if category not in (NOT_EVALUABLE, "")] if evaluable else best
    parameters = study.parameters.named("data_cut", "orr_denominator", "bor_end", "ir_policy", "response_system")
    for name, label, categories in _rates(responses):
        depth_needed = UNSPECIFIED not in categories and bool(categories & responses.responded)
        yield proportion(
            (f"response.{name}", "response", label),
            sum(category in categories for category in counted),
            len(counted),
            study,
            missing=best.count("") + (counted.count(UNSPECIFIED) if depth_needed else 0),
            population=denominator,
            parameters=parameters,
        )


def _rates(responses: ResponseSystem) -> Iterator[tuple[str, str, frozenset[str]]]:
    """(name, label, categories) of every response rate that the study's response system asks for."""
    yield "orr", "Overall response", responses.responded
    for one in responses.categories:
        if one.reported:
            yield one.code.lower(), f"Best response {one.code}", frozenset((one.code,))
        if one.or_better:
            yield f"{one.code.lower()}_or_better", one.or_better, responses.at_least(one.code)
