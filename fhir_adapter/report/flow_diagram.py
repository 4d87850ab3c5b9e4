"""The STROBE flow diagram: a box for who remains after each step, beside it a box for who left, and why."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.cohort.study import Study
from fhir_adapter.report.attrition import RECEIVED, Attrition, steps_of
from fhir_adapter.report.drawing import BLUE, INK, PAPER, QUIET, WASH, Picture, picture, shown, sized_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _MAIN, _SIDE, _BETWEEN = 7.4, 3.0, 3.7, 0.6  # inches
_LINE, _PADDING, _GAP = 0.19, 0.13, 0.2
_MAIN_LETTERS, _SIDE_LETTERS = 36, 47
_LONGEST = 120
_SIZE = 9.5


@dataclass(frozen=True, slots=True)
class Box:
    """Lines of text, the first of them in bold; `left` is the box of those who leave before it."""

    lines: tuple[str, ...]
    left: tuple[str, ...] = ()

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + _PADDING

    @property
    def room(self) -> float:
        """Height of the arrow that leads to this box; the box of those who leave stands beside it."""
        return max(len(self.left) * _LINE + _PADDING, 0.0) + 2 * _GAP if self.left else 1.6 * _GAP


def flow_diagram(flow: Sequence[FlowRow], study: Study) -> Picture:
    """The diagram of everybody, from the records to the cohort."""
    steps = steps_of(flow, study)
    boxes = boxes_of(steps)
    height = sum(box.height + (box.room if place else 0) for place, box in enumerate(boxes)) + 0.2

    def draw(figure: object) -> None:
        axes = sized_axes(figure, 0, 0, _WIDTH, height)  # type: ignore[arg-type]
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
    top, middle = 0.1, _MAIN / 2 + 0.1
    for place, box in enumerate(boxes):
        if place:
            bottom = top + box.room
            axes.annotate(
                "",
                (middle, bottom),
                (middle, top),
                arrowprops={"arrowstyle": "-|>", "color": QUIET, "lw": 1, "shrinkA": 0, "shrinkB": 0},
            )
            if box.left:
                beside = _MAIN + 0.1 + _BETWEEN
                centre = (top + bottom) / 2
                axes.annotate(
                    "",
                    (beside, centre),
                    (middle, centre),
                    arrowprops={"arrowstyle": "-|>", "color": QUIET, "lw": 1, "shrinkA": 0, "shrinkB": 0},
                )
                _box(axes, beside, centre - (len(box.left) * _LINE + _PADDING) / 2, _SIDE, box.left, side=True)
            top = bottom
        _box(axes, 0.1, top, _MAIN, box.lines, last=place == len(boxes) - 1)
        top += box.height


def _box(
    axes: Axes, left: float, top: float, width: float, lines: Sequence[str], *, side: bool = False, last: bool = False
) -> None:
    from matplotlib.patches import Rectangle

    height = len(lines) * _LINE + _PADDING
    edge = BLUE if last else QUIET
    axes.add_patch(
        Rectangle(
            (left, top),
            width,
            height,
            facecolor=PAPER if side else WASH,
            edgecolor=edge,
            linewidth=1.6 if last else 0.8,
        )
    )
    for number, line in enumerate(lines):
        at = (left + (0.12 if side else width / 2), top + _PADDING / 2 + (number + 0.5) * _LINE)
        bold = not side and number == len(lines) - 1
        axes.text(
            *at,
            line,
            ha="left" if side else "center",
            va="center_baseline",
            fontsize=_SIZE - (0.7 if side else 0),
            fontweight="bold" if bold else "normal",
            color=INK,
        )
