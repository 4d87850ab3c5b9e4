"""The figure in pixels: where every lane, mark, word and line goes. The template only draws it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.report.timeline import laboratory
from fhir_adapter.report.timeline.axis import Axis, Stretch, Tick, axis_of
from fhir_adapter.report.timeline.facts import Fact
from fhir_adapter.report.timeline.laboratory import Panel, panels_of
from fhir_adapter.report.timeline.lanes import Lane, Mark, Shape, lanes_of
from fhir_adapter.report.timeline.lettering import Rows, fitted, width
from fhir_adapter.report.timeline.person import Person

WIDTH = 1280
LABELS = 228  # the column with the names of the lanes
_RIGHT = WIDTH - 14
_HEAD = 88
_ROW, _SECTION, _PAD = 21, 24, 5
SIZE = 12  # of the type
_LONGEST_CHIP = 150
_LEAST = 3  # pixels that can still be seen


@dataclass(frozen=True, slots=True)
class Placed:
    """A mark: its middle, the box it fills, and, for a day not known exactly, all the days it can be.

    `sure` is the part of a bar that holds whatever these days are; None when there is no such part.
    """

    shape: Shape
    x: float
    y: float
    left: float
    right: float
    tells: str
    tone: str
    faint: bool
    text: str = ""
    text_x: float = 0.0
    anchor: Literal["start", "middle", "end"] = "middle"
    end: Literal["", "event", "censored"] = ""
    vague: tuple[tuple[float, float], ...] = ()
    sure: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A lane, or a laboratory panel."""

    name: str
    top: float
    height: float
    marks: tuple[Placed, ...] = ()
    panel: Panel | None = None


@dataclass(frozen=True, slots=True)
class Heading:
    name: str
    y: float


@dataclass(frozen=True, slots=True)
class Rule:
    """A line through all lanes, at a day that everything is seen from."""

    x: float
    text: str
    tone: str
    text_x: float
    anchor: Literal["start", "end"]
    row: int


@dataclass(frozen=True, slots=True)
class Figure:
    """The drawing, `WIDTH` by `height`."""

    height: float
    stretches: tuple[Stretch, ...]
    ticks: tuple[Tick, ...]
    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    rules: tuple[Rule, ...]


def figure_of(person: Person, facts: Sequence[Fact]) -> Figure:
    """The figure of everything that has a day."""
    days = [one.on for one in facts if one.on]
    days += [PartialDate.on(day) for time in person.times for day in (time.start, time.end)]
    axis = axis_of(person, days, LABELS, _RIGHT)
    headings, rows = _stacked(lanes_of(person, facts), panels_of(person, facts, axis), axis)
    return Figure(
        height=(rows[-1].top + rows[-1].height if rows else _HEAD) + _PAD,
        stretches=axis.stretches,
        ticks=tuple(tick for stretch in axis.stretches for tick in stretch.ticks()),
        headings=headings,
        rows=rows,
        rules=tuple(_rules(person, axis)),
    )


def _stacked(lanes: Sequence[Lane], panels: Sequence[Panel], axis: Axis) -> tuple[tuple[Heading, ...], tuple[Row, ...]]:
    """Lanes and panels under one another, each section under its heading."""
    headings: list[Heading] = []
    rows: list[Row] = []
    y = float(_HEAD)
    for name, section, lane, panel in [
        *((one.name, one.section, one, None) for one in lanes),
        *((one.name, "Laboratory", None, one) for one in panels),
    ]:
        if not headings or headings[-1].name != section:
            headings.append(Heading(section, y))
            y += _SECTION
        row = _lane(lane, y, axis) if lane else Row(name, y, laboratory.HEIGHT, panel=panel)
        rows.append(row)
        y += row.height
    return tuple(headings), tuple(rows)


def _lane(lane: Lane, top: float, axis: Axis) -> Row:
    rows = Rows(gap=3)
    placed: list[Placed] = []
    for mark in lane.marks:
        bare = _placed(mark, axis)
        left, right = _taken(bare)
        number = 0 if mark.shape in ("dose", "tick") else rows.place(left, right)
        placed.append(replace(bare, y=top + _PAD + _ROW * (number + 0.5)))
    return Row(lane.name, top, len(rows) * _ROW + 2 * _PAD, tuple(placed))


def _placed(mark: Mark, axis: Axis) -> Placed:
    match mark.shape:
        case "chip":
            return _chip(mark, axis)
        case "bar":
            return _bar(mark, axis)
        case "dose" if mark.until and mark.until != mark.on:
            return _bar(mark, axis)
        case _:
            return _symbol(mark, axis)


