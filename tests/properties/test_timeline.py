"""Whatever the records of a person are, and however vague: all of them are on the page and in its figure."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from properties.vague_tables import EVERYTHING, WHOLE, tables
from report.course import person
from report.outline import Outline

from fhir_adapter.cohort.subject import EVENT_FIELDS
from fhir_adapter.report.timeline.facts import facts_of
from fhir_adapter.report.timeline.figure import LABELS, WIDTH, figure_of
from fhir_adapter.report.timeline.page import render

_CUTS = st.sampled_from([None, "2023-09-15", "2024-06-01", "2030-01-01"])
_PEOPLE = tables(EVERYTHING, most=10, fixed=WHOLE) | tables(EVERYTHING, most=4)


@given(_PEOPLE, _CUTS)
def test_every_record_with_a_day_is_drawn_within_the_figure(table: tuple[str, str], cut: str | None) -> None:
    one = person(table[0], cut=cut)
    facts = facts_of(one.subject, one.study)
    drawn = figure_of(one, facts)
    marks = [mark for row in drawn.rows for mark in row.marks]
    points = [point for row in drawn.rows if row.panel for point in row.panel.points]
    bands = [band for row in drawn.rows if row.panel for band in row.panel.bands]
    told = "".join([*(mark.mark.tells for mark in marks), *(point.tells for point in points)])
    assert [fact.tells for fact in facts if fact.on and fact.tells not in told] == []
    assert all(LABELS <= mark.left <= mark.right <= WIDTH for mark in marks)
    assert all(LABELS <= point.left <= point.x <= point.right <= WIDTH for point in points)
    assert all(band.width >= 0 and band.height >= 0 for band in bands)


@settings(max_examples=25)
@given(_PEOPLE, _CUTS)
def test_the_page_is_whole_and_every_verdict_and_record_is_on_it(table: tuple[str, str], cut: str | None) -> None:
    one = person(table[0], cut=cut)
    outline = Outline(render(one).decode("utf-8"))
    assert outline.open == []
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)
    assert {finding.sentence for finding in one.findings} <= set(outline.said["p"])
    records = {str(event.source) for name in EVENT_FIELDS for event in getattr(one.subject, name)}
    assert records <= set(outline.said.get("code", ()))
