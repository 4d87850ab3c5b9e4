"""The STROBE flow diagram: a box for who remains after each step, beside it a box for who left, and why."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.cohort.study import Study
from fhir_adapter.report.attrition import RECEIVED, Attrition, steps_of
from fhir_adapter.report.drawing import BLUE, PAPER, QUIET, WASH, Picture, picture, shown, sized_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _MAIN, _SIDE, _BETWEEN = 7.4, 3.0, 3.6, 0.6  # inches
_EDGE, _LINE, _PADDING, _GAP = 0.1, 0.19, 0.13, 0.2
_MAIN_LETTERS, _SIDE_LETTERS = 36, 47
_LONGEST = 120
_SIZE, _SIDE_SIZE = 9.5, 8.8


@dataclass(frozen=True, slots=True)
class Box:
    """Lines of text, the last of them in bold; `left` is the box of those who leave before it."""

    lines: tuple[str, ...]
    left: tuple[str, ...] = ()

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + _PADDING

    @property
    def room(self) -> float:
        """Height of the arrow that leads to this box; the box of those who leave stands beside it."""
        return len(self.left) * _LINE + _PADDING + 2 * _GAP if self.left else 1.6 * _GAP


def flow_diagram(flow: Sequence[FlowRow], study: Study) -> Picture:
    """The diagram of everybody, from the records to the cohort."""
    steps = steps_of(flow, study)
    boxes = boxes_of(steps)
    height = sum(box.height + (box.room if place else 0) for place, box in enumerate(boxes)) + 2 * _EDGE

    def draw(figure: Figure) -> None:
        axes = sized_axes(figure, 0, 0, _WIDTH, height)
        axes.axis("off")
        axes.set_xlim(0, _WIDTH)
        axes.set_ylim(height, 0)
        _draw(axes, boxes)

    return picture("flow", "Who is in the cohort", _in_words(steps), (_WIDTH, height), draw)


def boxes_of(steps: Sequence[Attrition]) -> tuple[Box, ...]:
    """The boxes from top to bottom."""
    if not steps:
        return (Box(("Nobody was examined.",)),)
    first = Box((RECEIVED, f"n = {steps[0].came}"))
    return (first, *(Box(_named(step), _leaving(step)) for step in steps))


def _named(step: Attrition) -> tuple[str, ...]:
    return (*textwrap.wrap(shown(step.name, _LONGEST), _MAIN_LETTERS), f"n = {step.remain}")


def _leaving(step: Attrition) -> tuple[str, ...]:
    lines = [f"{shown(one.words, _LONGEST)}: {one.people}" for one in step.left]
    return tuple(part for line in lines for part in textwrap.wrap(line, _SIDE_LETTERS, subsequent_indent="   "))


def _in_words(steps: Sequence[Attrition]) -> str:
    told = [f"{RECEIVED}: {steps[0].came}."] if steps else ["Nobody was examined."]
    for step in steps:
        told += [f"Left, {one.words}: {one.people}." for one in step.left]
        told.append(f"{step.name}: {step.remain}.")
    return " ".join(told)


def _draw(axes: Axes, boxes: Sequence[Box]) -> None:
    top, middle = _EDGE, _EDGE + _MAIN / 2
    for place, box in enumerate(boxes):
        if place:
            _arrow(axes, (middle, top), (middle, top + box.room))
            if box.left:
                _leave(axes, middle, top + box.room / 2, box.left)
            top += box.room
        last = place == len(boxes) - 1
        _frame(
            axes, _EDGE, top, _MAIN, box.height, facecolor=WASH, edgecolor=BLUE if last else QUIET, linewidth=1 + last
        )
        for number, line in enumerate(box.lines):
            weight = "bold" if number == len(box.lines) - 1 else "normal"
            place_of_line = top + _PADDING / 2 + (number + 0.5) * _LINE
            axes.text(middle, place_of_line, line, ha="center", va="center_baseline", fontsize=_SIZE, fontweight=weight)
        top += box.height


def _leave(axes: Axes, middle: float, centre: float, lines: Sequence[str]) -> None:
    """The box of those who leave, beside the arrow between two steps."""
    left, height = _EDGE + _MAIN + _BETWEEN, len(lines) * _LINE + _PADDING
    _arrow(axes, (middle, centre), (left, centre))
    _frame(axes, left, centre - height / 2, _SIDE, height, facecolor=PAPER, edgecolor=QUIET, linewidth=0.8)
    for number, line in enumerate(lines):
        place = centre - height / 2 + _PADDING / 2 + (number + 0.5) * _LINE
        axes.text(left + 0.12, place, line, va="center_baseline", fontsize=_SIDE_SIZE)


def _frame(axes: Axes, left: float, top: float, width: float, height: float, **look: Any) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, top), width, height, **look))


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    look = {"arrowstyle": "-|>", "color": QUIET, "lw": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=look)
