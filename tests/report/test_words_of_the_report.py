"""What the report says in sentences, and what it says about the data: true, complete, and nothing twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from analysis.judged_people import CUT_2, person, study, twelve
from report.materials import FACTS, material, named, of_the_study, tallied
from study12_estimates import estimates
from study12_estimates import study as written_study

from fhir_adapter.cohort.estimate import Estimate, NotInEndpoint
from fhir_adapter.cohort.finding import Failure, Finding
from fhir_adapter.cohort.tallies import Tallies
from fhir_adapter.report.cautions import cautions
from fhir_adapter.report.inputs import Material
from fhir_adapter.report.quality import MOST_CODES, contradictions, set_aside, undetermined, unknown_codes
from fhir_adapter.report.summary import summary
from fhir_adapter.report.tables import endpoints


def code(table: str, system: str, code: str, text: str, person: str) -> tuple[tuple[str, str, str, str], str]:
    return (table, system, code, text), person


def by_hand(**changed: Any) -> Material:
    """The statistics of the study, worked out by hand."""
    return Material(**{"study": written_study(), "facts": FACTS, "estimates": estimates(), **changed})


def with_one(name: str, **changes: Any) -> tuple[Estimate, ...]:
    return tuple(one.model_copy(update=changes) if one.id == name else one for one in estimates())


def test_the_answer_is_told_in_five_sentences() -> None:
    people, failed, responded, survived, toxic = summary(by_hand())
    assert people == (
        "Of 60 people in the records, 12 are in the cohort. Median follow-up: 9.3 months (range 5.3 to 14)."
    )
    assert "refractory disease in 8 of 12 (66.7%) and by relapse in 4 of 12 (33.3%)" in failed
    assert "Median washout: 42 days (range 8 to 172)." in failed
    assert responded == "After CAR-T 12 of 12 (100%) responded, 6 of 12 (50%) completely."
    assert "Estimated for 12 months: progression-free survival 54.5% (95% CI 22.9 to 78)" in survived
    assert "overall survival 50.5% (95% CI 7.9 to 83.2)" in survived
    assert "Median: progression-free survival not reached, overall survival not reached." in survived
    assert toxic == "CRS: 10 of 12 (83.3%), grade 3 or higher 0 of 12 (0%)."


def test_what_is_not_known_of_toxicity_is_said_in_the_same_breath() -> None:
    assert summary(by_hand(estimates=with_one("crs.any", missing=3)))[-1].startswith(
        "CRS: 10 of 12 (83.3%), not known in 3,"
    )


def test_of_one_person_one_is_told() -> None:
    found = {"attrition.person": 1.0, "baseline.n": 1.0}
    one = [each.model_copy(update={"value": found[each.id]}) for each in estimates() if each.id in found]
    assert summary(by_hand(estimates=one))[0] == "Of 1 person in the records, 1 is in the cohort."


def test_without_any_statistics_nothing_is_told() -> None:
    assert summary(by_hand(estimates=())) == ()
    assert cautions(by_hand(estimates=())) == ()


def test_what_is_withheld_is_told_as_withheld() -> None:
    told = " ".join(summary(of_the_study(min_cell=5)))
    assert "withheld" in told
    assert "4 of 12" not in told


def test_few_events_wide_intervals_and_many_unknown_values_are_pointed_out() -> None:
    said = cautions(by_hand(estimates=with_one("crs.any", missing=4)))
    assert "Few events: PFS on 5 and OS on 3. One more or one less would move the curve visibly." in said
    assert any(one.startswith("Wide intervals, over 40% of the scale: ") and "OS at 12 months" in one for one in said)
    assert "Not known in more than a quarter of the people: CRS." in said
    assert "OS at 6 months is 100% because no event came by then; that is no certainty, and it has no interval." in said


def test_a_large_study_with_narrow_intervals_has_little_to_be_careful_about() -> None:
    narrow = tuple(
        one.model_copy(update={"ci_low": 0.5, "ci_high": 0.55, "value": 0.52, "events": 400, "n": 1000, "at_risk": 300})
        if one.method == "kaplan-meier"
        else one
        for one in with_one("followup.median", value=40.0)
        if one.id != "response.cr"
    )
    assert cautions(by_hand(estimates=narrow)) == ()


def test_days_that_are_not_known_exactly_are_counted() -> None:
    asked = study()
    some = material([person("PR 2024-02-01", "PD 2024-06", "visit 2024-09-01")], asked)
    assert "1 times of PFS rest on a day that is not known exactly; the middle of what it may be is used." in cautions(
        some
    )


def test_people_of_whom_the_failure_is_open_are_named_as_such() -> None:
    said = cautions(by_hand(estimates=with_one("failure.undetermined", numerator=2, value=2 / 12)))
    assert any(one.startswith("In 2/12 people the records do not settle how the antibody failed") for one in said)


def test_a_code_that_touches_many_is_pointed_out_and_a_rare_one_is_not() -> None:
    asked = study()
    people = [named(one, f"P{number}") for number, one in enumerate(twelve(CUT_2, asked))]
    many = [code("medication", "urn:x", "C1", "a drug", f"P{number}") for number in range(4)]
    rare = [code("medication", "urn:x", "C2", "another", "P1"), code("medication", "urn:x", "C3", "x", "somebody else")]
    said = [
        one
        for one in cautions(material(people, asked, tallies=tallied(unknown=[*many, *rare])))
        if "does not know" in one
    ]
    assert len(said) == 1
    assert said[0].startswith("1 codes or texts")


def test_unknown_codes_are_told_by_people_of_the_cohort_first() -> None:
    asked = study()
    people = [named(one, f"P{number}") for number, one in enumerate(twelve(CUT_2, asked))]
    records = [
        *[code("condition", "urn:x", "C1", "seen outside", f"X{number}") for number in range(9)],
        *[code("medication", "urn:x", "C2", "a drug", f"P{number % 3}") for number in range(5)],
        code("unit", "", "", "drops", "P1"),
    ]
    table = unknown_codes(material(people, asked, tallies=tallied(unknown=records)))
    assert table.rows == (
        ("a drug (C2)", "medication", "5", "3", "3"),
        ("drops", "unit", "1", "1", "1"),
        ("seen outside (C1)", "condition", "9", "9", "–"),
    )
    hidden = unknown_codes(replace(material(people, asked, tallies=tallied(unknown=records)), study=study(min_cell=5)))
    assert hidden.rows == (("seen outside (C1)", "condition", "9", "9", "–"),)
    assert hidden.note == "Not shown: 2 more; cohort/unmapped.csv has all of them."


def test_of_many_unknown_codes_the_first_are_shown_and_the_others_counted() -> None:
    records = [code("unit", "", "", f"u{number:03}", "P") for number in range(MOST_CODES + 7)]
    table = unknown_codes(by_hand(tallies=tallied(unknown=records)))
    assert len(table.rows) == MOST_CODES
    assert table.note == "Not shown: 7 more; cohort/unmapped.csv has all of them."


def test_open_verdicts_are_counted_by_reason_whatever_the_days_of_a_person() -> None:
    def open_failure(day: str) -> Finding[Failure]:
        return Finding(rule="failure", verdict="undetermined", sentence=f"No answer between {day} and 3 days later.")

    people = [
        one.model_copy(update={"failure": open_failure(day)})
        for one, day in zip(twelve(CUT_2, study())[:2], ("2024-01-02", "2023-05"), strict=True)
    ]
    table = undetermined(material(people, study()))
    assert ("Failure of the antibody", "No answer between … and … days later.", "2", "–") in table.rows


def test_settled_verdicts_are_not_among_the_open_ones() -> None:
    assert "Failure of the antibody" not in [line[0] for line in undetermined(of_the_study()).rows]


def test_contradictions_are_counted_by_reason_and_endpoint() -> None:
    left = [
        NotInEndpoint(subject_id=name, endpoint="OS", reason="death_before_infusion", sources=()) for name in ("a", "b")
    ]
    tallies = Tallies()
    for one in left:
        tallies.add_contradictions([one])
    assert contradictions(by_hand(tallies=tallies)).rows == (("death before infusion", "OS", "2"),)
    said = "Records of 2 people contradict each other; these people leave the endpoints concerned."
    assert said in cautions(by_hand(tallies=tallies))


def test_what_was_set_aside_is_counted_by_reason_and_type_and_quarantine_is_called_so() -> None:
    aside = Tallies()
    for reason, type in (*[("status-cancelled", "Observation")] * 2, ("quarantined: not-json", "Patient")):
        aside.add_not_used((reason, type), "")
    assert set_aside(aside.not_used).rows == (
        ("status cancelled", "not used", "2", "Observation 2"),
        ("not json", "in quarantine", "1", "Patient 1"),
    )


def test_an_endpoint_is_one_line_with_every_statistic_and_its_interval() -> None:
    whole = of_the_study(rmst_months=[6])
    (line,) = endpoints(whole.of("os"), whole.study).rows
    told = [cell.replace("\N{NO-BREAK SPACE}", " ") for cell in line]
    assert told[:3] == ["Overall survival", "100% (interval not estimable)", "50.5% (7.9 to 83.2)"]
    assert told[3] == "not reached (9.3 to not reached)"
    assert told[5:] == ["12", "3", "–"]
