"""The page and its figures: complete, escaped, self-contained, and the same for the same input."""

from __future__ import annotations

import re
import xml.dom.minidom
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import Any

import pytest
from study12_estimates import FLOW, estimates, of_nobody, row, share, study

from fhir_adapter.analysis.survival import Curve, kaplan_meier
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.report.figures import survival_svg
from fhir_adapter.report.inputs import RunFacts
from fhir_adapter.report.page import render

PFS = kaplan_meier([28, 29, 58, 92, 140, 155, 180, 270, 274, 282, 364, 420], [0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
OS = kaplan_meier([161, 185, 188, 223, 251, 281, 283, 284, 300, 330, 380, 426], [0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0])
FACTS = RunFacts("fhir-adapter 0.1.0", "http://127.0.0.1:8080/fhir", "2025-08-01T23:00:00Z", "c" * 64)
HOSTILE = "<script>alert('1')</script>&\"<img src=x onerror=y>$x_1$"
VOID = {"meta", "br", "img", "path", "use", "rect", "line"}


@dataclass(frozen=True)
class Stream:
    stream: str
    announced: int | None
    received: int
    stored: int
    duplicate: int = 0
    quarantined: int = 0
    deleted: int = 0
    complete: bool = True
    unverified: bool = False
    reason: str = ""


LEDGER = (Stream("Patient", 52, 52, 52), Stream("Observation", None, 901, 898, 2, 1, unverified=True))


def rendered(**changed: Any) -> dict[str, bytes]:
    given: dict[str, Any] = {
        "study": study(),
        "estimates": estimates(),
        "curves": {"PFS": PFS, "OS": OS},
        "flow": FLOW,
        "notes": (),
        "ledger": LEDGER,
        "facts": FACTS,
    }
    return render(**{**given, **changed})


def page(**changed: Any) -> str:
    return rendered(**changed)["index.html"].decode("utf-8")


class Outline(HTMLParser):
    """Tables by the heading they stand under, tags seen, ids, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.heading, self.cell = "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attributes)
        self.ids += [found["id"] or ""] if "id" in found else []
        if tag == "h2":
            self.heading = ""
        if tag == "tr":
            self.tables.setdefault(self.heading, []).append([])
        if tag in ("td", "th"):
            self.tables[self.heading][-1].append("")
            self.cell = True
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attributes if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.cell = False
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.heading += data
        if self.cell:
            self.tables[self.heading][-1][-1] += data


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """The rows of the tables under a heading, by their first cell."""
    return {row[0]: row[1:] for row in Outline(text).tables[heading]}


def replaced(name: str, **changes: Any) -> tuple[Estimate, ...]:
    return tuple(one.model_copy(update=changes) if one.id == name else one for one in estimates())


def test_the_page_comes_with_its_figures_as_files() -> None:
    files = rendered()
    assert sorted(files) == ["index.html", "km-os.svg", "km-pfs.svg", "km.png"]
    assert files["km.png"].startswith(b"\x89PNG")
    assert all(files[name].startswith(b"<?xml") for name in ("km-os.svg", "km-pfs.svg"))


def test_the_same_input_gives_the_same_bytes() -> None:
    assert rendered() == rendered()


def test_the_page_needs_nothing_from_anywhere_and_runs_nothing() -> None:
    text = page()
    outline = Outline(text)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert policy[1].startswith("default-src 'none';")
    assert "script-src" not in policy[1]
    assert not {"script", "link", "iframe", "object", "embed", "img", "form", "base"} & set(outline.tags)
    assert not re.search(r'\b(?:src|href)="(?!#)', re.sub(r"xmlns(:\w+)?=", "", text))
    assert "@import" not in text


def test_the_page_is_well_formed_and_no_id_is_used_twice() -> None:
    outline = Outline(page())
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))


def test_every_person_of_the_attrition_is_accounted_for() -> None:
    text = page()
    found = rows(text, "Who is in the cohort")
    assert found["with the disease of the study"] == [
        "60",
        "no diagnosis of the disease: 10; another disease: 20",
        "30",
    ]
    assert found["who were assessable at the data cut: the cohort"][-1] == "12"
    assert "Every person is accounted for." in text


@pytest.mark.parametrize(
    "flow",
    [
        (row("person", "", 10, 0, 10), row("diagnosis", "other_disease", 10, 3, 6)),
        (row("person", "", 10, 0, 10), row("diagnosis", "other_disease", 9, 3, 6)),
    ],
)
def test_an_attrition_that_does_not_add_up_is_called_a_fault(flow: Sequence[FlowRow]) -> None:
    text = page(flow=flow)
    assert "These numbers do not add up." in text
    assert "Every person is accounted for." not in text


def test_the_tables_show_what_was_published() -> None:
    text = page()
    assert rows(text, "Baseline")["Male"] == ["50%", "6/12", "21.1 to 78.9", "–", "–"]
    assert rows(text, "Baseline")["Age, median"] == ["53 years", "12", "–", "34 to 65", "–"]
    before = rows(text, "Failure of the antibody, washout, vein-to-vein time")
    assert before["Washout, median"] == ["42 days", "12", "–", "8 to 172", "–"]
    assert before["Refractory"][0] == "66.7%"
    survival = rows(text, "Survival")
    assert survival["PFS at 12 months"] == ["54.5%", "22.9 to 78", "12", "2", "5", "–"]
    assert survival["OS at 12 months"] == ["50.5%", "7.9 to 83.2", "12", "2", "3", "–"]
    assert survival["OS, median"][0] == "not reached"


def test_toxicities_are_one_row_per_term_and_name_the_ctcae_version() -> None:
    text = page()
    found = rows(text, "Toxicity")
    assert found["CRS"] == ["10/12 83.3% (51.6 to 97.9)", "0/12 0% (0 to 26.5)", "2", "–"]
    assert found["Anemia"][-1] == "1"
    assert found["D-dimer above normal"][0].startswith("5/12 41.7%")
    assert "CTCAE 5.0" in text
    assert "CTCAE 6.0" in page(study=study(parameters={"ctcae_version": "6.0"}))


def test_a_term_that_nobody_was_assessed_for_is_not_known_and_not_zero() -> None:
    nobody = share("toxicity.anemia.grade3", "toxicity", "Anemia", 0, 12, 0, 0.2646, missing=12)
    found = tuple(nobody if one.id == nobody.id else one for one in estimates())
    assert rows(page(estimates=found), "Toxicity")["Anemia"][1] == "not known"


def test_a_product_that_nobody_received_is_left_out_and_that_is_said() -> None:
    said = "Products that nobody received are not shown."
    assert said not in page()
    nobody = share("baseline.bsab_agent.glofitamab", "baseline", "Glofitamab", 0, 12, 0, 0.2646)
    text = page(estimates=tuple(nobody if one.id == nobody.id else one for one in estimates()))
    assert "Glofitamab" not in rows(text, "Baseline")
    assert said in text


def test_pfs_above_os_is_explained_as_no_error() -> None:
    assert "PFS at 12 months is above OS. This is not an error" in page()
    assert "This is not an error" not in page(estimates=replaced("os.12m", value=0.7))


def test_a_follow_up_shorter_than_the_time_point_is_said_with_what_the_estimate_rests_on() -> None:
    text = page()
    half = "OS at 12 months: half of the people were followed for less than 12 months."
    said = f"{half} The estimate rests on few: events 3, people still at risk 2."
    assert said in text
    assert said not in page(estimates=replaced("followup.median", value=12.5))


def test_what_cannot_be_estimated_is_listed_with_its_reason() -> None:
    text = page(estimates=replaced("os.12m", value=None, not_estimable="nobody was followed that long"))
    assert "<dt>nobody was followed that long</dt><dd>OS at 12 months</dd>" in text


def test_what_was_set_aside_is_counted() -> None:
    text = page(facts=replace(FACTS, contradictions=2, unmapped=5, rejected=7), notes=["A note of the run."])
    for said in ("2 contradictions between records", "5 codes or texts are not known", "7 facts could not be used"):
        assert said in text
    assert "A note of the run." in text


def test_an_incomplete_stream_is_a_warning_at_the_top() -> None:
    text = page(ledger=(Stream("Procedure", 10, 8, 8, complete=False, reason="two were announced and did not come"),))
    assert text.index("The records are incomplete: Procedure.") < text.index("What was asked")
    assert rows(text, "On what data")["Procedure"][-1] == "no: two were announced and did not come"
    assert "Every stream was received completely." not in text


def test_the_ledger_sums_and_says_what_no_server_confirmed() -> None:
    found = rows(page(), "On what data")
    assert found["Observation"] == ["–", "901", "898", "2", "1", "0", "yes, as far as can be known"]
    assert found["All"] == ["", "953", "950", "2", "1", "0", ""]


def test_a_ledger_that_does_not_balance_is_called_a_fault() -> None:
    assert "do not add up" in page(ledger=(Stream("Patient", 5, 5, 4),))


def test_all_parameters_in_force_are_listed() -> None:
    text = page(study=study(parameters={"pfs_censor": "last_contact", "data_cut": None}))
    found = rows(text, "Definitions")
    assert set(found) >= set(type(study().parameters).model_fields)
    assert found["pfs_censor"] == ["last_contact"]
    assert found["data_cut"] == ["none"]
    assert "else to the last contact" in text


@pytest.mark.parametrize("rule", ["best_response", "best_response_or_pd_within", "pd_within"])
@pytest.mark.parametrize("endpoint", [{"new_therapy": "event"}, {"km_ci": "plain", "proportion_ci": "wilson"}])
def test_every_choice_of_parameters_has_a_definition(rule: str, endpoint: dict[str, str]) -> None:
    text = page(study=study(parameters={"bsab_status_rule": rule, **endpoint}))
    assert "Refractory: " in text
    assert "{" not in re.sub(r"<style.*?</style>", "", text, flags=re.S)


def test_an_empty_cohort_still_makes_a_page_that_says_so() -> None:
    flow = tuple(row(one.step, "", 0, 0, 0) for one in FLOW)
    files = rendered(estimates=of_nobody(), curves={}, flow=flow, ledger=())
    text = files["index.html"].decode("utf-8")
    assert rows(text, "Baseline")["People in the cohort"][0] == "0"
    assert "Nobody is in the cohort, so nothing can be estimated." in text
    assert "OS at 12 months" in text.partition("<dt>nobody in the population</dt>")[2].partition("</dd>")[0]
    assert b"Nobody with a follow-up time: no curve." in files["km-os.svg"]
    assert files["km.png"].startswith(b"\x89PNG")
    assert "nan" not in re.sub(r"<[^>]*>", "", text).lower().split()


def test_no_estimates_at_all_still_make_a_page() -> None:
    text = page(estimates=(), flow=(), curves={"PFS": None, "OS": None}, ledger=())
    assert "Nobody was examined." in text


@pytest.mark.parametrize(("days", "event"), [(0, 0), (0, 1), (1, 0), (4000, 1)])
def test_a_single_person_has_a_curve(days: int, event: int) -> None:
    alone = kaplan_meier([days], [event])
    files = rendered(curves={"PFS": alone, "OS": alone})
    assert b"Number at risk" in files["km-os.svg"]
    xml.dom.minidom.parseString(files["km-os.svg"])


def test_the_number_at_risk_stands_under_each_tick() -> None:
    text = survival_svg("OS", OS, 30.4375).decode("utf-8")
    below = text[text.index("Number at risk") :]
    assert re.findall(r">(\d+)</text>", below) == ["12", "12", "12", "11", "8", "3", "2", "0"]


def test_another_curve_is_another_figure_and_only_that() -> None:
    other: Curve = kaplan_meier([10, 20, 30], [1, 0, 1])
    before, after = rendered(), rendered(curves={"PFS": PFS, "OS": other})
    assert before["km-pfs.svg"] == after["km-pfs.svg"]
    assert before["km-os.svg"] != after["km-os.svg"]


def test_hostile_texts_are_shown_and_never_run() -> None:
    text = page(
        study=study(title=HOSTILE, site=HOSTILE, id=HOSTILE),
        estimates=replaced("baseline.male", label=HOSTILE, not_estimable=HOSTILE),
        flow=(row(HOSTILE, HOSTILE, 1, 1, 0),),
        notes=[HOSTILE],
        ledger=(Stream(HOSTILE, 1, 1, 1, complete=False, reason=HOSTILE),),
        facts=RunFacts(HOSTILE, HOSTILE, HOSTILE, HOSTILE),
    )
    outline = Outline(text)
    assert not {"script", "img"} & set(outline.tags)
    assert "&lt;script&gt;" in text
    assert "<script" not in text


def test_hostile_texts_in_a_figure_are_escaped_and_no_formula() -> None:
    svg = survival_svg(HOSTILE, None, 30.4375)
    parsed = xml.dom.minidom.parseString(svg)
    assert not parsed.getElementsByTagName("script")
    assert not parsed.getElementsByTagName("img")
    shown = [one.firstChild.nodeValue for one in parsed.getElementsByTagName("text") if one.firstChild]
    assert HOSTILE in shown
