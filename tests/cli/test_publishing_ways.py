"""Publishing in other ways: foreseen, in the shape of DEQM, under the site's own base, about single people."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from whole_runs import Ended, Ran, Served, bundles, command, files, server_with, succeed, tree

from fhir_adapter.fhir.canonical import Json
from fhir_adapter.sandbox import service
from fhir_adapter.sandbox.capability import capability_statement

FAMILIES = 13


@pytest.fixture(scope="module")
def two_people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with two people of the study, fetched and not yet published to."""
    out = tmp_path_factory.mktemp("ways") / "out"
    with server_with(bundles("SYN-01", "SYN-10", "shared")) as sandbox:
        yield Served(succeed("fetch", "--server", sandbox.base_url, "--out", out), out, sandbox)


@pytest.fixture
def fetched(two_people: Served, tmp_path: Path) -> Ran:
    """The same, in an output folder of its own."""
    out = tmp_path / "out"
    shutil.copytree(two_people.out, out, symlinks=True)
    return Ran(two_people.ended, out)


def publish(ran: Ran, *more: object) -> Ended:
    return succeed("publish", "--out", ran.out, *more)


def documents(ran: Ran, type: str) -> list[dict[str, object]]:
    return [json.loads(body) for name, body in files(ran.out, "publish").items() if name.startswith(f"publish/{type}-")]


def test_a_dry_run_names_every_entry_and_writes_nothing_anywhere(two_people: Served, fetched: Ran) -> None:
    repository = two_people.sandbox.service.repository
    before = (tree(fetched.out), len(repository.find("MeasureReport", ())))
    ended = publish(fetched, "--server", two_people.sandbox.base_url, "--dry-run")
    lines = ended.out.splitlines()
    assert sum(line.startswith("new        MeasureReport/bsab-cart-dlbcl.site-01.") for line in lines) == FAMILIES
    assert lines[-1].endswith(f"would get: {2 * FAMILIES} new, 0 changed, 0 unchanged")
    assert (tree(fetched.out), len(repository.find("MeasureReport", ()))) == before


def test_after_publishing_a_dry_run_finds_nothing_to_do_and_then_what_a_parameter_changes(fetched: Ran) -> None:
    with server_with([]) as elsewhere:
        to = ("--publish-to", elsewhere.base_url)
        publish(fetched, *to)
        assert f"0 new, 0 changed, {2 * FAMILIES} unchanged" in publish(fetched, *to, "--dry-run").out
        ended = publish(fetched, *to, "--dry-run", "--set", "proportion_ci=wilson")
    changed = re.findall(r"^changed    MeasureReport/bsab-cart-dlbcl\.site-01\.([a-z-]+)\.", ended.out, re.MULTILINE)
    assert changed == ["baseline", "bsab-failure", "crs-icans", "laboratory-toxicity", "response"]
    assert "(version 1 is there)" in ended.out
    assert re.search(r"^ +group\[\d\]\.extension\[0\]\.extension\[\d\]\.value", ended.out, re.MULTILINE)


def test_a_dry_run_without_a_server_says_that_nothing_would_be_sent(fetched: Ran) -> None:
    ended = command("publish", "--out", fetched.out, "--dry-run")
    assert (ended.code, "nothing would be sent" in ended.err) == (2, True)


def test_reports_in_the_shape_of_deqm_say_the_same_when_they_are_read_back(fetched: Ran) -> None:
    told = []
    for more in ((), ("--deqm",)):
        with server_with([]) as elsewhere:
            publish(fetched, "--publish-to", elsewhere.base_url, *more)
            told.append(json.loads(succeed("results", "--server", elsewhere.base_url, "--json").out))
    assert told[0] == told[1]
    assert len(told[0]) == FAMILIES
    assert "summary-measurereport-deqm" in json.dumps(documents(fetched, "MeasureReport"))


