"""Kaplan-Meier curves with the number at risk below, of everybody or of groups side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fhir_adapter.analysis.disclosure import is_small
from fhir_adapter.report.drawing import (
    BLUE,
    GREEN,
    INK,
    LINE,
    ORANGE,
    PURPLE,
    QUIET,
    STYLE,
    VERMILLION,
    Picture,
    picture,
    shown,
    sized_axes,
    ticks_to,
    unless_small,
)
from fhir_adapter.report.inputs import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {"PFS": "Progression-free survival", "OS": "Overall survival"}
_COLOURS = {"PFS": VERMILLION, "OS": BLUE}
# Groups differ by colour and by line.
_SERIES = ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."), (PURPLE, ":"), (ORANGE, (0, (5, 1, 1, 1, 1, 1))), (INK, "-"))
_NOBODY = "Nobody with a follow-up time: no curve."
_WITHHELD = "Withheld: it would tell of too few people."
_WIDTH, _HEIGHT, _ROW, _NAMES = 4.75, 2.75, 0.2, 1.35  # inches: of a panel, of a row below it, of the names of groups
_LONGEST_NAME, _LONGEST_TITLE = 22, 60
_BEFORE, _ABOVE, _AXIS = 0.62, 0.42, 0.72


@dataclass(frozen=True, slots=True)
class Panel:
    """The curves of one endpoint by group; everybody together is a group without a name."""

    endpoint: str
    curves: Mapping[str, Curve | None]

    @property
    def groups(self) -> bool:
        return any(self.curves)

    @property
    def last(self) -> int:
        return max((curve.last_time for curve in self.curves.values() if curve), default=0)

    def few(self, least: int) -> bool:
        """Whether a curve would tell of too few people; of groups none is shown then, for they add up."""
        return any(
            is_small(curve.n, least) or is_small(sum(step.events for step in curve.steps), least)
            for curve in self.curves.values()
            if curve
        )


def survival_picture(
    name: str, title: str, panels: Sequence[Panel], month_days: float, min_cell: int = 0, words: str = ""
) -> Picture:
    """Panels side by side. Below `min_cell` people or events a panel is withheld, and so are fewer people at risk."""
    return picture(
        name, title, words or title, _size(panels), lambda figure: _draw(figure, panels, month_days, min_cell)
    )


def survival_figure(curves: Mapping[str, Curve | None], month_days: float, min_cell: int = 0) -> Figure:
    """The curves of endpoints side by side, to be shown or saved: first the axes of the curves, then of the numbers."""
    import matplotlib
    from matplotlib.figure import Figure

    panels = [Panel(endpoint, {"": curve}) for endpoint, curve in curves.items()]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=_size(panels))
        _draw(figure, panels, month_days, min_cell)
    return figure


def _size(panels: Sequence[Panel]) -> tuple[float, float]:
    rows = max((len(panel.curves) for panel in panels), default=1)
    return max(len(panels), 1) * _WIDTH, _ABOVE + _HEIGHT + _AXIS + rows * _ROW + 0.1


def _draw(figure: Figure, panels: Sequence[Panel], month_days: float, min_cell: int) -> None:
    left, places = 0.0, []
    for panel in panels:
        before = _NAMES + 0.2 if panel.groups else _BEFORE
        places.append((left + before, _WIDTH - before - 0.2))
        left += _WIDTH
    ticks = ticks_to(max((panel.last for panel in panels), default=0) / month_days)
    for panel, (start, width) in zip(panels, places, strict=True):
        _curves(sized_axes(figure, start, _ABOVE, width, _HEIGHT), panel, month_days, ticks, min_cell)
    for panel, (start, width) in zip(panels, places, strict=True):
        rows = len(panel.curves) * _ROW
        below = sized_axes(figure, start, _ABOVE + _HEIGHT + _AXIS, width, rows)
        _numbers(below, panel, month_days, ticks, min_cell)


def _curves(axes: Axes, panel: Panel, month_days: float, ticks: Sequence[int], min_cell: int) -> None:
    axes.set_title(
        TITLES.get(panel.endpoint) or shown(panel.endpoint, _LONGEST_TITLE), loc="left", fontsize=11, fontweight="bold"
    )
    axes.set_ylim(0, 104)
    axes.set_yticks(range(0, 101, 25), [f"{share}%" for share in range(0, 101, 25)])
    _months(axes, ticks)
    axes.set_xticks(ticks)
    axes.tick_params(length=3)
    axes.set_xlabel("Months after the start")
    axes.grid(axis="y", color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    known = {name: curve for name, curve in panel.curves.items() if curve}
    if not known or panel.few(min_cell):
        axes.text(0.5, 0.5, _WITHHELD if known else _NOBODY, transform=axes.transAxes, ha="center", color=QUIET)
        return
    for number, (name, curve) in enumerate(panel.curves.items()):
        if curve:
            _curve(axes, curve, month_days, *_series(panel, name, number), len(known) == 1)


def _series(panel: Panel, name: str, number: int) -> tuple[str, object]:
    return _SERIES[number % len(_SERIES)] if name else (_COLOURS.get(panel.endpoint, INK), "-")


def _curve(axes: Axes, curve: Curve, month_days: float, colour: str, dashes: object, alone: bool) -> None:
    """The step, its interval where no other curve is in the way, and a tick for every day with a censoring."""
    times = [step.time / month_days for step in curve.steps]
    shares = [100 * step.survival for step in curve.steps]
    low = [100 * (step.survival if step.ci_low is None else step.ci_low) for step in curve.steps]
    high = [100 * (step.survival if step.ci_high is None else step.ci_high) for step in curve.steps]
    if alone:
        axes.fill_between(times, low, high, step="post", color=colour, alpha=0.15, linewidth=0)
    axes.step(times, shares, where="post", color=colour, linewidth=1.9, linestyle=dashes)
    censored = [index for index, step in enumerate(curve.steps) if step.censored]
    where = [times[index] for index in censored], [shares[index] for index in censored]
    axes.plot(*where, linestyle="", marker="|", color=colour, markersize=8, markeredgewidth=1.3)


def _numbers(axes: Axes, panel: Panel, month_days: float, ticks: Sequence[int], min_cell: int) -> None:
    """The number at risk under each tick, a row for each group; the name of a row carries the line of its curve."""
    axes.axis("off")
    rows = len(panel.curves)
    axes.set_ylim(rows, 0)
    _months(axes, ticks)
    axes.text(0, 1.02, "Number at risk", transform=axes.transAxes, fontsize=8.5, color=QUIET, va="bottom")
    for number, (name, curve) in enumerate(panel.curves.items()):
        colour, dashes = _series(panel, name, number)
        if name:
            across = axes.figure.get_size_inches()[0]  # type: ignore[union-attr]  # no axes of ours are of a sub-figure
            inch = 1 / (axes.get_position().width * across)
            start, middle = -_NAMES * inch, 1 - (number + 0.5) / rows
            line = ([start, start + 0.28 * inch], [middle, middle])
            axes.plot(*line, color=colour, linestyle=dashes, lw=1.9, transform=axes.transAxes, clip_on=False)
            axes.text(
                start + 0.34 * inch,
                middle,
                shown(name, _LONGEST_NAME),
                transform=axes.transAxes,
                va="center_baseline",
                fontsize=8.5,
            )
        for tick in ticks if curve and not panel.few(min_cell) else ():
            left = curve.at_risk(tick * month_days) if curve else 0
            axes.text(tick, number + 0.5, unless_small(left, min_cell), ha="center", va="center_baseline", fontsize=9)


def _months(axes: Axes, ticks: Sequence[int]) -> None:
    axes.set_xlim(-0.02 * ticks[-1], ticks[-1] * 1.02)
