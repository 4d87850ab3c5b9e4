"""One lane a person: the antibody, the way to the cells, the infusion, what was seen after it, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from fhir_adapter.cohort.case import Course
from fhir_adapter.cohort.estimate import EventTime
from fhir_adapter.cohort.response_system import Kind
from fhir_adapter.cohort.study import Study
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.report.drawing import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    LINE,
    ORANGE,
    PAPER,
    PURPLE,
    QUIET,
    SKY,
    VERMILLION,
    Picture,
    picture,
    sized_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LANES = 60  # more cannot be read on a page
_EARLIEST_MONTHS = 12.0  # an antibody that began earlier is cut off there, and marked
_WIDTH, _LANE, _ABOVE, _LABELS, _AFTER = 8.6, 0.27, 0.32, 1.35, 0.3  # inches
_AXIS, _LEGEND_ROW, _LEGEND_COLUMNS = 0.62, 0.21, 5
# Response, shape and colour; a shape alone is enough to tell them apart.
_MARKS: Mapping[Kind, tuple[str, str, str]] = {
    "complete": ("o", GREEN, "complete response"),
    "response": ("^", BLUE, "response, not complete"),
    "minor": ("v", SKY, "minor response"),
    "stable": ("s", ORANGE, "stable disease"),
    "progression": ("D", VERMILLION, "progression"),
    "indeterminate": ("P", PURPLE, "indeterminate"),
    "not-evaluable": (".", FAINT, "not evaluable"),
}


@dataclass(frozen=True, slots=True)
class Lane:
    """One person, without a name: the report goes from hand to hand. Every time is in months from the infusion;
    `ended` is None when no day of contact is known.
    """

    failure: str
    antibody: tuple[tuple[float, float], ...]
    apheresis: float | None
    seen: tuple[tuple[float, Kind], ...]
    ended: float | None
    died: bool


def lanes_of(courses: Sequence[Course], times: Sequence[EventTime], study: Study) -> tuple[Lane, ...]:
    """One lane a person, the longest followed on top."""
    survival = {time.subject_id: time for time in times if time.endpoint == "OS"}
    by_id = sorted(courses, key=lambda course: course.subject_id)
    lanes = [_lane(course, survival.get(course.subject_id), study) for course in by_id]
    return tuple(sorted(lanes, key=lambda lane: -(lane.ended or 0.0)))


def swimmer(lanes: Sequence[Lane]) -> Picture:
    """The lanes as one figure; at most `MOST_LANES` of them can be drawn."""
    rows = -(-len(_drawn(lanes)) // _LEGEND_COLUMNS)
    height = _ABOVE + max(len(lanes), 1) * _LANE + _AXIS + rows * _LEGEND_ROW
    words = (
        f"One lane for each of {len(lanes)} people, in months from the infusion: time on the bispecific antibody, "
        "apheresis, infusion of CAR-T, response assessments after it, and the end of follow-up, "
        f"which was death in {sum(lane.died for lane in lanes)}. The tables of the cohort folder tell the same in "
        "numbers."
    )
    title = "Course of every person"
    return picture("swimmer", title, words, (_WIDTH, height), lambda figure: _draw(figure, lanes))


def _lane(course: Course, survival: EventTime | None, study: Study) -> Lane:
    month = float(study.parameters.month_days)
    kinds = {one.code: one.kind for one in study.responses.categories}

    def months(day: PartialDate | date) -> float:
        return (_middle(day) - _middle(course.infusion)) / month

    seen = [(months(on), kinds[category]) for on, category in course.seen if category in kinds and months(on) > 0]
    days = None if survival is None else survival.days if survival.days is not None else survival.days_max
    return Lane(
        failure=course.failure,
        antibody=tuple((months(first), months(last)) for first, last in course.antibody),
        apheresis=months(course.apheresis) if course.apheresis else None,
        seen=tuple(seen),
        ended=None if survival is None or days is None else months(survival.start) + days / month,
        died=survival is not None and survival.event,
    )


def _middle(day: PartialDate | date) -> float:
    """The day as a number; of a day that is not known exactly, the middle of what it may be."""
    ends = (day, day) if isinstance(day, date) else (day.earliest, day.latest)
    return (ends[0].toordinal() + ends[1].toordinal()) / 2


def _draw(figure: Figure, lanes: Sequence[Lane]) -> None:
    axes = sized_axes(figure, _LABELS, _ABOVE, _WIDTH - _LABELS - _AFTER, max(len(lanes), 1) * _LANE)
    first = max(-_EARLIEST_MONTHS, min((start for lane in lanes for start, _ in lane.antibody), default=-1.0))
    last = max((lane.ended or 0.0 for lane in lanes), default=1.0)
    axes.set_xlim(first - 0.6, max(last, 1.0) + 0.8)
    axes.set_ylim(max(len(lanes), 1) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    step = next(width for width in (1, 2, 3, 6, 12, 24, 60) if (last - first) / width <= 12 or width == 60)
    axes.set_xticks([month for month in range(-24, int(last) + 1) if month % step == 0 and month >= first - 0.6])
    axes.set_xlabel("Months from the infusion of CAR-T")
    axes.grid(axis="x", color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.axvline(0, color=INK, linewidth=1.2)
    axes.text(0, -0.75, "CAR-T", ha="center", va="bottom", fontsize=8.5, fontweight="bold")
    for row, lane in enumerate(lanes):
        _label(axes, row, lane)
        _course(axes, row, lane, first)
    _legend(figure, lanes)


def _label(axes: Axes, row: int, lane: Lane) -> None:
    inch = 1 / (_WIDTH - _LABELS - _AFTER)
    place = axes.get_yaxis_transform()
    for left, words, size, colour in ((-0.1, str(row + 1), 8.5, INK), (-0.45, lane.failure, 7.5, QUIET)):
        axes.text(
            left * inch, row, words, transform=place, va="center_baseline", ha="right", fontsize=size, color=colour
        )


def _course(axes: Axes, row: int, lane: Lane, first: float) -> None:
    cells = lane.apheresis if lane.apheresis is not None else 0.0
    for start, end in lane.antibody:
        axes.barh(row, max(end - max(start, first), 0.1), left=max(start, first), height=0.5, color=SKY)
        if start < first:
            axes.plot(first - 0.25, row, marker="<", color=SKY, markersize=5)
    if lane.antibody and max(end for _, end in lane.antibody) < cells:
        axes.plot([max(end for _, end in lane.antibody), cells], [row, row], color=QUIET, linewidth=1.2, linestyle=":")
    if lane.apheresis is not None:
        axes.plot(lane.apheresis, row, marker="|", color=INK, markersize=11, markeredgewidth=1.8)
    if lane.ended is not None:
        axes.barh(row, lane.ended, height=0.24, color=LINE)
        shape, size = ("X", 7.5) if lane.died else (">", 6.0)
        (last,) = axes.plot(lane.ended, row, marker=shape, markersize=size, color=INK, clip_on=False, zorder=4)
        last.set(markeredgecolor=PAPER, markeredgewidth=0.5)
    for at, kind in lane.seen:
        shape, colour, _ = _MARKS[kind]
        axes.plot(at, row, marker=shape, color=colour, markersize=6.2, markeredgecolor=PAPER, markeredgewidth=0.6)


def _legend(figure: Figure, lanes: Sequence[Lane]) -> None:
    """What is drawn, and nothing else, in rows below the axis."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def handle(name: str, shape: str, colour: str) -> Line2D | Patch:
        if shape == "bar":
            return Patch(facecolor=colour, label=name)
        if shape == ":":
            return Line2D([], [], color=colour, linestyle=":", linewidth=1.2, label=name)
        size = 10 if shape == "|" else 6.5
        return Line2D(
            [], [], linestyle="", marker=shape, color=colour, markersize=size, markeredgewidth=1.2, label=name
        )

    figure.legend(
        handles=[handle(*one) for one in _drawn(lanes)],
        loc="lower left",
        bbox_to_anchor=(0.1 / _WIDTH, 0.02 / float(figure.get_size_inches()[1])),
        ncols=_LEGEND_COLUMNS,
        frameon=False,
        fontsize=8.5,
        handlelength=1.4,
        handletextpad=0.5,
        columnspacing=1.3,
    )


def _drawn(lanes: Sequence[Lane]) -> list[tuple[str, str, str]]:
    """(name, shape, colour) of everything that is drawn."""
    seen = {kind for lane in lanes for _, kind in lane.seen}
    earlier = any(start < -_EARLIEST_MONTHS for lane in lanes for start, _ in lane.antibody)
    return [
        ("bispecific antibody", "bar", SKY),
        *([("began earlier", "<", SKY)] if earlier else []),
        ("washout", ":", QUIET),
        ("apheresis", "|", INK),
        ("followed", "bar", LINE),
        ("died", "X", INK),
        ("alive when last seen", ">", INK),
        *((name, shape, colour) for kind, (shape, colour, name) in _MARKS.items() if kind in seen),
    ]
