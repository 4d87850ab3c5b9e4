"""What reviewers decided, through the whole command: counted, shown beside the rule, flagged when records change."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from whole_runs import Ended, bundles, command, resources, succeed, write_ndjson

HEADER = "person,rule,verdict,reviewer,date,reason,evidence\n"


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fetched folder with two people of the study: SYN-04 is refractory, SYN-05 is not."""
    home = tmp_path_factory.mktemp("reviewed")
    write_ndjson(home / "in" / "all.ndjson", resources(bundles("SYN-04", "SYN-05")))
    succeed("fetch", "--folder", home / "in", "--out", home / "out")
    return home


def built(home: Path, lines: str, verb: str = "build", name: str = "adjudication.csv") -> Ended:
    file, config = home / name, home / "site.toml"
    file.write_text(HEADER + lines, "utf-8")
    config.write_text(f'adjudication = "{file}"\n', "utf-8")
    return command(verb, "--out", home / "out", "--config", config)


def rows(home: Path, name: str) -> list[dict[str, str]]:
    with (home / "out" / "cohort" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def subject(home: Path, id: str) -> dict[str, str]:
    return next(row for row in rows(home, "subjects.csv") if row["subject_id"] == id)


def finding(home: Path, id: str, rule: str) -> dict[str, Any]:
    lines = (home / "out" / "cohort" / "findings.ndjson").read_text("utf-8").splitlines()
    found = (json.loads(line) for line in lines)
    return next(one for one in found if (one["subject_id"], one["rule"]) == (id, rule))


def about_run(home: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((home / "out" / "run.json").read_bytes())
    return told


def traced(home: Path) -> str:
    """What the published documents were made from, as their Provenance tells."""
    return (home / "out" / "publish" / "Provenance.json").read_text("utf-8")


def other(verdict: str) -> str:
    return "relapsed" if verdict == "refractory" else "refractory"


@pytest.fixture(scope="module")
def by_rule(fetched: Path) -> dict[str, str]:
    """The failure of each person as the rule says, and the evidence it rests on."""
    assert built(fetched, "").code == 0
    return {id: finding(fetched, id, "failure")["verdict"] for id in ("SYN-04", "SYN-05")}


def test_both_verdicts_are_shown_everywhere(fetched: Path, by_rule: dict[str, str]) -> None:
    """One decision overrules, one confirms; the statistics follow, and run.json tells numbers alone."""
    evidence = finding(fetched, "SYN-04", "failure")["evidence"]
    mine, same = other(by_rule["SYN-04"]), by_rule["SYN-05"]
    lines = (
        f"SYN-04,failure,{mine},Dr Marchetti,2026-03-14,the PET of May,{evidence}\n"
        f"SYN-05,failure,{same},Dr Marchetti,2026-03-14,agreed,\n"
    )
    ended = built(fetched, lines, "publish")
    assert ended.code == 0, ended.told
    assert "2 decisions of reviewers: 2 applied" in ended.out
    row = subject(fetched, "SYN-04")
    assert (row["bsab_failure"], row["bsab_failure_by_rule"]) == (mine, by_rule["SYN-04"])
    assert (row["adjudicated"], row["adjudication_flags"]) == ("failure", "")
    assert subject(fetched, "SYN-05")["adjudication_flags"] == "failure:records-not-recorded"
    told = finding(fetched, "SYN-04", "failure")
    assert (told["verdict"], told["review"]["by_rule"]) == (mine, by_rule["SYN-04"])
    assert [one["state"] for one in rows(fetched, "adjudication.csv")] == ["applied", "applied"]
    explained = command("explain", "SYN-04", "--out", fetched / "out").out
    assert f"On review {mine} by Dr Marchetti on 2026-03-14 (the PET of May)." in explained
    assert f"The rule alone says {by_rule['SYN-04']}" in explained
    estimates = json.loads((fetched / "out" / "analysis" / "estimates.json").read_bytes())
    counted = {one["id"]: one["numerator"] for one in estimates}
    assert counted[f"failure.{mine}"] == [mine, same].count(mine)
    agreed = {one["id"]: one for one in json.loads((fetched / "out" / "analysis" / "agreement.json").read_bytes())}
    assert (agreed["agreement.failure.agreed"]["numerator"], agreed["agreement.failure.agreed"]["denominator"]) == (
        1,
        2,
    )
    page = (fetched / "out" / "report" / "index.html").read_text("utf-8")
    assert "Human judgement" in page
    assert "Marchetti" not in page
    run = (fetched / "out" / "run.json").read_text("utf-8")
    assert "SYN-04" not in run
    assert "Marchetti" not in run
    assert about_run(fetched)["asked"]["adjudication"]["sha256"] in traced(fetched)
    counts = about_run(fetched)["adjudication"]
    assert (counts["lines"], counts["findings_overridden"], counts["findings_confirmed"]) == (2, 1, 1)


def test_an_excluded_person_leaves_and_the_attrition_says_why(fetched: Path) -> None:
    ended = built(fetched, "SYN-05,eligibility,not met,Dr Marchetti,2026-03-14,another trial,\n")
    assert ended.code == 0, ended.told
    assert "1 decision of reviewers: 1 applied" in ended.out
    assert [row["subject_id"] for row in rows(fetched, "subjects.csv")] == ["SYN-04"]
    (left,) = (row for row in rows(fetched, "flow.csv") if row["reason"] == "excluded_on_review")
    assert (left["step"], left["n_out"]) == ("assessable", "1")


def test_reviewers_who_differ_change_nothing_and_the_report_says_so(fetched: Path, by_rule: dict[str, str]) -> None:
    lines = "SYN-04,failure,relapsed,A,2026-03-14,x,\nSYN-04,failure,refractory,B,2026-03-14,y,\n"
    ended = built(fetched, lines, "report")
    assert ended.code == 0, ended.told
    row = subject(fetched, "SYN-04")
    assert (row["bsab_failure"], row["adjudication_flags"]) == (by_rule["SYN-04"], "failure:disputed")
    page = (fetched / "out" / "report" / "index.html").read_text("utf-8")
    assert page.index("need another look") < page.index('id="question"') < page.index("because the reviewers differ")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("SYN-04,failure,relapsed,Dr M,2026-03-14,seen,\nNOBODY-1,failure,relapsed,Dr M,2026-03-14,seen,", "line 3"),
        ("SYN-04,failed,relapsed,Dr M,2026-03-14,seen,", "line 2"),
        ("SYN-04,failure,worse,Dr M,2026-03-14,seen,", "line 2"),
    ],
)
def test_an_unknown_person_rule_or_verdict_ends_the_run_before_anything_is_written(
    fetched: Path, line: str, why: str
) -> None:
    assert built(fetched, "").code == 0
    before = (fetched / "out" / "run.json").read_bytes()
    ended = built(fetched, f"{line}\n", name="wrong.csv")
    assert ended.code == 2
    assert why in ended.err
    assert "NOBODY" not in ended.told
    assert "SYN-04" not in ended.told
    assert (fetched / "out" / "run.json").read_bytes() == before


