"""What people decide about a finding: whether it counts, and what becomes of the person.

A decision is one line of the adjudication file. Where it counts it takes the place of the verdict of the rule, before
anything else rests on it; both are told. How to: [Decide otherwise](../how-to/adjudication.md).
"""

from __future__ import annotations

from datetime import date

import pytest
from spec.people import patient, study

from fhir_adapter.analysis.endpoints import event_times
from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.cohort.fingerprint import fingerprint
from fhir_adapter.cohort.judgement import Excluded, Judgement
from fhir_adapter.cohort.review import Review, Ruling
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.rules.judge import judge

_CHART = {
    "diagnosis": "2022-05-01 | dlbcl",
    "drug": "2024-01-08 | glofitamab",
    "best": "2024-02-01 | PR",
    "failure": "2024-02-20 | PD",
    "collection": "2024-03-04 | apheresis",
    "infusion": "2024-04-01 | infusion",
    "response": "2024-05-01 | PR",
    "visit": "2024-08-01 | visit",
}


def chart(**changes: str) -> Subject:
    return patient("\n".join({**_CHART, **changes}.values()))


def rulings(table: str) -> tuple[Ruling, ...]:
    """One line a decision: `rule | verdict | reviewer | day [| evidence]`."""
    rows = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    return tuple(
        Ruling(
            person="P",
            rule=rule,
            verdict=verdict,
            reviewer=reviewer,
            on=date.fromisoformat(day),
            reason="seen in the chart",
            evidence="".join(evidence),
            line=number,
        )
        for number, (rule, verdict, reviewer, day, *evidence) in enumerate(rows, start=2)
    )


def judged(person: Subject, table: str = "", **parameters: object) -> Judgement | Excluded:
    return judge(person, study(**parameters), rulings(table) if table else ())


def included(person: Subject, table: str = "", **parameters: object) -> Judgement:
    found = judged(person, table, **parameters)
    assert isinstance(found, Judgement)
    return found


def review(finding: AnyFinding) -> Review:
    assert finding.review is not None
    return finding.review


def failure(table: str, **parameters: object) -> AnyFinding:
    return included(chart(), table, **parameters).failure


def left_endpoints(person: Judgement) -> dict[str, str]:
    return {one.endpoint: one.reason for one in event_times(person, study())[1]}


# ----------------------------------------------------------------------------------------------- what counts


def test_a_reviewers_verdict_takes_the_place_of_the_rules_and_both_are_told() -> None:
    found = failure("failure | refractory | Chen | 2025-03-01")
    assert found.verdict == "refractory"
    assert found.value.status == "refractory"
    assert (review(found).by_rule, review(found).verdict) == ("relapsed", "refractory")
    assert "refractory by Chen on 2025-03-01 (seen in the chart)" in found.sentence
    assert "The rule alone says relapsed" in found.sentence


def test_without_a_decision_nothing_is_different() -> None:
    assert included(chart()).failure.review is None
    assert included(chart(), "response | SD | Chen | 2025-03-01").failure == included(chart()).failure


def test_a_verdict_that_is_the_same_confirms_the_rule() -> None:
    found = failure("failure | relapsed | Chen | 2025-03-01")
    assert found.value == included(chart()).failure.value
    assert review(found).applied
    assert not review(found).overrides
    assert "Confirmed on review" in found.sentence


def test_reviewers_who_differ_leave_the_verdict_to_the_rule() -> None:
    found = failure("failure | refractory | Chen | 2025-03-01\nfailure | undetermined | Weber | 2025-03-02")
    assert found.verdict == "relapsed"
    assert (review(found).standing, review(found).verdict) == ("disputed", "")
    assert "Chen" in found.sentence
    assert "Weber" in found.sentence


def test_reviewers_who_agree_count_together() -> None:
    found = failure("failure | refractory | Chen | 2025-03-01\nfailure | refractory | Weber | 2025-03-02")
    assert found.verdict == "refractory"
    assert [one.reviewer for one in review(found).rulings] == ["Chen", "Weber"]


def test_the_last_decision_of_one_reviewer_counts_in_whichever_order_they_are_written() -> None:
    table = "failure | undetermined | chen | 2025-03-09\nfailure | refractory | Chen | 2025-03-01"
    assert failure(table).verdict == "undetermined"


def test_a_consensus_settles_what_reviewers_had_decided_before() -> None:
    found = failure(
        "failure | refractory | Chen | 2025-03-01\nfailure | undetermined | Weber | 2025-03-02\n"
        "failure | refractory | consensus | 2025-03-05"
    )
    assert found.verdict == "refractory"
    assert [one.reviewer for one in review(found).rulings] == ["consensus"]


def test_whoever_differs_after_the_consensus_opens_it_again() -> None:
    found = failure("failure | refractory | consensus | 2025-03-05\nfailure | undetermined | Weber | 2025-03-06")
    assert review(found).standing == "disputed"
    assert found.verdict == "relapsed"


