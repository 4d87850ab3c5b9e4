"""What counts as a difference between two results, on results of a few lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter.pipeline.diff import Difference, compare
from fhir_adapter.pipeline.result_read import About, Result, read_result
from fhir_adapter.settings import Settings

Finding = dict[str, Any]


def finding(rule: str, verdict: str, *sources: str, value: object = None, **parameters: object) -> Finding:
    return {
        "rule": rule,
        "verdict": verdict,
        "value": value,
        "sentence": f"{rule} is {verdict}.",
        "steps": [],
        "sources": list(sources),
        "parameters": parameters,
    }


def result(
    people: dict[str, tuple[str, ...]],
    findings: dict[str, list[Finding]],
    estimates: list[dict[str, Any]] | None = None,
    inputs: dict[str, str] | None = None,
    **about: Any,
) -> Result:
    run = {
        "software": "fhir-adapter/0",
        "started_at": "2026-01-01T02:00:00Z",
        "source": "folder:in",
        "study": {"id": "s", "version": "1", "fingerprint": "a"},
        "parameters": {},
        "content_sha256": "c",
        **about,
    }
    told = {one: tuple(json.dumps(each).encode() for each in found) for one, found in findings.items()}
    by_key = None if estimates is None else {(one["id"], one["population"]): one for one in estimates}
    return Result("here", msgspec.convert(run, About), inputs or {}, people, told, by_key)


def one_verdict(old: Finding, new: Finding) -> Difference:
    return compare(result({"p": ("p",)}, {"p": [old]}), result({"p": ("p",)}, {"p": [new]}))


def test_a_new_version_of_a_record_that_says_the_same_changes_no_verdict() -> None:
    value = {"days": 3, "sources": {"infusion": "Procedure/a/_history/1"}, "source": "Procedure/a/_history/1"}
    later = {"days": 3, "sources": {"infusion": "Procedure/a/_history/2"}, "source": "Procedure/a/_history/2"}
    old = finding("washout", "met", "Procedure/a/_history/1", value=value)
    new = finding("washout", "met", "Procedure/a/_history/2", value=later)
    assert one_verdict(old, new).verdicts == ()


def test_another_value_under_the_same_verdict_is_a_change() -> None:
    old, new = (finding("washout", "met", value={"days": days}) for days in (3, 4))
    (change,) = one_verdict(old, new).verdicts
    assert (change.value_before, change.value_after) == ({"days": 3}, {"days": 4})
    assert (change.records, change.parameters) == ((), ())


def test_records_are_new_gone_or_of_another_version() -> None:
    old = finding("response", "PR", "Observation/a/_history/1", "Observation/b/_history/1", "Observation/d/_history/1")
    new = finding("response", "CR", "Observation/a/_history/3", "Observation/c/_history/1", "Observation/d/_history/1")
    (change,) = one_verdict(old, new).verdicts
    assert [(one.record, one.before, one.after) for one in change.records] == [
        ("Observation/a", "1", "3"),
        ("Observation/b", "1", None),
        ("Observation/c", None, "1"),
    ]


def test_an_answer_that_was_not_given_before_is_a_change() -> None:
    old, new = finding("response", "SD"), finding("endpoint.DOR", "censored")
    gained = compare(result({"p": ("p",)}, {"p": [old]}), result({"p": ("p",)}, {"p": [old, new]}))
    assert [(one.rule, one.before, one.after) for one in gained.verdicts] == [("endpoint.DOR", "", "censored")]


def test_whoever_left_is_told_once_and_not_rule_by_rule() -> None:
    stayed = [finding("eligibility", "met"), finding("failure", "relapsed"), finding("ipi", "met")]
    gone = [finding("eligibility", "not met"), finding("failure", "undetermined")]
    found = compare(result({"p": ("p",)}, {"p": stayed}), result({}, {"p": gone}))
    assert [(one.subject_id, one.after) for one in found.left] == [("p", "eligibility is not met.")]
    assert [one.rule for one in found.verdicts] == ["failure"]


def test_two_patients_that_became_one_are_told_as_such() -> None:
    eligible = [finding("eligibility", "met")]
    found = compare(result({"old": ("old",)}, {"old": eligible}), result({"new": ("new", "old")}, {"new": eligible}))
    assert [(one.subject_id, one.after) for one in found.left] == [("old", "One person with new.")]
    assert [(one.subject_id, one.before) for one in found.entered] == [("new", "One person with old.")]


def estimate(value: float | None, **more: Any) -> dict[str, Any]:
    return {"id": "os.12m", "population": "infused", "label": "OS", "value": value, "n": 12, "parameters": {}, **more}


def moved(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, ...]]:
    found = compare(result({}, {}, [old]), result({}, {}, [new])).estimates
    assert found is not None
    return [one.moved for one in found]


def test_an_estimate_moves_with_any_of_its_numbers_but_not_with_the_last_digits() -> None:
    assert moved(estimate(0.5), estimate(0.5 + 1e-14)) == []
    assert moved(estimate(0.5), estimate(0.5001)) == [("value",)]
    assert moved(estimate(None), estimate(0.5)) == [("value",)]
    assert moved(estimate(0.5), {**estimate(0.5), "n": 13}) == [("n",)]


def test_names_and_parameters_move_no_estimate() -> None:
    assert moved(estimate(0.5), {**estimate(0.5), "label": "Overall", "parameters": {"data_cut": "2025-01-01"}}) == []


def test_software_that_tells_more_moves_no_estimate() -> None:
    assert moved(estimate(0.5), estimate(0.5, suppressed=[])) == []


def test_a_statistic_that_is_not_asked_any_more_is_told() -> None:
    found = compare(result({}, {}, [estimate(0.5)]), result({}, {}, [])).estimates
    assert found is not None
    assert [(one.id, one.after) for one in found] == [("os.12m", None)]


def runs(**about: Any) -> list[str]:
    return [one.what for one in compare(result({}, {}), result({}, {}, **about)).runs]


def test_the_files_of_the_study_are_only_named_where_nothing_else_of_it_differs() -> None:
    other = {"id": "s", "version": "1", "fingerprint": "b"}
    assert runs(study=other) == ["study files"]
    assert runs(study={**other, "version": "2"}) == ["study"]
    assert runs(software="fhir-adapter/1", content_sha256="d") == ["records", "software"]


def test_a_parameter_that_only_one_of_them_knows_is_not_a_difference() -> None:
    assert runs(parameters={"new": 1}) == []
    before, after = ({"parameters": {"gap_days": days}} for days in (60, 90))
    (change,) = compare(result({}, {}, **before), result({}, {}, **after)).runs
    assert (change.what, change.before, change.after) == ("parameter gap_days", 60, 90)


def test_a_file_of_the_site_that_is_new_or_changed_is_named() -> None:
    before, after = result({}, {}, inputs={"adverse-events": "1"}), result({}, {}, inputs={"adverse-events": "2"})
    assert [(one.what, one.after) for one in compare(before, after).runs] == [("site's file adverse-events", "2")]
    assert [(one.before, one.after) for one in compare(result({}, {}), after).runs] == [(None, "2")]


def test_a_decision_of_reviewers_is_a_cause() -> None:
    old = finding("failure", "refractory", "Observation/a/_history/1")
    new = {**finding("failure", "relapsed", "Observation/a/_history/1"), "review": {"verdict": "relapsed"}}
    (change,) = one_verdict(old, new).verdicts
    assert (change.reviewed, change.records, change.parameters) == (True, (), ())
    (other,) = one_verdict(old, finding("failure", "relapsed")).verdicts
    assert not other.reviewed


def test_an_id_that_looks_like_a_formula_is_the_same_person_in_both_files(tmp_path: Path) -> None:
    for name, content in (
        ("run.json", msgspec.json.encode(result({}, {}).about).decode()),
        ("cohort/subjects.csv", "subject_id,patient_ids\n'-1,'-1;-2\n"),
        ("cohort/findings.ndjson", json.dumps({"subject_id": "-1", **finding("eligibility", "met")}) + "\n"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    read = read_result(str(tmp_path), Settings())
    assert read.people == {"-1": ("-1", "-2")}
    assert read.rules("-1")["eligibility"]["verdict"] == "met"
