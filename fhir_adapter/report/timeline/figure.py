"""The figure in pixels: where every lane, panel, name and line goes. The template only draws it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.report.timeline import laboratory
from fhir_adapter.report.timeline.axis import Axis, Stretch, Tick, axis_of
from fhir_adapter.report.timeline.facts import Fact
from fhir_adapter.report.timeline.laboratory import Panel, panels_of
from fhir_adapter.report.timeline.lanes import Lane, lanes_of
from fhir_adapter.report.timeline.lettering import Rows, fitted, width
from fhir_adapter.report.timeline.person import Person
from fhir_adapter.report.timeline.placing import SIZE, Placed, place

WIDTH = 1280
LABELS = 228  # the column with the names of the lanes
_LEFT, _RIGHT = LABELS + 8, WIDTH - 14  # with room for half a sign at both ends
_HEAD = 88
_ROW, _SECTION, _PAD = 21, 24, 5
_INDENT, _NUMBERS = 8, 40  # before a name, and for the numbers of a scale
_SMALL = 10.5  # the type of units


@dataclass(frozen=True, slots=True)
class Row:
    """A lane with its marks, or a laboratory panel."""

    name: str
    top: float
    height: float
    marks: tuple[Placed, ...] = ()
    panel: Panel | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A text in the column of names."""

    text: str
    x: float
    y: float
    kind: Literal["section", "word", "unit", "worst"]
    anchor: Literal["start", "end"] = "start"


@dataclass(frozen=True, slots=True)
class Rule:
    """A line through all lanes, at a day that everything is seen from; its text stands in a `row` of the head."""

    x: float
    text: str
    tone: str
    text_x: float
    anchor: Literal["start", "end"]
    row: int


@dataclass(frozen=True, slots=True)
class Figure:
    """The drawing, `width` by `height`; the first `label_width` pixels are the column of names."""

    height: float
    stretches: tuple[Stretch, ...]
    ticks: tuple[Tick, ...]
    labels: tuple[Label, ...]
    rows: tuple[Row, ...]
    rules: tuple[Rule, ...]
    width: int = WIDTH
    label_width: int = LABELS


def figure_of(person: Person, facts: Sequence[Fact]) -> Figure:
    """The figure of everything that has a day."""
    days = [one.on for one in facts if one.on]
    days += [PartialDate.on(day) for time in person.times for day in (time.start, time.end)]
    axis = axis_of(person, days, _LEFT, _RIGHT)
    labels, rows = _stacked(lanes_of(person, facts), panels_of(person, facts, axis), axis)
    return Figure(
        height=(rows[-1].top + rows[-1].height if rows else _HEAD) + _PAD,
        stretches=axis.stretches,
        ticks=tuple(tick for stretch in axis.stretches for tick in stretch.ticks()),
        labels=labels,
        rows=rows,
        rules=tuple(_rules(person, axis)),
    )


def _stacked(lanes: Sequence[Lane], panels: Sequence[Panel], axis: Axis) -> tuple[tuple[Label, ...], tuple[Row, ...]]:
    """Lanes and panels under one another, each section under its heading."""
    labels: list[Label] = []
    rows: list[Row] = []
    y, section = float(_HEAD), ""
    stacked: tuple[Lane | Panel, ...] = (*lanes, *panels)
    for one in stacked:
        if one.section != section:
            section = one.section
            labels.append(Label(section, 0, y + 17, "section"))
            y += _SECTION
        row = _lane(one, y, axis) if isinstance(one, Lane) else Row(one.name, y, laboratory.HEIGHT, panel=one)
        labels += _labels(row)
        rows.append(row)
        y += row.height
    return tuple(labels), tuple(rows)


def _labels(row: Row) -> Iterator[Label]:
    if not row.panel:
        yield Label(fitted(row.name, SIZE, LABELS - 2 * _INDENT), _INDENT, row.top + 20, "word")
        return
    room, panel = LABELS - _INDENT - _NUMBERS, row.panel
    yield Label(fitted(panel.name, SIZE, room), _INDENT, row.top + 15, "word")
    yield Label(fitted(panel.note, _SMALL, room), _INDENT, row.top + 28, "unit")
    yield Label(fitted(panel.worst, _SMALL, room, bold=True), _INDENT, row.top + 41, "worst")
    yield Label(panel.top_value, LABELS - _INDENT, row.top + 12, "unit", "end")
    yield Label(panel.bottom_value, LABELS - _INDENT, row.top + row.height - 4, "unit", "end")


def _lane(lane: Lane, top: float, axis: Axis) -> Row:
    rows = Rows(gap=3)
    placed: list[Placed] = []
    for mark in lane.marks:
        bare = place(mark, axis)
        number = 0 if mark.shape in ("dose", "tick") else rows.place(*bare.taken)
        placed.append(replace(bare, y=top + _PAD + _ROW * (number + 0.5)))
    return Row(lane.name, top, len(rows) * _ROW + 2 * _PAD, tuple(placed))


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
