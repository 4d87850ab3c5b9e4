"""Bars: response rates with their intervals, and adverse events by grade."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fhir_adapter.analysis import wording
from fhir_adapter.analysis.disclosure import hidden_cells
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.study import Study
from fhir_adapter.report.drawing import (
    BLUE,
    FAINT,
    GRADES,
    INK,
    LINE,
    PAPER,
    QUIET,
    Picture,
    picture,
    shown,
    sized_axes,
)
from fhir_adapter.report.grades import GradeRow, told

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _BAR, _NAMES, _NUMBERS = 8.2, 0.34, 2.8, 1.7  # inches
_LONGEST_NAME = 44
_OPEN = 6
_CELLS = (*(f"grade {grade}" for grade in range(6)), "with a grade that is open", "not known")
_LEGEND = ("grade 0", "1", "2", "3", "4", "5", "grade open", "not known")
# The colours of the grades are the same on a dark screen, and so is the writing on them.
_ON_DARK, _ON_LIGHT, _DARK = "#fffffe", "#1d2127", (4, 5)


def response_bars(estimates: Sequence[Estimate], study: Study) -> Picture:
    """Each response rate as a bar, its interval as a line."""
    digits = study.parameters.digits
    said = "; ".join(f"{one.label}: {wording.sentence(one, digits)}" for one in estimates)
    size = (_WIDTH, 0.5 + max(len(estimates), 1) * _BAR)
    return picture("response", "Best response", said, size, lambda figure: _responses(figure, estimates, digits))


def toxicity_bars(rows: Sequence[GradeRow], study: Study) -> Picture:
    """People by worst grade, one bar a term; a row with few people in a cell is not drawn."""
    least = study.parameters.min_cell
    said = "; ".join(
        f"{row.term}: " + ", ".join(f"{number} {name}" for name, number in zip(_CELLS, told(row, least), strict=True))
        for row in rows
    )
    size = (_WIDTH, 0.95 + max(len(rows), 1) * _BAR)
    return picture(
        "toxicity", "Adverse events by worst grade", said, size, lambda figure: _toxicities(figure, rows, least)
    )


def _responses(figure: Figure, estimates: Sequence[Estimate], digits: int) -> None:
    rows = max(len(estimates), 1)
    width = _WIDTH - _NAMES - _NUMBERS
    axes = _rows(sized_axes(figure, _NAMES, 0.1, width, rows * _BAR), [one.label for one in estimates])
    axes.set_xlim(0, 100)
    axes.set_xticks(range(0, 101, 25), [f"{share}%" for share in range(0, 101, 25)])
    for place, one in enumerate(estimates):
        said = " ".join(part for part in (wording.fraction(one), f"({wording.result(one, digits)})") if part)
        axes.text(104, place, said, va="center_baseline", fontsize=9)
        if one.value is None or one.not_estimable:
            continue
        axes.barh(place, 100 * one.value, height=0.55, color=BLUE, alpha=0.75 if place else 1)
        if one.ci_low is not None and one.ci_high is not None:
            axes.plot([100 * one.ci_low, 100 * one.ci_high], [place, place], color=INK, linewidth=1.3, marker="|")


def _toxicities(figure: Figure, rows: Sequence[GradeRow], least: int) -> None:
    from matplotlib.patches import Patch

    number = max(len(rows), 1)
    axes = _rows(
        sized_axes(figure, _NAMES + 0.3, 0.1, _WIDTH - _NAMES - 0.6, number * _BAR), [row.term for row in rows]
    )
    people = max((sum(row.cells) for row in rows), default=1)
    axes.set_xlim(0, max(people, 1))
    axes.set_xlabel("People")
    for place, row in enumerate(rows):
        if hidden_cells(row.cells, least):
            axes.text(people / 2, place, "withheld", ha="center", va="center_baseline", color=QUIET, fontsize=8.5)
            continue
        start = 0
        for cell, count in enumerate(row.cells):
            if count:
                _segment(axes, place, start, count, cell, people)
            start += count
    handles = [Patch(label=label, **_look(cell)) for cell, label in enumerate(_LEGEND)]  # type: ignore[arg-type]  # its keywords are typed one by one
    height = float(figure.get_size_inches()[1])
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.1 / _WIDTH, 0.02 / height),
        ncols=8,
        frameon=False,
        fontsize=8.5,
        handlelength=1.2,
        handletextpad=0.4,
        columnspacing=1.0,
    )


def _segment(axes: Axes, place: int, start: int, count: int, cell: int, people: int) -> None:
    axes.barh(place, count, left=start, height=0.7, **_look(cell))  # type: ignore[arg-type]  # its keywords are typed one by one
    if count / people > 0.02:
        colour = _ON_DARK if cell in _DARK else _ON_LIGHT if cell < _OPEN else INK
        axes.text(start + count / 2, place, str(count), ha="center", va="center_baseline", fontsize=8.5, color=colour)


def _look(cell: int) -> dict[str, object]:
    if cell < _OPEN:
        return {"facecolor": GRADES[cell], "edgecolor": PAPER, "linewidth": 0.6}
    return {"facecolor": PAPER, "edgecolor": FAINT, "linewidth": 0.6, "hatch": "////" if cell == _OPEN else ""}


def _rows(axes: Axes, names: Sequence[str]) -> Axes:
    """Axes with a named row for each bar, the first on top."""
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), [shown(name, _LONGEST_NAME) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    return axes
