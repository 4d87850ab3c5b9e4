"""The section about human judgement: numbers of people under both verdicts, and what does not count."""

from __future__ import annotations

from datetime import date

from analysis.judged_people import study

from fhir_adapter.analysis.adjudication import Decided, State, reviews
from fhir_adapter.analysis.agreement import agreement
from fhir_adapter.cohort.finding import AnyFinding, Finding
from fhir_adapter.cohort.review import Review, Ruling
from fhir_adapter.report.human_review import HumanReview, human_review


def decided(number: int, by_rule: str, verdict: str, state: State = "applied") -> Decided:
    """One decision about the failure of one person."""
    said = Ruling(
        person=f"P{number}", rule="failure", verdict=verdict, reviewer="Chen", on=date(2026, 3, 1), reason="x", line=2
    )
    review = Review(
        by_rule=by_rule, sentence_by_rule="", verdict=verdict, standing="applied", records="as-seen", rulings=(said,)
    )
    finding: AnyFinding = Finding(rule="failure", verdict=verdict, sentence="", review=review)
    return Decided(f"P{number}", said, finding if state == "applied" else None, state)


def section(*some: Decided, min_cell: int = 0) -> HumanReview:
    asked = study(min_cell=min_cell)
    found = human_review(some, agreement(reviews(some), asked), asked)
    assert found is not None
    return found


def test_without_decisions_there_is_no_section() -> None:
    assert human_review((), (), study()) is None


def test_people_are_counted_under_both_verdicts() -> None:
    found = section(
        *(decided(number, "relapsed", "refractory") for number in range(2)), decided(3, "relapsed", "relapsed")
    )
    assert found.verdicts.rows == (
        ("Failure of the antibody", "relapsed", "refractory", "no", "2"),
        ("Failure of the antibody", "relapsed", "relapsed", "yes", "1"),
    )
    assert [row[:2] for row in found.agreement.rows] == [("Failure of the antibody", "1/3"), ("All together", "1/3")]
    assert found.warnings == ()


def test_what_does_not_count_is_a_warning() -> None:
    found = section(*(decided(number, "", "refractory", "disputed") for number in range(3)))
    assert found.warnings == (
        "Decisions that do not count, because the reviewers differ and the verdict of the rule stands: 3.",
    )
    assert found.verdicts.rows == found.agreement.rows == ()


def test_few_people_cannot_be_worked_out_from_how_many_agree() -> None:
    """Of 20 that agree 17 are relapsed, so 3 are refractory, whether the 3 are told or not."""
    found = section(
        *(decided(number, "relapsed", "relapsed") for number in range(17)),
        *(decided(number, "refractory", "refractory") for number in range(20, 23)),
        *(decided(number, "relapsed", "refractory") for number in range(30, 47)),
        *(decided(number, "refractory", "relapsed") for number in range(50, 53)),
        min_cell=5,
    )
    assert found.agreement.rows[0][1] == "20/40"
    assert [row[-1] for row in found.verdicts.rows] == ["withheld"] * 4


def test_few_people_are_withheld() -> None:
    some = [decided(number, "relapsed", "relapsed") for number in range(8)]
    found = section(*some, decided(9, "relapsed", "refractory"), decided(10, "", "", "pending"), min_cell=5)
    assert [row[-1] for row in found.verdicts.rows] == ["withheld", "withheld"]
    assert found.agreement.rows[0][1:] == ("–", "withheld", "–", "withheld", "withheld")
    assert found.warnings == ("Decisions that are still to be taken: withheld.",)
