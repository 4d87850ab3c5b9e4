"""How many lines of therapy came before the index apheresis?

A line is a planned regimen until it is changed. A new line starts with a new drug after the regimen's first weeks, or
after a treatment-free gap. Pretreatment for a BsAb, conditioning, lymphodepletion, transplantation and radiotherapy
are no lines of their own. Source: clinical brief §1.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from fhir_adapter.cohort.events import Dose, Event
from fhir_adapter.cohort.finding import Finding, Index, Line, Lines, Range, rests_on, step
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.rules.index import until, when
from fhir_adapter.rules.readings import verdicts

_PARAMETERS = (
    "prior_lines",
    "gap_days",
    "regimen_window_days",
    "pretreatment_days",
    "conditioning_window_days",
)


@dataclass(frozen=True)
class Given:
    """One administration that can make or belong to a line."""

    agent: str
    on: PartialDate
    until: PartialDate
    event: Event
    sure: bool = True


def lines(subject: Subject, study: Study, index: Index) -> Finding[Lines]:
    """The lines up to the index apheresis, the BsAb line included, bridging excluded (by parameter)."""
    given = line_therapies(subject, study, index)
    found = group(given, study)
    count = _count(subject, study, index)
    steps = [
        step(
            f"line {line.number}: {_names(line, study)} from {line.first.iso} to {line.last.iso}",
            _first_of(line, given),
            value=str(line.number),
        )
        for line in found
    ]
    if index.apheresis is None:
        steps.append(step("no collection is known, so bridging cannot be told from a line"))
    settled = count.settled
    text = str(settled) if settled is not None else f"{count.lowest} to {count.highest}"
    return Finding(
        rule="lines",
        verdict="met" if settled is not None else "undetermined",
        value=Lines(count=count, lines=found),
        sentence=f"{text} lines of therapy before the collection.",
        steps=tuple(steps),
        sources=rests_on([_first_of(line, given) for line in found]),
        parameters=study.parameters.named(*_PARAMETERS),
    )


def line_therapies(subject: Subject, study: Study, index: Index) -> list[Given]:
    """Everything before the index apheresis that makes a line, with partial dates read as their first day."""
    given = _candidates(subject, study, index)
    days = [one.on.earliest for one in given]
    context = _Context.of(subject, study, index)
    chosen = context.select(days, given, context.first_days, _limit(index, study).latest)
    return sorted(chosen, key=lambda one: (one.on, one.agent, str(one.event.source)))


def group(given: Sequence[Given], study: Study) -> tuple[Line, ...]:
    """The lines of therapies in order, with partial dates read as their first day."""
    starts = _starts([one.on.earliest for one in given], given, study)
    bounds = [*starts, len(given)]
    return tuple(
        Line(
            number=number,
            agents=tuple(sorted({one.agent for one in given[first:last]})),
            first=given[first].on,
            last=max(one.until for one in given[first:last]),
        )
        for number, (first, last) in enumerate(pairwise(bounds), start=1)
    )


def _candidates(subject: Subject, study: Study, index: Index) -> list[Given]:
    """Administrations that may lie before the index apheresis and may make a line."""
    limit = _limit(index, study)
    found = [
        Given(dose.agent, when(dose), until(dose), dose, dose.given == "yes")
        for dose in subject.doses
        if dose.agent in study.roles.line_therapy and dose.on and dose.on.perhaps_on_or_before(limit)
    ]
    found += [
        Given(one.product, one.on, one.on, one)
        for one in subject.infusions
        if one.on and one.on.surely_before(index.infusion) and one.on.surely_on_or_before(limit)
    ]
    return sorted(found, key=lambda one: (one.on, one.agent, str(one.event.source)))


def _limit(index: Index, study: Study) -> PartialDate:
    """The day at which prior lines end; the infusion when bridging counts or no collection is known."""
    bridging = study.parameters.prior_lines == "include_bridging"
    return index.infusion if bridging or index.apheresis is None else index.apheresis


@dataclass(frozen=True)
class _Context:
    """The days around which a drug prepares for something else: BsAb doses, cells given, collections."""

    study: Study
    bsab: tuple[PartialDate, ...]
    cells: tuple[PartialDate, ...]
    transplants: tuple[PartialDate, ...]
    collections: tuple[PartialDate, ...]

    @classmethod
    def of(cls, subject: Subject, study: Study, index: Index) -> _Context:
        collected = [one.on for one in subject.collections if one.on and one.succeeded]
        return cls(
            study=study,
            bsab=_days(dose.on for dose in subject.doses if dose.agent in study.roles.bsab),
            cells=_days(one.on for one in subject.infusions),
            transplants=_days(one.on for one in subject.therapies if one.kind.endswith("-hct")),
            collections=_days([*collected, index.apheresis]),
        )

    @property
    def dates(self) -> list[PartialDate]:
        return [*self.bsab, *self.cells, *self.transplants, *self.collections]

    @property
    def first_days(self) -> list[date]:
        return [one.earliest for one in self.dates]

    def select(self, days: Sequence[date], given: Sequence[Given], around: Sequence[date], limit: date) -> list[Given]:
        """The administrations that make lines, under one reading of all dates."""
        bsab = around[: len(self.bsab)]
        cells = around[len(self.bsab) : len(self.bsab) + len(self.cells)]
        rest = around[len(self.bsab) + len(self.cells) :]
        transplants, collected = rest[: len(self.transplants)], rest[len(self.transplants) :]
        return [
            one
            for day, one in zip(days, given, strict=True)
            if day <= limit
            and not self._prepares_bsab(one.agent, day, bsab)
            and not self._conditions(one, day, cells, transplants, collected)
        ]

    def _prepares_bsab(self, agent: str, day: date, bsab: Sequence[date]) -> bool:
        """A CD20 antibody shortly before a BsAb dose prepares for it; it is not a regimen."""
        window = timedelta(days=self.study.parameters.pretreatment_days)
        return agent in self.study.roles.pretreatment and any(day <= dose <= day + window for dose in bsab)

    def _conditions(
        self,
        one: Given,
        day: date,
        cells: Sequence[date],
        transplants: Sequence[date],
        collected: Sequence[date],
    ) -> bool:
        """Drugs in the days before a transplantation, or between a collection and an infusion, prepare for it."""
        if not isinstance(one.event, Dose):
            return False
        window = timedelta(days=self.study.parameters.conditioning_window_days)
        if any(day <= given <= day + window for given in transplants):
            return True
        return any(
            day <= infused <= day + window and not any(day <= taken <= infused for taken in collected)
            for infused in cells
        )


def _days(dates: Iterable[PartialDate | None]) -> tuple[PartialDate, ...]:
    return tuple(one for one in dates if one)


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
        last = max(last, day, one.until.earliest)
    return starts


def _count(subject: Subject, study: Study, index: Index) -> Range:
    """The number of lines over all readings of partial dates and of doses that may not have been given.

    Doses recorded with the same partial date belong to one cycle: they are read as the same day.
    """
    given, context = _candidates(subject, study, index), _Context.of(subject, study, index)
    dates = list(dict.fromkeys([_limit(index, study), *(one.on for one in given), *context.dates]))
    last_bsab = max((one.on.latest for one in given if one.agent in study.roles.bsab), default=None)

    def judge(days: Sequence[date]) -> frozenset[int]:
        reading = dict(zip(dates, days, strict=True))
        around = [reading[one] for one in context.dates]
        ends = {reading[_limit(index, study)]}
        if index.apheresis is None and last_bsab:
            ends.add(last_bsab)
        sure = [one for one in given if one.sure]
        return frozenset(
            _number(context.select([reading[one.on] for one in chosen], chosen, around, end), reading, study)
            for end in ends
            for chosen in (given, sure)
        )

    parameters = study.parameters
    lengths = [parameters.gap_days, parameters.regimen_window_days, parameters.pretreatment_days]
    found = verdicts(dates, judge, [*lengths, parameters.conditioning_window_days])
    if found is None:
        # Too many partial dates to read in every way: at most every administration is a line.
        return Range(lowest=min(1, len(given)), highest=len(given))
    every: set[int] = set().union(*found)
    return Range(lowest=min(every), highest=max(every))


def _number(given: Sequence[Given], reading: Mapping[PartialDate, date], study: Study) -> int:
    """How many lines some administrations make under one reading of their dates."""
    ordered = sorted(given, key=lambda one: (reading[one.on], one.agent))
    return len(_starts([reading[one.on] for one in ordered], ordered, study))


def _names(line: Line, study: Study) -> str:
    return " + ".join(study.display(agent) for agent in line.agents)


def _first_of(line: Line, given: Sequence[Given]) -> Event:
    return next(one.event for one in given if one.on == line.first and one.agent in line.agents)