def _chip(mark: Mark, axis: Axis) -> Placed:
    text = fitted(mark.text, SIZE, _LONGEST_CHIP, bold=True)
    half = width(text, SIZE, bold=True) / 2 + 6
    x = min(max(axis.middle(mark.on), axis.left + half), axis.right - half)
    return Placed(
        "chip", x, 0, x - half, x + half, mark.tells, mark.tone, mark.faint, text, x, vague=_vague(axis, mark.on)
    )


def _symbol(mark: Mark, axis: Axis) -> Placed:
    """A sign of its own, with its text to the right of it."""
    x = axis.middle(mark.on)
    vague = _vague(axis, mark.on, *((mark.until,) if mark.until else ()))
    is_near_border = x + 12 + width(mark.text, SIZE) > axis.right
    text_x, anchor = (x - 10, "end") if is_near_border else (x + 10, "start")
    return Placed(
        mark.shape,
        *(x, 0, x - 6, x + 6, mark.tells, mark.tone, mark.faint),
        text=mark.text,
        text_x=text_x,
        anchor="end" if anchor == "end" else "start",
        vague=vague,
    )


def _bar(mark: Mark, axis: Axis) -> Placed:
    """From the first to the last day; what is not sure is drawn apart."""
    until = mark.until or mark.on
    is_length = mark.tone in ("length", "time")  # from one day to another, and not both of them
    begin, end = (axis.noon, axis.noon) if is_length else (axis.x, axis.night)
    left, right = _visible(begin(mark.on.earliest), end(until.latest))
    sure = begin(mark.on.latest), end(until.earliest)
    text, text_x, anchor = _lettered(mark, left, right, axis)
    return Placed(
        mark.shape,
        *((left + right) / 2, 0, left, right, mark.tells, mark.tone, mark.faint),
        text=text,
        text_x=text_x,
        anchor=anchor,
        end=mark.end,
        vague=_vague(axis, mark.on, until),
        sure=_visible(*sure) if sure[0] < sure[1] or mark.on == until else None,
    )


def _visible(left: float, right: float) -> tuple[float, float]:
    """Both ends, as far apart as can be seen."""
    missing = max(0.0, _LEAST - (right - left)) / 2
    return left - missing, right + missing


def _lettered(
    mark: Mark, left: float, right: float, axis: Axis
) -> tuple[str, float, Literal["start", "middle", "end"]]:
    """The text, and where it stands: in the bar if it fits, else beside it."""
    room, middle = width(mark.text, SIZE) + 14, (left + right) / 2
    if room <= right - left:
        return mark.text, middle, "middle"
    if mark.tone == "line":  # lines of therapy follow upon one another: there is no room beside
        return _line_text(mark.text, right - left - 6), middle, "middle"
    if right + room <= axis.right:
        return mark.text, right + 9, "start"
    return mark.text, left - 9, "end"


def _line_text(text: str, room: float) -> str:
    """The number of a line and as much of its drugs as is worth reading."""
    number, _, drugs = text.partition("  ")
    short = fitted(drugs, SIZE, room - width(f"{number}  ", SIZE))
    return f"{number}  {short}" if len(short) > 3 else number


def _taken(placed: Placed) -> tuple[float, float]:
    """The room that a mark with its text takes."""
    if not placed.text:
        return placed.left, placed.right
    long = width(placed.text, SIZE)
    begin = {"start": placed.text_x, "middle": placed.text_x - long / 2, "end": placed.text_x - long}[placed.anchor]
    return min(placed.left, begin), max(placed.right, begin + long)


def _vague(axis: Axis, *days: PartialDate) -> tuple[tuple[float, float], ...]:
    return tuple(axis.span(day) for day in dict.fromkeys(days) if not day.exact)


def _rules(person: Person, axis: Axis) -> Iterator[Rule]:
    """The collection, the infusion and the data cut."""
    index, cut = person.index, person.study.parameters.data_cut
    rows = Rows(gap=8)
    days = [
        (index.apheresis if index else None, "collection", "cells"),
        (index.infusion if index else None, "infusion", "infusion"),
    ]
    for on, text, tone in days:
        if on:
            x = axis.middle(on)
            yield Rule(x, text, tone, x + 4, "start", rows.place(x, x + width(text, SIZE) + 6))
    if cut:
        x, text = axis.x(cut), f"data cut {cut.isoformat()}"
        yield Rule(x, text, "cut", x - 4, "end", rows.place(x - width(text, SIZE) - 6, x))
