"""What becomes of every line of the adjudication file."""

from __future__ import annotations

from datetime import date

from analysis.judged_people import study

from fhir_adapter.analysis.adjudication import counts, decisions
from fhir_adapter.cohort.finding import AnyFinding, Failure, Finding
from fhir_adapter.cohort.fingerprint import fingerprint
from fhir_adapter.cohort.review import Ruling, Rulings
from fhir_adapter.rules.review import reviewed

FAILURE: AnyFinding = Finding(
    rule="failure",
    verdict="relapsed",
    value=Failure(status="relapsed", best_response="PR"),
    sentence="",
    sources=("Observation/1/_history/1",),
    parameters={"interval_days": 60},
)
OTHER_QUESTION = str(fingerprint(FAILURE.model_copy(update={"parameters": {"interval_days": 90}})))


def ruling(line: int, verdict: str, reviewer: str = "Chen", rule: str = "failure", evidence: str = "") -> Ruling:
    """A decision about P, taken on the day of the month that is its line."""
    return Ruling(
        person="P",
        rule=rule,
        verdict=verdict,
        reviewer=reviewer,
        on=date(2026, 3, line),
        reason="x",
        evidence=evidence,
        line=line,
    )


def states(*rulings: Ruling) -> list[str]:
    """The state of each line, in the order of the file."""
    finding = reviewed(FAILURE, [one for one in rulings if one.verdict], study())
    return [one.state for one in decisions(Rulings(rulings=rulings), {"P": "P"}, {"P": [finding]})]


def test_a_later_line_of_the_same_reviewer_supersedes_the_earlier() -> None:
    assert states(ruling(2, "refractory"), ruling(3, "relapsed")) == ["superseded", "applied"]


def test_a_consensus_supersedes_those_who_differed() -> None:
    lines = (ruling(2, "refractory"), ruling(3, "relapsed", "Weber"), ruling(4, "relapsed", "consensus"))
    assert states(*lines) == ["superseded", "superseded", "applied"]
    assert states(*lines[:2]) == ["disputed", "disputed"]


def test_a_line_that_answered_another_question_is_named_so_beside_one_that_counts() -> None:
    lines = (ruling(2, "refractory", evidence=OTHER_QUESTION), ruling(3, "relapsed", "Weber"))
    assert states(*lines) == ["other-definitions", "applied"]
    assert states(lines[0]) == ["other-definitions"]


def test_a_line_about_a_question_that_was_not_asked_or_without_verdict_decides_nothing() -> None:
    assert states(ruling(2, "CR", rule="response"), ruling(3, "")) == ["no-finding", "pending"]


def test_lines_and_findings_are_counted_apart() -> None:
    finding = reviewed(FAILURE, two := (ruling(2, "refractory"), ruling(3, "refractory", "Weber")), study())
    told = counts(decisions(Rulings(rulings=two), {"P": "P"}, {"P": [finding]}))
    assert (told["lines"], told["applied"], told["findings_overridden"], told["findings_confirmed"]) == (2, 2, 1, 0)
    assert told["findings_without_evidence"] == 1
