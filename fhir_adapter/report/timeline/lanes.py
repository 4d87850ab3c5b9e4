"""What is drawn above one another along the axis: lanes of marks, still in days and not in pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from fhir_adapter.cohort import events
from fhir_adapter.cohort.finding import Lines, Span
from fhir_adapter.cohort.response_system import UNSPECIFIED
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.report.timeline.facts import SCORES, Fact, grade
from fhir_adapter.report.timeline.person import Person

Shape = Literal["dose", "line", "length", "chip", "collection", "infusion", "tick"]
"""What a mark looks like; a `length` runs from one day to another, everything else fills its days."""

Ending = Literal["", "event", "censored"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that was on a day, or from a day until another.

    `tells` is said to whoever points at it, `text` is written on it. `faint` marks do not count, or only perhaps.
    `end` says how a length ends: with an `event`, `censored`, or just so.
    """

    on: PartialDate
    shape: Shape
    tells: str
    text: str = ""
    tone: str = "plain"
    until: PartialDate | None = None
    faint: bool = False
    end: Ending = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of the figure, under the heading of its `section`."""

    section: str
    name: str
    marks: tuple[Mark, ...]


def lanes_of(person: Person, facts: Sequence[Fact]) -> tuple[Lane, ...]:
    """The lanes that have something to show, in the order in which a course is told."""
    dated = [one for one in facts if one.on]
    kinds = {one.code: str(one.kind) for one in person.study.responses.categories}
    found = (
        Lane("Course", "Diagnosis, death", _chips(dated, _course)),
        Lane("Course", "Known alive", _ticks(dated, events.Contact)),
        Lane("Treatment", "Lines of therapy", tuple(_lines(person))),
        *_drugs(person, dated),
        Lane("Treatment", "Cells", tuple(_cells(dated))),
        Lane("Treatment", "Other treatment", _chips(dated, _treatment)),
        Lane("Treatment", "Transfusions", _ticks(dated, events.Transfusion)),
        Lane("Disease", "Response", _chips(dated, lambda event: _response(event, kinds))),
        Lane("Disease", "State of disease", tuple(_state(dated))),
        Lane("Toxicity", "Adverse events", _chips(dated, _toxicity)),
        *_before_infusion(person),
        *_endpoints(person),
    )
    return tuple(lane for lane in found if lane.marks)


Chip = tuple[str, str] | None
"""What a chip says, and its tone."""


def _chips(facts: Iterable[Fact], chip: Callable[[events.Event], Chip]) -> tuple[Mark, ...]:
    """A chip for every record that `chip` has words for."""
    said = ((fact, chip(fact.event)) for fact in facts)
    return tuple(
        Mark(fact.on, "chip", fact.tells, words[0], words[1], faint=not fact.counts)
        for fact, words in said
        if words and fact.on
    )


def _course(event: events.Event) -> Chip:
    match event:
        case events.Diagnosis():
            return "diagnosed", "plain"
        case events.Decision():
            return "decided", "plain"
        case events.Death():
            return "died", "dead"
    return None


def _treatment(event: events.Event) -> Chip:
    if not isinstance(event, events.Therapy):
        return None
    known = {"autologous-hct": "auto-HCT", "allogeneic-hct": "allo-HCT"}
    return known.get(event.kind, event.kind.replace("-", " ")), "plain"


def _response(event: events.Event, kinds: Mapping[str, str]) -> Chip:
    """Colour is never alone: the chip says the category as well."""
    if not isinstance(event, events.Assessment):
        return None
    return ("better" if event.category == UNSPECIFIED else event.category), kinds.get(event.category, "not-evaluable")


def _toxicity(event: events.Event) -> Chip:
    if not isinstance(event, events.AdverseEvent):
        return None
    term = event.term.upper() if len(event.term) < 6 else event.term.replace("-", " ")
    return f"{term} {grade(event)}", f"g{event.grade_max}" if event.grade is not None else "not-evaluable"


def _ticks(facts: Iterable[Fact], kind: type[events.Event]) -> tuple[Mark, ...]:
    return tuple(Mark(one.on, "tick", one.tells) for one in facts if isinstance(one.event, kind) and one.on)


def _cells(facts: Iterable[Fact]) -> Iterator[Mark]:
    """Collections and infusions; several records of one infusion share a sign."""
    infused: dict[PartialDate, list[str]] = {}
    for fact in facts:
        match fact.event:
            case events.Collection(on=PartialDate() as on, ended=ended, succeeded=succeeded):
                text = "collected" if succeeded else "failed"
                yield Mark(on, "collection", fact.tells, text, "cells", ended, faint=not succeeded)
            case events.Infusion(on=PartialDate() as on):
                infused.setdefault(on, []).append(fact.tells)
    for on, told in infused.items():
        yield Mark(on, "infusion", "; ".join(told), "CAR-T", "infusion")


def _drugs(person: Person, facts: Sequence[Fact]) -> Iterator[Lane]:
    """One lane for every drug since the antibody began, the antibodies first; the earlier ones share a lane."""
    by_agent: dict[str, list[Mark]] = {}
    for fact in facts:
        if isinstance(fact.event, events.Dose) and fact.on:
            by_agent.setdefault(fact.event.agent, []).append(_dose(fact.on, fact, fact.event))
    began = person.first_antibody
    since = {agent: marks for agent, marks in by_agent.items() if not began or began.perhaps_on_or_before(marks[-1].on)}
    earlier = [mark for agent, marks in by_agent.items() if agent not in since for mark in marks]
    yield Lane("Treatment", "Earlier drugs", tuple(earlier))
    for agent in sorted(since, key=lambda one: one not in person.study.roles.bsab):
        yield Lane("Treatment", person.study.display(agent), tuple(since[agent]))


def _dose(on: PartialDate, fact: Fact, dose: events.Dose) -> Mark:
    faint = dose.given == "perhaps" or not fact.counts
    return Mark(on, "dose", fact.tells, tone="drug", until=dose.ended, faint=faint)


def _state(facts: Sequence[Fact]) -> Iterator[Mark]:
    """Stage, performance status, lesions, sites and scores; those of one day and kind share a chip."""
    groups: dict[tuple[PartialDate, type[events.Event]], list[Fact]] = {}
    for fact in facts:
        if fact.on and _briefly([fact.event]):
            groups.setdefault((fact.on, type(fact.event)), []).append(fact)
    for (on, _), found in groups.items():
        yield Mark(on, "chip", "; ".join(one.tells for one in found), _briefly([one.event for one in found]))


def _briefly(found: Sequence[events.Event]) -> str:
    """A few letters for records of one kind; empty for other kinds."""
    match found[0]:
        case events.Staging(stage=stage):
            return f"stage {stage}"
        case events.Performance(ecog=ecog):
            return f"ECOG {ecog}"
        case events.Karnofsky(percent=percent):
            return f"Karnofsky {percent}"
        case events.SiteCount(count=count):
            return f"{count} extranodal"
        case events.Lesion():
            return f"{max(one.longest_mm for one in found if isinstance(one, events.Lesion)):f} mm"
        case events.DiseaseSite():
            sites = sum(1 for one in found if isinstance(one, events.DiseaseSite) and one.extranodal)
            return f"{sites} extranodal" if sites else "no extranodal"
        case events.RecordedScore():
            scores = (one for one in found if isinstance(one, events.RecordedScore))
            return ", ".join(f"{SCORES[one.score]} {one.points}" for one in scores)
    return ""


def _lines(person: Person) -> Iterator[Mark]:
    found = person.value("lines", Lines)
    for line in found.lines if found else ():
        agents = " + ".join(person.study.display(agent) for agent in line.agents)
        tells = f"line {line.number}: {agents}, {line.first.iso} to {line.last.iso}"
        yield Mark(line.first, "line", tells, f"{line.number}  {agents}", "line", line.last)


def _before_infusion(person: Person) -> Iterator[Lane]:
    """The washout, and the time from the collection to the infusion."""
    index, exposures, washout = person.index, person.exposures, person.value("washout", Span)
    if not index:
        return
    to = index.infusion if person.study.parameters.washout_to == "infusion" else index.apheresis
    if washout and exposures and to:
        days = _days(washout.shortest, washout.longest)
        mark = Mark(exposures.last_dose, "length", f"Washout: {days}", days, "before", to)
        yield Lane("Lengths", "Washout", (mark,))
    if index.vein_to_vein and index.apheresis:
        days = _days(index.vein_to_vein.shortest, index.vein_to_vein.longest)
        tells = f"From the collection to the infusion: {days}"
        yield Lane("Lengths", "Vein to vein", (Mark(index.apheresis, "length", tells, days, "before", index.infusion),))


def _endpoints(person: Person) -> Iterator[Lane]:
    """The time to each endpoint, with how it ended."""
    for time in person.times:
        days, reason = _days(time.days_min, time.days_max), time.reason.replace("_", " ")
        end: Ending = "event" if time.event else "censored"
        tells = f"{time.endpoint}: {end} after {days} ({reason})"
        first, last = (time.start + timedelta(days=each) for each in (time.days_min, time.days_max))
        text, start = f"{days}, {reason}", PartialDate.on(time.start)
        mark = Mark(start, "length", tells, text, "after", PartialDate(first, last), end=end)
        yield Lane("Lengths", time.endpoint, (mark,))


def _days(shortest: int, longest: int) -> str:
    return f"{shortest} days" if shortest == longest else f"{shortest} to {longest} days"