def test_a_site_publishes_under_its_own_base_and_reads_back_from_it(fetched: Ran, tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    config.write_text('canonical = "https://hospital.example/fhir"\n')
    with server_with([]) as elsewhere:
        publish(fetched, "--config", config, "--publish-to", elsewhere.base_url)
        ours = json.loads(succeed("results", "--config", config, "--server", elsewhere.base_url, "--json").out)
        theirs = json.loads(succeed("results", "--server", elsewhere.base_url, "--json").out)
    assert (len(ours), theirs) == (FAMILIES, [])
    assert all(one["estimates"] for one in ours if one["family"] != "attrition")
    assert {str(one["url"]).rpartition("/")[0] for one in documents(fetched, "Measure")} == {
        "https://hospital.example/fhir/Measure"
    }


def test_a_base_that_is_no_address_is_refused(fetched: Ran, tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    config.write_text('canonical = "https://hospital.example/fhir/"\n')
    ended = command("publish", "--out", fetched.out, "--config", config)
    assert (ended.code, "canonical" in ended.err) == (2, True)


def test_reports_about_single_people_are_made_only_on_request(two_people: Served, fetched: Ran) -> None:
    publish(fetched)
    assert {one["type"] for one in documents(fetched, "MeasureReport")} == {"summary"}
    publish(fetched, "--individual")
    single = [one for one in documents(fetched, "MeasureReport") if one["type"] == "individual"]
    assert len(single) == 2 * (FAMILIES - 1)
    subjects = [one["subject"] for one in single]
    assert all({"reference": f"Patient/{id}"} in subjects for id in ("SYN-01", "SYN-10"))
    told = (fetched.out / "run.json").read_text() + "".join(str(one["identifier"]) for one in single)
    assert "SYN-" not in told
    publish(fetched)
    assert {one["type"] for one in documents(fetched, "MeasureReport")} == {"summary"}


def test_a_report_about_one_person_names_its_records_at_their_version(two_people: Served, fetched: Ran) -> None:
    publish(fetched, "--individual")
    named: set[str] = set()
    for report in documents(fetched, "MeasureReport"):
        references = [one["reference"] for one in report.get("evaluatedResource", ())]  # type: ignore[attr-defined]
        assert bool(references) <= (report["type"] == "individual")
        named.update(references)
    assert named
    repository = two_people.sandbox.service.repository
    for reference in named:
        type, id, history, version = reference.split("/")
        assert history == "_history"
        assert version in {str(one.number) for one in repository.find(type, ()) if one.id == id}


def test_a_report_about_one_person_is_told_in_words(two_people: Served, fetched: Ran) -> None:
    publish(fetched, "--individual")
    single = [one for one in documents(fetched, "MeasureReport") if one["type"] == "individual"]
    texts = [str(one["text"]) for one in single if "SYN-10" in str(one["subject"])]
    assert len(texts) == FAMILIES - 1
    for row in (
        "<td>Refractory</td><td>yes</td>",
        "<td>CRS, worst grade</td><td>1</td>",
        "<td>Washout, median</td><td>30 days</td>",
        "<td>Overall survival, median</td><td>7.3 months, censored</td>",
        "<td>Progression-free survival, median</td><td>5.1 months, event</td>",
        "<td>Follow-up, reverse Kaplan-Meier</td><td>told of the cohort only</td>",
    ):
        assert sum(row in text for text in texts) == 1, row
    assert "SYN-" not in "".join(texts)


def test_reports_about_single_people_go_to_no_other_server(two_people: Served, fetched: Ran) -> None:
    with server_with([]) as elsewhere:
        ended = command("publish", "--out", fetched.out, "--individual", "--publish-to", elsewhere.base_url)
        assert (ended.code, "single people" in ended.err) == (2, True)
        assert len(elsewhere.service.repository.find("MeasureReport", ())) == 0


def test_reports_about_single_people_can_go_home(two_people: Served, fetched: Ran) -> None:
    home = ("--server", two_people.sandbox.base_url)
    ended = publish(fetched, *home, "--individual", "--dry-run")
    assert f"{2 * (FAMILIES - 1) + 2 * FAMILIES} new" in ended.out
    assert "SYN-" not in ended.told


@pytest.mark.parametrize(("version", "score"), [("4.3.0", "measureScore"), ("5.0.0", "measureScoreQuantity")])
def test_a_server_of_a_later_release_gets_evidence_beside_the_reports_once(
    fetched: Ran, monkeypatch: pytest.MonkeyPatch, version: str, score: str
) -> None:
    def later(base: str, types: Sequence[str]) -> dict[str, Json]:
        return {**capability_statement(base, types), "fhirVersion": version}

    monkeypatch.setattr(service, "capability_statement", later)
    with server_with([]) as elsewhere:
        publish(fetched, "--publish-to", elsewhere.base_url)
        evidence = elsewhere.service.repository.find("Evidence", ())
        reports = elsewhere.service.repository.find("MeasureReport", ())
        again = publish(fetched, "--publish-to", elsewhere.base_url).out
        read = json.loads(succeed("results", "--server", elsewhere.base_url, "--json").out)
    assert sum(len(one["estimates"]) for one in read) > len(evidence)
    assert len(evidence) == len(documents(fetched, "Evidence")) > 100
    assert {name for one in reports for group in one.resource["group"] for name in group if "Score" in name} == {score}
    assert " 0 documents sent" in again
