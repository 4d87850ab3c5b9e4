"""How many lines of therapy came before the index apheresis?

A line is a planned regimen until it is changed. A new line starts with a new drug after the regimen's first weeks, or
after a treatment-free gap. Pretreatment for a BsAb, conditioning, lymphodepletion, transplantation and radiotherapy
are no lines of their own. Source: clinical brief §1.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from fhir_adapter.cohort.events import Event
from fhir_adapter.cohort.finding import Finding, Index, Line, Lines, Range, rests_on, step
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.rules.index import when
from fhir_adapter.rules.readings import verdicts


@dataclass(frozen=True)
class Given:
    """One administration that can make or belong to a line."""

    agent: str
    on: PartialDate
    event: Event


def lines(subject: Subject, study: Study, index: Index) -> Finding[Lines]:
    """The lines up to the index apheresis, the BsAb line included, bridging excluded (by parameter)."""
    given = line_therapies(subject, study, index)
    found = group(given, study)
    count = _count(given, study)
    steps = tuple(
        step(
            f"line {line.number}: {_names(line, study)} from {line.first.iso} to {line.last.iso}",
            _first_of(line, given),
            value=str(line.number),
        )
        for line in found
    )
    settled = count.settled
    text = str(settled) if settled is not None else f"{count.lowest} to {count.highest}"
    return Finding(
        rule="lines",
        verdict="met" if settled is not None else "undetermined",
        value=Lines(count=count, lines=found),
        sentence=f"{text} lines of therapy before the collection.",
        steps=steps,
        sources=rests_on([_first_of(line, given) for line in found]),
        parameters=study.parameters.named(
            "prior_lines", "gap_days", "regimen_window_days", "pretreatment_days", "conditioning_window_days"
        ),
    )


def line_therapies(subject: Subject, study: Study, index: Index) -> list[Given]:
    """Everything before the index apheresis that makes a line, in order of days."""
    bridging = study.parameters.prior_lines == "include_bridging"
    limit = index.infusion if bridging or index.apheresis is None else index.apheresis
    found = [
        Given(dose.agent, when(dose), dose)
        for dose in subject.doses
        if dose.agent in study.roles.line_therapy
        and dose.on
        and dose.on.perhaps_on_or_before(limit)
        and not _is_pretreatment(dose.agent, dose.on, subject, study)
        and not _is_conditioning(dose.on, subject, study)
    ]
    found += [
        Given(one.product, one.on, one)
        for one in subject.infusions
        if one.on and one.on.surely_before(index.infusion) and one.on.surely_on_or_before(limit)
    ]
    return sorted(found, key=lambda one: (one.on, one.agent, str(one.event.source)))


def group(given: Sequence[Given], study: Study) -> tuple[Line, ...]:
    """The lines when every partial date is read as its first day."""
    starts = _starts([one.on.earliest for one in given], given, study)
    bounds = [*starts, len(given)]
    return tuple(
        Line(
            number=number,
            agents=tuple(sorted({one.agent for one in given[first:last]})),
            first=given[first].on,
            last=max(one.on for one in given[first:last]),
        )
        for number, (first, last) in enumerate(pairwise(bounds), start=1)
    )


def _starts(days: Sequence[date], given: Sequence[Given], study: Study) -> list[int]:
    """Positions at which a new line starts."""
    starts: list[int] = []
    agents: set[str] = set()
    first = last = date.min
    for position, (day, one) in enumerate(zip(days, given, strict=True)):
        gap = not starts or (day - last).days > study.parameters.gap_days
        changed = one.agent not in agents and (day - first).days > study.parameters.regimen_window_days
        if gap or changed:
            starts.append(position)
            agents, first = set(), day
        agents.add(one.agent)
        last = max(last, day)
    return starts


def _count(given: Sequence[Given], study: Study) -> Range:
    """The number of lines over all readings of partial dates."""

    def judge(days: Sequence[date]) -> int:
        ordered = sorted(zip(days, given, strict=True), key=lambda pair: (pair[0], pair[1].agent))
        return len(_starts([day for day, _ in ordered], [one for _, one in ordered], study))

    counts = verdicts([one.on for one in given], judge)
    if counts is None:
        # Too many partial dates to read in every way: at most every administration is a line.
        return Range(lowest=1, highest=len(given))
    return Range(lowest=min(counts), highest=max(counts))


def _is_pretreatment(agent: str, on: PartialDate, subject: Subject, study: Study) -> bool:
    """A CD20 antibody shortly before a first BsAb dose prepares for it; it is not a regimen."""
    if agent not in study.roles.pretreatment:
        return False
    window = timedelta(days=study.parameters.pretreatment_days)
    return any(
        dose.agent in study.roles.bsab and dose.on and on.earliest <= dose.on.earliest <= on.latest + window
        for dose in subject.doses
    )


def _is_conditioning(on: PartialDate, subject: Subject, study: Study) -> bool:
    """Drugs in the days before a transplantation or a CAR-T infusion prepare for it."""
    window = timedelta(days=study.parameters.conditioning_window_days)
    cells = [*subject.infusions, *(one for one in subject.therapies if one.kind.endswith("-hct"))]
    return any(one.on and on.earliest <= one.on.earliest <= on.latest + window for one in cells)


def _names(line: Line, study: Study) -> str:
    return " + ".join(study.display(agent) for agent in line.agents)


def _first_of(line: Line, given: Sequence[Given]) -> Event:
    return next(one.event for one in given if one.on == line.first and one.agent in line.agents)
