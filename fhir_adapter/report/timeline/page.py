"""The page about one person: one HTML file with its figure, that runs nothing and asks nobody for anything."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from jinja2 import Template

from fhir_adapter.report.html import style_sheet, templates
from fhir_adapter.report.timeline.facts import Fact, facts_of
from fhir_adapter.report.timeline.figure import figure_of
from fhir_adapter.report.timeline.person import Person
from fhir_adapter.report.timeline.verdicts import headlines_of, verdicts_of


def render(person: Person) -> bytes:
    """The whole page. Equal input gives equal bytes."""
    facts = facts_of(person.subject, person.study)
    # Of a record with several values, the first row.
    rows = {str(fact.event.source): f"r{number}" for number, fact in reversed(list(enumerate(facts, 1)))}
    cut = person.study.parameters.data_cut
    page = _template().render(
        style=style_sheet(__package__),
        person=person,
        study=person.study,
        cut=cut.isoformat() if cut else "",
        belonging=person.finding("eligibility"),
        headlines=list(headlines_of(person)),
        verdicts=verdicts_of(person, rows),
        facts=facts,
        undated=[one for one in facts if not one.on],
        summary=_summary(facts),
        figure=figure_of(person, facts),
    )
    return page.encode("utf-8")


@cache
def _template() -> Template:
    return templates(__package__, px="{:.1f}".format).get_template("page.html.j2")


def _summary(facts: Sequence[Fact]) -> str:
    """What the figure shows, for those who cannot see it."""
    counts: dict[str, int] = {}
    for fact in facts:
        if fact.on:
            counts[fact.kind] = counts.get(fact.kind, 0) + 1
    told = ", ".join(f"{kind.lower()} {number}" for kind, number in sorted(counts.items()))
    days = [fact.on for fact in facts if fact.on]
    if not days:
        return "No record has a day."
    first, last = min(day.earliest for day in days), max(day.latest for day in days)
    return (
        f"Records from {first.isoformat()} to {last.isoformat()}: {told}. The table of records tells the same in words."
    )
