"""`results` reads a study's MeasureReports back from a server: what was published is printed again, nothing lost."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from whole_runs import Served, command, estimates, put, server_with, succeed

from fhir_adapter.publish.statistic import setting_text

REPORT_SYSTEM = "https://fhir-adapter.example.org/fhir/identifier/measure-report"


def read_back(server: str, *more: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(succeed("results", "--server", server, "--json", *more).out)
    return found


def rounded(value: object) -> object:
    """A number as it is published: six decimals, half up."""
    if not isinstance(value, float):
        return value
    return float(Decimal(repr(value)).quantize(Decimal("0.000001"), rounding=ROUND_HALF_UP))


def told(one: dict[str, Any]) -> dict[str, Any]:
    """What a report tells of a statistic of `analysis/estimates.json`."""
    parameters = {
        name: setting_text(tuple(value) if isinstance(value, list) else value)
        for name, value in one["parameters"].items()
    }
    numbers = {name: rounded(value) for name, value in one.items()}
    return {**numbers, "parameters": parameters, "endpoint": "", "label": ""}


def test_every_number_comes_back_from_the_server(served: Served) -> None:
    published = {name: told(one) for name, one in estimates(served.out).items()}
    found = {one["id"]: told(one) for report in read_back(served.sandbox.base_url) for one in report["estimates"]}
    assert {name: published[name] for name in found} == found
    assert len(found) > 50


def test_the_table_says_what_the_reports_say(served: Served) -> None:
    shown = succeed("results", "--server", served.sandbox.base_url, "--study", "bsab-cart-dlbcl").out
    assert "study bsab-cart-dlbcl, site site-01, data cut 2025-08-01, 2023-07-17 to 2025-08-01\n" in shown
    for words in ("54.5%", "not reached", "infused"):
        assert words in shown


def test_another_study_has_no_results_there(served: Served) -> None:
    shown = succeed("results", "--server", served.sandbox.base_url, "--study", "another-study").out
    assert shown == "the server holds no results of a study\n"


def test_reports_of_others_and_reports_that_are_not_valid_are_left_out(tmp_path: Path) -> None:
    theirs = {"resourceType": "MeasureReport", "id": "theirs", "status": "complete", "type": "summary"}
    theirs |= {"measure": "https://example.org/Measure/x", "period": {"start": "2024"}}
    broken = {
        **theirs,
        "id": "broken",
        "group": "[/red]",
        "identifier": [{"system": REPORT_SYSTEM, "value": "a.b.c.d"}],
    }
    with server_with([]) as sandbox:
        put(sandbox.base_url, theirs)
        put(sandbox.base_url, broken)
        assert succeed("results", "--server", sandbox.base_url).out.splitlines() == [
            "the server holds no results of a study",
            "1 MeasureReports there are not valid and were left out",
        ]
        assert read_back(sandbox.base_url) == []


def test_hostile_words_in_a_report_are_shown_as_words(tmp_path: Path) -> None:
    code = {"system": "https://fhir-adapter.example.org/fhir/CodeSystem/statistic", "code": "x"}
    said = {"url": "method", "valueCode": "median"}
    group = {
        "code": {"coding": [code], "text": "[/red]\x1b[31m{x}"},
        "extension": [
            {"url": "https://fhir-adapter.example.org/fhir/StructureDefinition/statistic", "extension": [said]}
        ],
        "measureScore": {"value": 7},
    }
    report = {"resourceType": "MeasureReport", "id": "r", "status": "complete", "type": "summary", "group": [group]}
    report |= {"measure": "https://example.org/Measure/x", "period": {"start": "2024"}}
    report |= {"identifier": [{"system": REPORT_SYSTEM, "value": "a.b.c.d"}]}
    with server_with([]) as sandbox:
        put(sandbox.base_url, report)
        shown = succeed("results", "--server", sandbox.base_url).out
    assert "[/red]?[31m{x}" in shown


def test_without_a_server_there_is_nothing_to_read() -> None:
    ended = command("results")
    assert (ended.code, "--server" in ended.err) == (2, True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/fhir"])
def test_a_server_that_is_not_there_is_said_to_be_so(url: str) -> None:
    assert command("results", "--server", url, "--json").code == 4