def test_a_line_is_opened_filled_in_and_counts_as_seen(fetched: Path, by_rule: dict[str, str]) -> None:
    file = fetched / "opened.csv"
    for _ in range(2):  # the second time the waiting line is found again
        ended = succeed("adjudicate", "SYN-04", "bsab_failure", "--adjudication", file, "--out", fetched / "out")
        assert "line 2: fill in verdict" in ended.out
        assert "relapsed, refractory, undetermined" in ended.out
    (waiting,) = csv.DictReader(file.open(encoding="utf-8", newline=""))
    assert (waiting["person"], waiting["rule"], waiting["verdict"]) == ("SYN-04", "failure", "")
    assert file.stat().st_mode & 0o777 == 0o600
    filled = waiting | {"verdict": other(by_rule["SYN-04"]), "reviewer": "A", "date": "2026-03-14", "reason": "x"}
    assert built(fetched, ",".join(filled.values()) + "\n").code == 0
    assert finding(fetched, "SYN-04", "failure")["review"]["records"] == "as-seen"


def test_a_line_is_appended_in_the_order_of_the_columns_that_are_there(fetched: Path) -> None:
    file = fetched / "ordered.csv"
    file.write_text("rule,evidence,person,verdict,reviewer,date,reason\nresponse,,SYN-05,,,,", "utf-8")
    succeed("adjudicate", "SYN-04", "response", "--adjudication", file, "--out", fetched / "out")
    found = list(csv.DictReader(file.open(encoding="utf-8", newline="")))
    assert [(one["person"], one["rule"]) for one in found] == [("SYN-05", "response"), ("SYN-04", "response")]


@pytest.mark.parametrize(
    ("patient", "rule"), [("NOBODY-1", "failure"), ("SYN-04", "washout"), ("SYN-04", "toxicity.icaht-early")]
)
def test_what_cannot_be_decided_opens_no_line(fetched: Path, patient: str, rule: str) -> None:
    file = fetched / f"none-{patient}-{rule}.csv"
    ended = command("adjudicate", patient, rule, "--adjudication", file, "--out", fetched / "out")
    assert ended.code == 2
    assert not file.exists()


def test_without_a_file_there_is_nothing_to_write_to(fetched: Path, tmp_path: Path) -> None:
    write_ndjson(tmp_path / "in" / "all.ndjson", resources(bundles("SYN-04")))
    succeed("fetch", "--folder", tmp_path / "in", "--out", tmp_path / "out")
    ended = command("adjudicate", "SYN-04", "failure", "--out", tmp_path / "out")
    assert ended.code == 2
    assert "--adjudication" in ended.err


def test_a_decision_survives_a_changed_record_and_is_flagged(tmp_path: Path) -> None:
    """Night after night: the record is corrected on the server, the decision stays and asks for another look."""
    records = resources(bundles("SYN-04"))
    write_ndjson(tmp_path / "in" / "all.ndjson", records)
    succeed("fetch", "--folder", tmp_path / "in", "--out", tmp_path / "out")
    assert built(tmp_path, "").code == 0
    told = finding(tmp_path, "SYN-04", "failure")
    verdict = other(told["verdict"])
    line = f"SYN-04,failure,{verdict},A,2026-03-14,seen,{told['evidence']}\n"
    source = next(one for one in told["sources"] if one.startswith("Observation/")).split("/")[1]
    changed = [
        one | {"meta": {**one["meta"], "versionId": "2"}, "note": [{"text": "read again"}]}
        if one["id"] == source
        else one
        for one in records
    ]
    assert changed != records
    write_ndjson(tmp_path / "in" / "all.ndjson", changed)
    succeed("fetch", "--folder", tmp_path / "in", "--out", tmp_path / "out")
    assert built(tmp_path, line, "report").code == 0
    row = subject(tmp_path, "SYN-04")
    assert (row["bsab_failure"], row["adjudication_flags"]) == (verdict, "failure:records-changed")
    assert about_run(tmp_path)["adjudication"]["findings_on_changed_records"] == 1
    assert "please look again" in (tmp_path / "out" / "report" / "index.html").read_text("utf-8")
