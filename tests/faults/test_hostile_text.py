"""Numbers 83 and 84: texts that are code somewhere else."""

from __future__ import annotations

import csv
import re
import unicodedata
import xml.dom.minidom
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from front import changed
from served_hospital import Hospital
from whole_runs import Ran, Resource, bundles, command, resources, succeed, write_ndjson

HOSTILE = (
    "<script>alert(1)</script> </script> \" onload=\"alert(1) ' onerror='x $\\frac{1}$ [/red] [link=x]y[/link] "
    "\x1b[31mred\x1b]0;title\x07 \x9b2J \u202ertl\u2066 {{ 7*7 }} %s"
)
FORMULAS = ("=cmd|' /C calc'!A0", "+1", "@SUM(A1)", "-1+1", "\t=1", "\r=1", " =1")


def each_text(value: Any, change: Any, key: str = "") -> Any:
    """The same resource with every text for people changed."""
    if isinstance(value, dict):
        return {name: each_text(inner, change, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [each_text(inner, change, key) for inner in value]
    return change(value) if key in ("display", "text", "family") and isinstance(value, str) else value


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A whole run about a patient in whose record every text is hostile."""
    home = tmp_path_factory.mktemp("hostile")
    found = [each_text(one, lambda text: f"{text} {HOSTILE}") for one in resources(bundles("SYN-12", "shared"))]
    write_ndjson(home / "in" / "Patient.ndjson", found)
    return Ran(succeed("run", "--folder", home / "in", "--out", home / "out"), home / "out")


class Tags(HTMLParser):
    """The tags of a page and the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, set[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, {name for name, _ in attrs}))


def commands_a_terminal(text: str) -> list[str]:
    """Characters that a terminal does not show but obeys: control characters, and those that turn the direction."""
    return [one for one in text if one not in "\n\t" and unicodedata.category(one) in ("Cc", "Cf")]


def test_83a_hostile_texts_in_the_report(hostile: Ran) -> None:
    """Displays with `<script>`, `</script>`, `" onload=`, `$\\frac$`: no script and no handler in HTML or SVG."""
    assert "<script>" in (hostile.out / "cohort" / "doses.csv").read_text("utf-8")
    for page in (hostile.out / "report").rglob("*.html"):
        tags = Tags(page.read_text("utf-8")).seen
        assert "script" not in {tag for tag, _ in tags}
        assert not [name for _, names in tags for name in names if name.startswith("on")]
    figures = list((hostile.out / "report").rglob("*.svg"))
    assert figures
    assert not [one for one in figures if xml.dom.minidom.parse(str(one)).getElementsByTagName("script")]


def test_83b_hostile_texts_on_the_screen(hostile: Ran) -> None:
    """Displays with `[/red]`, ANSI escapes, a right-to-left override: the terminal is told none of it as a command."""
    told = hostile.ended.told + "".join(
        succeed(*line, "--out", hostile.out).told
        for line in (("explain", "SYN-12"), ("explain", "SYN-12", "--json"), ("status",))
    )
    assert commands_a_terminal(told) == []


def test_83c_hostile_texts_of_the_server_itself(hospital: Hospital) -> None:
    """A CapabilityStatement with such names: `check` and `fetch` show none of it as a command."""

    def named(statement: dict[str, Any]) -> None:
        statement["software"] = {"name": HOSTILE, "version": HOSTILE}
        statement["implementation"] = {"description": HOSTILE}

    def is_metadata(asked: Any) -> bool:
        return str(asked.request.target).endswith("/metadata")

    hospital.front.when(is_metadata, changed(named), for_ever=True)
    checked = command("check", "--server", hospital.front.base_url)
    fetched = hospital.fetch()
    assert (checked.code, fetched.ended.code) == (0, 0)
    assert commands_a_terminal(checked.told + fetched.ended.told) == []


def test_84_texts_that_a_spreadsheet_would_run(tmp_path: Path) -> None:
    """Displays `=cmd|' /C calc'!A0`, `+1`, `@x`, TAB and `=`: an apostrophe before them in every CSV."""
    doses = [one for one in resources(bundles("SYN-12")) if one["resourceType"] == "MedicationAdministration"]
    others = [one for one in resources(bundles("SYN-12", "shared")) if one not in doses]
    given = [_named(one, FORMULAS[place % len(FORMULAS)]) for place, one in enumerate(doses)]
    unknown = _unknown("Observation") | {"code": {"text": FORMULAS[0]}}
    write_ndjson(tmp_path / "in" / "Patient.ndjson", [*others, *given, unknown])
    succeed("fetch", "--folder", tmp_path / "in", "--out", tmp_path / "out")
    succeed("analyze", "--out", tmp_path / "out")
    cells = list(_cells(tmp_path / "out"))
    assert [cell for cell in cells if _is_run(cell)] == []
    assert {f"'{one}".replace("\r", "\n") for one in FORMULAS} <= set(cells)


def _named(dose: Resource, label: str) -> Resource:
    if "medicationCodeableConcept" not in dose:
        return dose
    (coding,) = dose["medicationCodeableConcept"]["coding"]
    return dose | {"medicationCodeableConcept": {"coding": [coding | {"display": label}]}}


def _unknown(type: str) -> Resource:
    about = {"subject": {"reference": "Patient/SYN-12"}, "effectiveDateTime": "2025-02-15"}
    return {"resourceType": type, "id": "unknown", "status": "final", **about}


def _cells(out: Path) -> Iterator[str]:
    for table in sorted([*(out / "cohort").glob("*.csv"), *(out / "analysis").glob("*.csv")]):
        with table.open(encoding="utf-8", newline="") as opened:
            for row in csv.reader(opened):
                yield from row


def _is_run(cell: str) -> bool:
    """Would a spreadsheet take this cell for a formula? Numbers are numbers."""
    return re.match(r"\s*[=+\-@]|[\t\r]", cell) is not None and re.fullmatch(r"-?\d+(\.\d+)?", cell) is None
