"""What reviewers decided, from the CSV file that the site keeps: every line is checked before anything is judged."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from mapping.hospital import study

from fhir_adapter.cohort.review import Ruling, Rulings
from fhir_adapter.cohort.reviewable import reviewable
from fhir_adapter.errors import UsageError
from fhir_adapter.mapping.rulings_file import read_rulings

HEADER = "person,rule,verdict,reviewer,date,reason\n"
WITH_EVIDENCE = "person,rule,verdict,reviewer,date,reason,evidence\n"
SIGNED = "Chen,2026-03-14,seen in the chart"


def written(path: Path, rows: str, header: str = HEADER) -> Rulings:
    file = path / "adjudication.csv"
    file.write_text(header + rows, encoding="utf-8")
    return read_rulings(file, study().study)


def only(path: Path, row: str, header: str = HEADER) -> Ruling:
    (ruling,) = written(path, row + "\n", header).rulings
    return ruling


def test_a_line_is_a_decision_with_its_line_in_the_file(tmp_path: Path) -> None:
    found = only(tmp_path, f"Patient/p1,failure,refractory,{SIGNED},0123456789ab-01234567", WITH_EVIDENCE)
    assert found == Ruling(
        person="p1",
        rule="failure",
        verdict="refractory",
        reviewer="Chen",
        on=date(2026, 3, 14),
        reason="seen in the chart",
        evidence="0123456789ab-01234567",
        line=2,
    )


@pytest.mark.parametrize(
    ("rule", "verdict", "read"),
    [
        ("bsab_failure", "Relapsed", ("failure", "relapsed")),
        ("best_response", "cr", ("response", "CR")),
        ("eligibility", "Not met", ("eligibility", "not met")),
        ("eligibility", "not_met", ("eligibility", "not met")),
        ("toxicity.crs", "3", ("toxicity.crs", "grade 3")),
        ("toxicity.icans", "Grade 0", ("toxicity.icans", "grade 0")),
        ("toxicity.anemia", "undetermined", ("toxicity.anemia", "undetermined")),
        ("toxicity.tumor-lysis", "4", ("toxicity.tumor-lysis", "grade 4")),
        ("toxicity.d-dimer", "met", ("toxicity.d-dimer", "met")),
        ("prior_lines", "5", ("lines", "5")),
        ("ipi", "0", ("ipi", "0")),
        ("bulk", "not met", ("bulky", "not met")),
    ],
)
def test_rules_and_verdicts_are_read_as_people_write_them(
    tmp_path: Path, rule: str, verdict: str, read: tuple[str, str]
) -> None:
    found = only(tmp_path, f"p1,{rule},{verdict},{SIGNED}")
    assert (found.rule, found.verdict) == read


def test_every_class_that_a_reader_sees_can_be_decided() -> None:
    rules = reviewable(study().study)
    assert {"eligibility", "diagnosis", "failure", "response", "lines", "ipi", "bulky"} <= set(rules)
    assert {"toxicity.crs", "toxicity.icans", "toxicity.neutrophil-count-decreased", "toxicity.d-dimer"} <= set(rules)


@pytest.mark.parametrize("rule", ["index", "exposure", "washout", "endpoint.PFS", "age"])
def test_what_rests_on_days_cannot_be_decided_by_a_word(tmp_path: Path, rule: str) -> None:
    with pytest.raises(UsageError, match="line 2: this rule is none that can be decided by review"):
        written(tmp_path, f"p1,{rule},met,{SIGNED}\n")


def test_a_line_without_a_verdict_is_pending_and_decides_nothing(tmp_path: Path) -> None:
    found = written(tmp_path, "p1,failure,,,,,0123456789ab-01234567\n", WITH_EVIDENCE)
    assert [one.verdict for one in found.rulings] == [""]
    assert found.about(("p1",)) == ()


def test_empty_lines_are_no_decisions_and_keep_the_count_of_the_lines(tmp_path: Path) -> None:
    found = written(tmp_path, f",,,,,\n\np1,failure,refractory,{SIGNED}\n")
    assert [one.line for one in found.rulings] == [4]


def test_a_file_that_a_spreadsheet_wrote_is_read(tmp_path: Path) -> None:
    file = tmp_path / "adjudication.csv"
    file.write_bytes(
        ("\ufeff" + HEADER + 'p1,failure,refractory,"陈, MD",2026-03-14,进展\n').replace("\n", "\r\n").encode()
    )
    (found,) = read_rulings(file, study().study).rulings
    assert (found.reviewer, found.reason) == ("陈, MD", "进展")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (f",failure,refractory,{SIGNED}", "nobody is named"),
        (f"p1,failur-Jane,refractory,{SIGNED}", "this rule is none"),
        (f"p1,,refractory,{SIGNED}", "this rule is none"),
        (f"p1,failure,refractry-Jane,{SIGNED}", "the verdict is none"),
        (f"p1,toxicity.crs,6,{SIGNED}", "the verdict is none"),
        (f"p1,ipi,6,{SIGNED}", "the verdict is none"),
        (f"p1,response,IR,{SIGNED}", "the verdict is none"),
        ("p1,failure,refractory,,2026-03-14,Jane", "without `reviewer`"),
        ("p1,failure,refractory,Jane,,seen", "without `date`"),
        ("p1,failure,refractory,Jane,2026-03-14,", "without `reason`"),
        ("p1,failure,refractory,Jane,14.03.2026,seen", "the date cannot be read"),
        ("p1,failure,refractory,Jane,2026-03,seen", "the date cannot be read"),
        ("p1,failure,refractory,Jane,2026-02-30,seen", "the date cannot be read"),
        ("p1,failure,refractory,Jane,2026-03-14,seen,twice,more", "more cells than columns"),
    ],
)
def test_a_line_that_cannot_be_used_is_an_error_that_tells_its_line_and_nothing_else(
    tmp_path: Path, row: str, why: str
) -> None:
    with pytest.raises(UsageError, match=f"line 3: .*{why}") as caught:
        written(tmp_path, f"p1,response,PR,{SIGNED}\n{row}\n")
    told = caught.value.message + caught.value.hint
    assert "Jane" not in told
    assert "p1" not in told


def test_evidence_that_is_no_fingerprint_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 2: the evidence is no fingerprint"):
        written(tmp_path, f"p1,failure,refractory,{SIGNED},the PET of May\n", WITH_EVIDENCE)


def test_one_reviewer_cannot_decide_twice_on_one_day(tmp_path: Path) -> None:
    twice = "p1,failure,{},  {} ,2026-03-14,seen\n"
    with pytest.raises(UsageError, match="lines 2 and 3 contradict each other"):
        written(tmp_path, twice.format("refractory", "Chen") + twice.format("relapsed", "chen"))
    assert len(written(tmp_path, twice.format("refractory", "Chen") * 2).rulings) == 2


@pytest.mark.parametrize("header", ["person,rule,verdict\n", HEADER.replace("rule", "rul"), ""])
def test_columns_that_are_missing_or_misspelled_are_an_error(tmp_path: Path, header: str) -> None:
    with pytest.raises(UsageError, match="column"):
        written(tmp_path, f"p1,failure,refractory,{SIGNED}\n", header=header)


def test_a_file_that_is_not_there_is_an_error_and_no_file_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_rulings(tmp_path / "missing.csv", study().study)
    assert read_rulings(None, study().study) == Rulings()