# ----------------------------------------------------------------------------------- what the reviewers have seen


def seen(**parameters: object) -> str:
    """The evidence that `explain` prints for the failure."""
    return str(fingerprint(included(chart(), **parameters).failure))


def test_a_decision_on_the_records_of_now_stands_as_seen() -> None:
    assert review(failure(f"failure | refractory | Chen | 2025-03-01 | {seen()}")).records == "as-seen"


def test_a_decision_counts_and_is_flagged_when_the_records_have_changed_since() -> None:
    """A reviewer knows more than the records; that one of them was touched does not make the rule right."""
    table = f"failure | refractory | Chen | 2025-03-01 | {seen()}"
    later = included(chart(more="2024-02-10 | CR"), table).failure
    assert later.verdict == "refractory"
    assert (review(later).standing, review(later).records) == ("applied", "changed")
    assert "The records have changed since the review" in later.sentence


def test_a_record_that_another_question_rests_on_changes_nothing() -> None:
    table = f"failure | refractory | Chen | 2025-03-01 | {seen()}"
    assert review(included(chart(more="2024-04-05 | CRS 2"), table).failure).records == "as-seen"


def test_a_decision_under_other_definitions_does_not_count() -> None:
    """Refractory by best response is no answer to the question whether progression came within 30 days."""
    table = f"failure | refractory | Chen | 2025-03-01 | {seen()}"
    found = failure(table, bsab_status_rule="pd_within", interval_days=30)
    assert review(found).standing == "other-definitions"
    assert found.verdict == included(chart(), bsab_status_rule="pd_within", interval_days=30).failure.verdict


def test_only_decisions_under_the_definitions_of_now_can_differ() -> None:
    """A reviewer may answer both questions; each answer counts where its question is asked."""
    within = {"bsab_status_rule": "pd_within", "interval_days": 30}
    first = f"failure | refractory | Chen | 2025-03-01 | {seen()}"
    both = f"{first}\nfailure | relapsed | Chen | 2025-03-02 | {seen(**within)}"
    assert failure(both).verdict == "refractory"
    assert failure(both, **within).verdict == "relapsed"
    assert review(failure(both, **within)).standing == "applied"


def test_a_later_data_cut_asks_the_same_question() -> None:
    assert seen(data_cut="2024-12-31") == seen(data_cut="2025-12-31") == seen()


def test_a_parameter_at_its_default_asks_no_other_question() -> None:
    found = included(chart()).failure
    assert found.parameters
    assert fingerprint(found.model_copy(update={"parameters": {}})) == fingerprint(found)


def test_a_decision_without_its_evidence_counts_and_is_flagged() -> None:
    found = failure("failure | refractory | Chen | 2025-03-01")
    assert (review(found).standing, review(found).records) == ("applied", "not-recorded")
    assert "was not written down" in found.sentence


def test_of_two_who_agree_it_is_enough_that_one_saw_the_records_of_now() -> None:
    old = str(fingerprint(included(chart(more="2024-02-10 | CR")).failure))
    table = f"failure | refractory | Chen | 2025-03-01 | {old}\nfailure | refractory | Weber | 2025-04-01 | {seen()}"
    assert review(failure(table)).records == "as-seen"


# -------------------------------------------------------------------------------------- who belongs to the cohort


def test_whoever_left_because_the_failure_was_open_comes_in_when_reviewers_settle_it() -> None:
    open_failure = chart(best="2024-02-01 | NE", failure="")
    strict = {"include_undetermined_failure": False}
    assert isinstance(judged(open_failure, **strict), Excluded)
    assert included(open_failure, "failure | refractory | Chen | 2025-03-01", **strict).failure.verdict == "refractory"


def test_reviewers_can_exclude_somebody() -> None:
    found = judged(chart(), "eligibility | not met | Chen | 2025-03-01")
    assert isinstance(found, Excluded)
    assert (found.exit.step, found.exit.reason) == ("assessable", "excluded_on_review")
    assert found.eligibility.verdict == "not met"
    assert review(found.eligibility).by_rule == "met"
    assert {one.rule for one in found.findings} >= {"failure", "response"}


@pytest.mark.parametrize("missing", ["diagnosis", "drug"])
def test_reviewers_can_admit_whoever_was_infused(missing: str) -> None:
    without = chart(**{missing: ""})
    assert isinstance(judged(without), Excluded)
    found = included(without, "eligibility | met | Chen | 2025-03-01")
    assert found.eligibility.verdict == "met"
    assert review(found.eligibility).by_rule == "not met"


def test_nobody_can_be_admitted_without_an_infusion_to_count_from() -> None:
    found = judged(chart(infusion=""), "eligibility | met | Chen | 2025-03-01")
    assert isinstance(found, Excluded)
    assert found.exit.step == "car_t"
    assert review(found.eligibility).standing == "not-possible"
    assert "no infusion to count from" in found.eligibility.sentence


