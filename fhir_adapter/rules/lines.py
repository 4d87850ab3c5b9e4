"""How many lines of therapy came before the index apheresis?

A line is a planned regimen until it is changed. A new line starts with a new drug after the regimen's first weeks, or
after a treatment-free gap. Earlier CAR-T cells and an allogeneic transplantation are lines. Pretreatment for a BsAb,
conditioning, lymphodepletion, drugs given intrathecally, autologous transplantation and radiotherapy are no lines of
their own. Parameters: docs/reference/parameters.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

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


Grouping = tuple[tuple[int, ...], ...]
"""Lines as positions in the list of therapies: one tuple a line, in order."""


def lines(subject: Subject, study: Study, index: Index) -> Finding[Lines]:
    """The lines up to the index apheresis, the BsAb line included, bridging excluded (by parameter)."""
    given, found = groupings(subject, study, index)
    shown = tuple(_line(number, [given[one] for one in line]) for number, line in enumerate(_first(found), start=1))
    counts = {len(grouping) for grouping in found} or {min(1, len(given)), len(given)}
    count = Range(lowest=min(counts), highest=max(counts))
    firsts = [min((given[one] for one in line), key=lambda one: one.on).event for line in _first(found)]
    steps = [
        step(
            f"line {line.number}: {_names(line, study)} from {line.first.iso} to {line.last.iso}",
            event,
            value=str(line.number),
        )
        for line, event in zip(shown, firsts, strict=True)
    ]
    if index.apheresis is None:
        steps.append(step("no collection is known, so bridging cannot be told from a line"))
    settled = count.settled
    cells = {given[one].agent for line in _first(found) for one in line if not isinstance(given[one].event, Dose)}
    text = str(settled) if settled is not None else f"{count.lowest} to {count.highest}"
    return Finding(
        rule="lines",
        verdict="met" if settled is not None else "undetermined",
        value=Lines(count=count, lines=shown, cells=tuple(sorted(cells))),
        sentence=f"{text} lines of therapy before the collection.",
        steps=tuple(steps),
        sources=rests_on(firsts),
        parameters=study.parameters.named(*_PARAMETERS),
    )


def groupings(subject: Subject, study: Study, index: Index) -> tuple[list[Given], tuple[Grouping, ...]]:
    """The therapies that may make lines, and every way in which they group; none when there are too many ways.

    Partial dates and doses that may not have been given are read in every way. Doses recorded with the same partial
    date belong to one cycle: they are read as the same day.
    """
    given, context = _candidates(subject, study, index), _Context.of(subject, study, index)
    dates = list(dict.fromkeys([_limit(index, study), *(one.on for one in given), *context.dates]))
    last_bsab = max((one.on.latest for one in given if one.agent in study.roles.bsab), default=None)
    everything = list(range(len(given)))
    sure = [one for one in everything if given[one].sure]
    choices = [everything, sure] if sure != everything else [everything]

    def judge(days: Sequence[date]) -> tuple[Grouping, ...]:
        reading = dict(zip(dates, days, strict=True))
        around = [reading[one] for one in context.dates]
        ends = [reading[_limit(index, study)]]
        if index.apheresis is None and last_bsab:
            ends.append(last_bsab)
        found = []
        for end in ends:
            for chosen in choices:
                kept = context.select(chosen, given, reading, around, end)
                found.append(_group(sorted(kept, key=lambda one: (reading[given[one].on], one)), given, reading, study))
        return tuple(found)

    parameters = study.parameters
    lengths = [parameters.gap_days, parameters.regimen_window_days, parameters.pretreatment_days]
    found = verdicts(dates, judge, [*lengths, parameters.conditioning_window_days]) or frozenset()
    return given, tuple(sorted({grouping for some in found for grouping in some}))


def _group(
    ordered: Sequence[int], given: Sequence[Given], reading: Mapping[PartialDate, date], study: Study
) -> Grouping:
    """The lines that some therapies make, in order of their days under one reading."""
    found: list[list[int]] = []
    agents: set[str] = set()
    first = last = date.min
    for position in ordered:
        one, day = given[position], reading[given[position].on]
        gap = not found or (day - last).days > study.parameters.gap_days
        changed = one.agent not in agents and (day - first).days > study.parameters.regimen_window_days
        if gap or changed:
            found.append([])
            agents, first = set(), day
        found[-1].append(position)
        agents.add(one.agent)
        last = max(last, day, one.until.earliest)
    return tuple(map(tuple, found))


def _line(number: int, members: Sequence[Given]) -> Line:
    return Line(
        number=number,
        agents=tuple(sorted({one.agent for one in members})),
        first=min(one.on for one in members),
        last=max(one.until for one in members),
    )


def _first(found: Sequence[Grouping]) -> Grouping:
    """One way to group, for showing: the one with the most lines."""
    return max(found, key=lambda grouping: (len(grouping), grouping), default=())


def _candidates(subject: Subject, study: Study, index: Index) -> list[Given]:
    """Administrations that may lie before the index apheresis and may make a line."""
    limit = _limit(index, study)
    found = [
        Given(dose.agent, when(dose), until(dose), dose, dose.given == "yes")
        for dose in subject.doses
        if dose.agent in study.roles.line_therapy
        and dose.route != "intrathecal"
        and dose.on
        and dose.on.perhaps_on_or_before(limit)
    ]
    found += [
        Given(kind, one.on, one.on, one)
        for kind, one in _cells(subject)
        if one.on and one.on.surely_before(index.infusion) and one.on.perhaps_on_or_before(limit)
    ]
    return sorted(found, key=lambda one: (one.on, one.agent, str(one.event.source)))


def _cells(subject: Subject) -> Iterator[tuple[str, Event]]:
    """What is a line without being a drug: CAR-T cells, and cells of another person."""
    yield from ((one.product, one) for one in subject.infusions)
    yield from ((one.kind, one) for one in subject.therapies if one.kind == "allogeneic-hct")


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

    def select(
        self,
        chosen: Sequence[int],
        given: Sequence[Given],
        reading: Mapping[PartialDate, date],
        around: Sequence[date],
        limit: date,
    ) -> list[int]:
        """Those of the chosen therapies that make lines, under one reading of all dates."""
        bsab = around[: len(self.bsab)]
        cells = around[len(self.bsab) : len(self.bsab) + len(self.cells)]
        rest = around[len(self.bsab) + len(self.cells) :]
        transplants, collected = rest[: len(self.transplants)], rest[len(self.transplants) :]
        return [
            position
            for position in chosen
            if (day := reading[given[position].on]) <= limit
            and not self._prepares_bsab(given[position].agent, day, bsab)
            and not self._conditions(given[position], day, cells, transplants, collected)
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


def _names(line: Line, study: Study) -> str:
    return " + ".join(study.display(agent) for agent in line.agents)
