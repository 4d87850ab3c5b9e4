"""The page about one person: it needs nothing, runs nothing, tells everything, and never trusts a text."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import date

import msgspec
import pytest
from report.course import WHOLE, person
from report.outline import Outline

from fhir_adapter.cohort.finding import Finding, step
from fhir_adapter.cohort.review import Review, Ruling, Standing
from fhir_adapter.report.timeline.page import render
from fhir_adapter.report.timeline.person import Person

HOSTILE = "</svg></title></style><script>alert('1')</script>&\"<img src=x onerror=y>{{ 7 * 7 }}\u202e"


def page(one: Person | None = None) -> str:
    return render(one or person()).decode("utf-8")


def test_the_same_person_gives_the_same_bytes() -> None:
    assert render(person()) == render(person())


def test_the_page_needs_nothing_from_anywhere_and_runs_nothing() -> None:
    outline = Outline(page())
    assert not {"script", "link", "iframe", "object", "embed", "img", "form", "base", "foreignobject"} & set(
        outline.tags
    )
    assert all(link.startswith("#") for link in outline.links)
    assert not [name for name in outline.attributes if name.startswith("on") or name == "style"]
    assert "@import" not in page()


def test_only_our_own_style_sheet_is_allowed() -> None:
    text = page()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert policy
    assert style
    allowed = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1] == f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"


def test_the_page_is_well_formed_and_every_link_leads_somewhere() -> None:
    outline = Outline(page())
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)
    assert any(re.fullmatch(r"#r\d+", link) for link in outline.links)


def test_every_verdict_is_there_with_its_sentence_and_its_records() -> None:
    one, text = person(), page()
    said = Outline(text).said
    for finding in one.findings:
        assert finding.rule in said["code"]
        assert finding.sentence in said["p"]
        assert set(finding.sources) <= set(said["code"])


def test_every_record_is_in_the_table_in_words() -> None:
    one, outline = person(), Outline(page())
    assert sum(1 for id in outline.ids if re.fullmatch(r"r\d+", id)) == len(WHOLE.strip().splitlines()) - 1
    assert "2024-02" in outline.said["th"]
    assert "Glofitamab, given perhaps" in outline.said["td"]
    assert {str(dose.source) for dose in one.subject.doses} <= set(outline.said["code"])


def test_the_figure_has_a_title_and_says_what_it_shows() -> None:
    text = page()
    assert 'role="img" aria-labelledby="figure-title figure-summary"' in text
    assert "Course of P on one time axis" in text
    summary = Outline(text).said["desc"][0]
    assert summary.startswith("Records from 2021-02-01 to 2024-02-29: ")
    assert "assessment 5" in summary


def test_what_is_asked_first_stands_first() -> None:
    said = Outline(page()).said
    first = dict(zip(said["dt"], said["dd"], strict=True))
    assert first["Antibody failure"] == "refractory"
    assert first["Washout"] == "63 to 84 days"
    assert first["CRS"] == "grade 2"
    assert first["PFS"] == "126 days, event"


def test_somebody_outside_the_cohort_has_a_page_that_says_so() -> None:
    outside = person("2020-01-01 | dlbcl\n2023-01-09 | rituximab\n? | death")
    why = Finding(rule="eligibility", verdict="not met", sentence="Not in the cohort: no CAR-T was infused.")
    text = page(replace(outside, findings=(why, *outside.findings)))
    assert "Not in the cohort: no CAR-T was infused." in Outline(text).said["p"]
    assert ">Not in the cohort<" in text
    assert "Without a day, and therefore not drawn: Died." in text


def test_somebody_with_no_dated_record_has_a_page() -> None:
    text = page(person("? | dlbcl"))
    assert "No record has a day, so there is nothing to draw." in text
    assert "<svg" not in text


def test_a_record_after_the_cut_that_proves_life_is_named() -> None:
    text = page(person(cut="2023-12-01"))
    assert "A record after the data cut proves that the person lived at the cut: <code>Line/visit 2024-01-15" in text
    assert "proves that the person lived" not in page()


def test_hostile_texts_are_shown_and_never_run() -> None:
    one = person()
    dose = msgspec.structs.replace(one.subject.doses[0], agent=HOSTILE, unit=HOSTILE, route=HOSTILE)
    subject = one.subject.model_copy(update={"subject_id": HOSTILE, "doses": (dose, *one.subject.doses)})
    finding = Finding(
        rule=HOSTILE,
        verdict=HOSTILE,
        sentence=HOSTILE,
        steps=(step(HOSTILE, source=HOSTILE, parameter=HOSTILE),),
        sources=(HOSTILE,),
        parameters={HOSTILE: HOSTILE},
    )
    text = page(replace(one, subject=subject, findings=(*one.findings, finding)))
    outline = Outline(text)
    assert outline.open == []
    assert not {"script", "img"} & set(outline.tags)
    assert "49" not in outline.said["h1"][0]
    assert outline.said["h1"] == [HOSTILE.replace("\u202e", "\ufffd")]


def test_no_text_turns_the_page_around_or_breaks_it() -> None:
    text = "\x00\x1b\ud800\u202eabc"
    one = person()
    dose = msgspec.structs.replace(one.subject.doses[0], agent=text)
    subject = one.subject.model_copy(update={"subject_id": text, "doses": (dose, *one.subject.doses[1:])})
    shown = page(replace(one, subject=subject))
    assert not re.search("[\x00\x1b\u202e]", shown)
    assert Outline(shown).said["h1"] == ["\ufffd\ufffd\ufffd\ufffdabc"]


def test_a_reviewed_verdict_shows_both_answers_and_who_decided() -> None:
    one = person()
    ruling = Ruling(
        person="P", rule="failure", verdict="relapsed", reviewer="A. B.", on=date(2025, 3, 4), reason="PR seen", line=2
    )
    review = Review(
        by_rule="refractory",
        sentence_by_rule="BsAb-refractory: best response SD.",
        verdict="relapsed",
        standing="applied",
        records="changed",
        rulings=(ruling,),
    )
    findings = tuple(
        found.model_copy(update={"verdict": "relapsed", "review": review}) if found.rule == "failure" else found
        for found in one.findings
    )
    text = page(replace(one, findings=findings))
    assert "By the rule alone: <b>refractory</b>. BsAb-refractory: best response SD." in text
    assert "On review: <b>relapsed</b>. The records have changed since." in text
    assert "<li>relapsed by A. B. on 2025-03-04: PR seen</li>" in text
    assert 'relapsed <span class="small">on review</span>' in text


@pytest.mark.parametrize(
    ("verdict", "standing", "remark"),
    [
        ("refractory", "applied", "confirmed on review"),
        ("", "disputed", "review disputed"),
        ("relapsed", "other-definitions", "review other definitions"),
    ],
)
def test_a_review_that_changes_nothing_says_why(verdict: str, standing: Standing, remark: str) -> None:
    one = person()
    review = Review(
        by_rule="refractory", sentence_by_rule="x.", verdict=verdict, standing=standing, records="as-seen", rulings=()
    )
    findings = tuple(
        found.model_copy(update={"review": review}) if found.rule == "failure" else found for found in one.findings
    )
    assert f'refractory <span class="small">{remark}</span>' in page(replace(one, findings=findings))


def test_a_disputed_verdict_says_that_the_reviewers_differ() -> None:
    one = person()
    review = Review(
        by_rule="refractory", sentence_by_rule="x.", verdict="", standing="disputed", records="as-seen", rulings=()
    )
    findings = (one.findings[0].model_copy(update={"review": review}), *one.findings[1:])
    assert "On review: <b>the reviewers differ</b>, not applied (disputed)." in page(replace(one, findings=findings))
