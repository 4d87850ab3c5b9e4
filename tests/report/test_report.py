"""The page and its figures: complete, escaped, self-contained, and the same for the same input."""

from __future__ import annotations

import re
import xml.dom.minidom
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from study12_estimates import FLOW, START, estimates, of_nobody, row, share, study

from fhir_adapter.analysis.survival import kaplan_meier
from fhir_adapter.cohort.estimate import Endpoint, Estimate, EventTime
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.report.figures import Panel, survival_picture
from fhir_adapter.report.inputs import Material, RunFacts
from fhir_adapter.report.page import render

PFS = [28, 29, 58, 92, 140, 155, 180, 270, 274, 282, 364, 420], [0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
OS = [161, 185, 188, 223, 251, 281, 283, 284, 300, 330, 380, 426], [0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0]
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


def times(endpoint: Endpoint, days: Sequence[int], events: Sequence[int]) -> list[EventTime]:
    return [
        EventTime(
            subject_id=f"P{number}",
            endpoint=endpoint,
            start=START,
            end=START + timedelta(days=length),
            days=length,
            days_min=length,
            days_max=length,
            imputed=False,
            event=bool(event),
            reason="x",
            source="Observation/1/_history/1",
        )
        for number, (length, event) in enumerate(zip(days, events, strict=True))
    ]


def rendered(**changed: Any) -> dict[str, bytes]:
    given: dict[str, Any] = {
        "study": study(),
        "facts": FACTS,
        "estimates": estimates(),
        "times": [*times("PFS", *PFS), *times("OS", *OS)],
        "flow": FLOW,
        "ledger": LEDGER,
    }
    return render(Material(**{**given, **changed}))


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
    names = ("flow", "km", "km-os", "km-pfs", "response")
    assert set(files) == {"index.html", *(f"{name}.{kind}" for name in names for kind in ("svg", "png"))}
    assert all(files[f"{name}.png"].startswith(b"\x89PNG") for name in names)
    assert all(files[f"{name}.svg"].startswith(b"<?xml") for name in names)


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
    assert rows(text, "Baseline")["Male"] == ["6/12 (50%)", "–"]
    assert rows(text, "Baseline")["Age, median (range)"] == ["53 years (34 to 65)", "–"]
    before = rows(text, "Failure of the antibody, and washout")
    assert before["Washout, median"] == ["42 days", "8 to 172", "12", "–"]
    assert before["Refractory"] == ["8/12", "66.7%", "34.9 to 90.1", "–"]
    survival = rows(text, "Survival")
    assert survival["PFS at 12 months"] == ["54.5%", "22.9 to 78", "12", "2", "5", "–"]
    assert survival["OS at 12 months"] == ["50.5%", "7.9 to 83.2", "12", "2", "3", "–"]
    assert survival["OS, median"][0] == "not reached"


def test_the_ctcae_version_is_named() -> None:
    assert "CTCAE 5.0" in page()
    assert "CTCAE 6.0" in page(study=study(parameters={"ctcae_version": "6.0"}))


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
    half = "Half of the people were followed for less than 12 months."
    said = "What is said of 12 months rests on those who were still at risk then: PFS on 2 and OS on 2."
    assert f"{half} {said}" in page()
    assert half not in page(estimates=replaced("followup.median", value=12.5))


def test_what_cannot_be_estimated_is_listed_with_its_reason() -> None:
    text = page(estimates=replaced("os.12m", value=None, not_estimable="nobody was followed that long"))
    assert "<dt>nobody was followed that long</dt><dd>OS at 12 months</dd>" in text


def test_what_a_stream_remarked_is_among_the_notes() -> None:
    assert "<li>A note of the run.</li>" in page(remarks=["A note of the run."])


def test_an_incomplete_stream_is_a_warning_at_the_top() -> None:
    text = page(ledger=(Stream("Procedure", 10, 8, 8, complete=False, reason="two were announced and did not come"),))
    assert text.index("The records are incomplete: Procedure.") < text.index('id="question"')
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
    files = rendered(estimates=of_nobody(), times=(), flow=flow, ledger=())
    text = files["index.html"].decode("utf-8")
    assert rows(text, "Baseline")["People in the cohort"][0] == "0"
    assert "Nobody was graded." in text
    assert "Nobody is in the cohort, so nothing can be estimated." in text
    assert "OS at 12 months" in text.partition("<dt>nobody in the population</dt>")[2].partition("</dd>")[0]
    assert b"Nobody with a follow-up time: no curve." in files["km-os.svg"]
    assert files["km.png"].startswith(b"\x89PNG")
    assert "nan" not in re.sub(r"<[^>]*>", "", text).lower().split()


def test_no_estimates_at_all_still_make_a_page() -> None:
    text = page(estimates=(), flow=(), times=(), ledger=())
    assert "Nobody was examined." in text


@pytest.mark.parametrize(("days", "event"), [(0, 0), (0, 1), (1, 0), (4000, 1)])
def test_a_single_person_has_a_curve(days: int, event: int) -> None:
    files = rendered(times=times("OS", [days], [event]))
    assert b"Number at risk" in files["km-os.svg"]
    xml.dom.minidom.parseString(files["km-os.svg"])


def test_the_number_at_risk_stands_under_each_tick() -> None:
    drawn = survival_picture("os", "OS", [Panel("OS", {"": kaplan_meier(*OS)})], 30.4375)
    text = drawn.svg.decode("utf-8")
    below = text[text.index(">Number at risk") :]
    assert re.findall(r">(\d+)</text>", below) == ["12", "12", "12", "11", "8", "3", "2", "0"]


def test_groups_have_a_row_of_numbers_each_beside_the_line_of_their_curve() -> None:
    groups = {"relapsed": kaplan_meier([30, 90], [0, 1]), "refractory": kaplan_meier([20, 30, 70], [1, 0, 1])}
    text = survival_picture("os", "OS", [Panel("OS", groups)], 30.4375).svg.decode("utf-8")
    below = text[text.index(">Number at risk") :]
    assert re.findall(r">(\w+)</text>", below) == ["relapsed", "2", "1", "1", "0", "refractory", "3", "1", "1", "0"]
    assert len(set(re.findall(r"stroke-dasharray: [^;]+", text))) == 1


def test_another_curve_is_another_figure_and_only_that() -> None:
    before = rendered()
    after = rendered(times=[*times("PFS", *PFS), *times("OS", [10, 20, 30], [1, 0, 1])])
    assert before["km-pfs.svg"] == after["km-pfs.svg"]
    assert before["km-os.svg"] != after["km-os.svg"]


def test_hostile_texts_are_shown_and_never_run() -> None:
    text = page(
        study=study(title=HOSTILE, site=HOSTILE, id=HOSTILE),
        estimates=replaced("baseline.male", label=HOSTILE, not_estimable=HOSTILE),
        flow=(row(HOSTILE, HOSTILE, 1, 1, 0),),
        remarks=[HOSTILE],
        ledger=(Stream(HOSTILE, 1, 1, 1, complete=False, reason=HOSTILE),),
        facts=RunFacts(HOSTILE, HOSTILE, HOSTILE, HOSTILE),
    )
    outline = Outline(text)
    assert not {"script", "img"} & set(outline.tags)
    assert "&lt;script&gt;" in text
    assert "<script" not in text


def test_hostile_texts_in_a_figure_are_escaped_and_no_formula() -> None:
    drawn = survival_picture(HOSTILE, HOSTILE, [Panel(HOSTILE, {HOSTILE[-20:]: None})], 30.4375, words=HOSTILE)
    parsed = xml.dom.minidom.parseString(drawn.svg)
    assert not parsed.getElementsByTagName("script")
    assert not parsed.getElementsByTagName("img")
    for tag, said in (("text", HOSTILE), ("text", HOSTILE[-20:]), ("title", HOSTILE), ("desc", HOSTILE)):
        assert said in [one.firstChild.nodeValue for one in parsed.getElementsByTagName(tag) if one.firstChild]


def test_a_figure_of_the_page_brings_no_style_of_its_own_and_takes_its_colours_from_the_page() -> None:
    drawn = survival_picture("os", "OS", [Panel("OS", {"": kaplan_meier(*OS)})], 30.4375)
    outline = Outline(drawn.inline)
    assert "style" not in outline.tags
    assert "style=" not in drawn.inline
    assert not re.search(r"#[0-9a-f]{6}", drawn.inline)
    assert "var(--blue)" in drawn.inline


def test_every_figure_says_in_words_what_it_shows() -> None:
    for name, content in rendered().items():
        if name.endswith(".svg"):
            root = xml.dom.minidom.parseString(content).documentElement
            named, told = root.getAttribute("aria-labelledby"), root.getAttribute("aria-describedby")
            words = {
                one.getAttribute("id"): one.firstChild.nodeValue
                for one in root.childNodes
                if one.nodeName in ("title", "desc")
            }
            assert root.getAttribute("role") == "img"
            assert words[named]
            assert words[told]


def test_letters_that_xml_cannot_hold_do_no_harm() -> None:
    text = "\x00\x1b\ud800\u202eabc"
    drawn = survival_picture("x", text, [Panel(text, {text: None})], 30.4375, words=text)
    xml.dom.minidom.parseString(drawn.svg)