def test_the_evidence_of_the_eligibility_is_the_same_before_and_after_it_was_decided() -> None:
    without = chart(diagnosis="2022-05-01 | mantle-cell-lymphoma")
    before = fingerprint(judged(without).eligibility)
    after = judged(without, f"eligibility | met | Chen | 2025-03-01 | {before}")
    assert fingerprint(after.eligibility) == before
    assert review(after.eligibility).records == "as-seen"


def test_a_diagnosis_that_reviewers_reject_leaves_at_the_diagnosis() -> None:
    found = judged(chart(), "diagnosis | not met | Chen | 2025-03-01")
    assert isinstance(found, Excluded)
    assert (found.exit.step, found.exit.reason) == ("diagnosis", "not_the_disease_on_review")


# ------------------------------------------------------------------------------------------- what the verdict moves


def test_a_response_that_reviewers_do_not_see_has_no_duration() -> None:
    found = included(chart(), "response | SD | Chen | 2025-03-01")
    assert found.response.value.best == "SD"
    assert found.response.value.responded_on is None
    assert "DOR" not in {one.endpoint for one in event_times(found, study())[0]}
    assert left_endpoints(found) == {}


def test_a_response_that_only_reviewers_see_has_no_day_so_the_person_leaves_its_duration() -> None:
    found = included(chart(response="2024-05-01 | SD"), "response | PR | Chen | 2025-03-01")
    assert found.response.verdict == "PR"
    assert left_endpoints(found) == {"DOR": "response_without_a_day"}


def test_a_deeper_response_keeps_the_day_of_the_response_and_has_none_of_its_own() -> None:
    found = included(chart(), "response | CR | Chen | 2025-03-01")
    assert found.response.value.responded_on.iso == "2024-05-01"
    assert left_endpoints(found) == {"DOCR": "response_without_a_day"}


@pytest.mark.parametrize(("recorded", "said"), [("PD", "PR"), ("PR", "PD"), ("PD", "NE"), ("PD", "SD")])
def test_a_progression_that_only_one_of_them_sees_has_no_day_so_the_person_leaves_what_needs_it(
    recorded: str, said: str
) -> None:
    found = included(chart(response=f"2024-05-01 | {recorded}"), f"response | {said} | Chen | 2025-03-01")
    assert found.response.verdict == said
    assert {"PFS", "EFS", "TTP"} <= set(left_endpoints(found))
    assert "OS" not in left_endpoints(found)


def test_a_response_after_which_the_disease_progressed_keeps_the_day_of_the_progression() -> None:
    person = chart(response="2024-05-01 | PR\n2024-07-01 | PD")
    found = included(person, "response | SD | Chen | 2025-03-01")
    assert found.response.value.progressed_on.iso == "2024-07-01"
    assert left_endpoints(found) == {}


def test_a_response_that_reviewers_cannot_tell_is_open() -> None:
    found = included(chart(), "response | undetermined | Chen | 2025-03-01")
    assert (found.response.verdict, found.response.value.best) == ("undetermined", "")


def test_a_grade_is_decided_term_by_term() -> None:
    person = chart(crs="2024-04-03 | CRS 1", count="2024-04-09 | neutrophils 0.3 (1.8-6.3)")
    found = included(person, "toxicity.crs | grade 3 | Chen | 2025-03-01")
    by_rule = {one.rule: one for one in found.toxicities}
    crs = by_rule["toxicity.crs"]
    assert (crs.verdict, crs.value.grade_min, crs.value.grade_max) == ("grade 3", 3, 3)
    assert review(crs).by_rule == "grade 1"
    assert all(one.review is None for rule, one in by_rule.items() if rule != "toxicity.crs")


def test_a_grade_that_reviewers_cannot_tell_is_no_grade() -> None:
    found = included(chart(crs="2024-04-03 | CRS 1"), "toxicity.crs | undetermined | Chen | 2025-03-01")
    (crs,) = found.toxicities
    assert (crs.value.grade_min, crs.value.grade_max) == (None, None)


def test_a_value_without_grades_is_elevated_or_not() -> None:
    person = chart(test="2024-04-09 | d-dimer 0.9 (-0.5)")
    (found,) = included(person, "toxicity.d-dimer | not met | Chen | 2025-03-01").toxicities
    assert (found.value.elevated, review(found).by_rule) == (False, "met")


def test_lines_and_the_ipi_are_decided_as_numbers() -> None:
    found = included(chart(), "lines | 4 | Chen | 2025-03-01\nipi | 2 | Chen | 2025-03-01")
    assert (found.lines.value.count.settled, review(found.lines).by_rule) == (4, "1")
    assert (found.ipi.value.points.settled, review(found.ipi).by_rule) == (2, "0 to 5")
    assert (found.lines.verdict, found.ipi.verdict) == ("met", "met")


def test_bulk_is_decided_although_nobody_has_measured_it() -> None:
    found = included(chart(), "bulky | met | Chen | 2025-03-01").bulk
    assert (found.value.bulky, found.value.longest_mm) == (True, None)
    assert review(found).by_rule == "undetermined"
