"""Kaplan-Meier figures with the number at risk below, as SVG and PNG. Equal input gives equal bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fhir_adapter.analysis.disclosure import is_small
from fhir_adapter.report.inputs import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {"PFS": "Progression-free survival", "OS": "Overall survival"}
_COLOURS = {"PFS": "#9a3b26", "OS": "#1f5673"}
_INK, _FAINT = "#222222", "#8a8a8a"
# matplotlib types every key of its settings one by one.
_STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
    "font.size": 9.5,
    "figure.constrained_layout.w_pad": 0.09,
    "figure.constrained_layout.h_pad": 0.07,
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}
_UNDATED: dict[str, None] = {"Date": None, "Creator": None, "Format": None, "Type": None}
_MOST_TICKS = 9
_NOBODY = "Nobody with a follow-up time: no curve."
_WITHHELD = "Withheld: it would tell of too few people."
# Two figures on one page must not share element ids: each id and each reference to one gets a prefix.
_TAG = re.compile(r"<[A-Za-z][^<>]*>")
_ID = re.compile(r'(\bid="|href="#|url\(#)')


def survival_svg(endpoint: str, curve: Curve | None, month_days: float, min_cell: int = 0) -> bytes:
    """One curve as an SVG document; without anybody to follow, an empty figure that says so.

    With `min_cell` a curve of fewer people or events is withheld, and so are fewer people at risk.
    """
    import matplotlib

    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": endpoint}):
        figure = _figure({endpoint: curve}, month_days, (7.2, 4.3), min_cell)
        return _svg(figure, endpoint)


def survival_figure(curves: Mapping[str, Curve | None], month_days: float, min_cell: int = 0) -> Figure:
    """All curves side by side, to be shown or saved."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        return _figure(curves, month_days, (6.2 * max(len(curves), 1), 4.3), min_cell)


def survival_png(curves: Mapping[str, Curve | None], month_days: float, min_cell: int = 0) -> bytes:
    """All curves side by side as a PNG."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        figure = survival_figure(curves, month_days, min_cell)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=130, facecolor="white", metadata={"Software": None})
        return buffer.getvalue()


def inline(svg: bytes) -> str:
    """The SVG as an element of an HTML page: no XML declaration, no DOCTYPE."""
    text = svg.decode("utf-8")
    return text[text.index("<svg") :].strip()


def _figure(curves: Mapping[str, Curve | None], month_days: float, size: tuple[float, float], min_cell: int) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(2, len(curves), squeeze=False, sharex="col", height_ratios=[9, 1])
    last = max((curve.last_time for curve in curves.values() if curve), default=0) / month_days
    ticks = _ticks(last)
    for column, (endpoint, curve) in enumerate(curves.items()):
        shown = None if curve and _has_few(curve, min_cell) else curve
        _draw(grid[0][column], endpoint, shown, month_days, ticks, _WITHHELD if curve else _NOBODY)
        _count(grid[1][column], shown, month_days, ticks, min_cell)
    return figure


def _has_few(curve: Curve, min_cell: int) -> bool:
    return is_small(curve.n, min_cell) or is_small(sum(step.events for step in curve.steps), min_cell)


def _draw(axes: Axes, endpoint: str, curve: Curve | None, month_days: float, ticks: Sequence[int], empty: str) -> None:
    colour = _COLOURS.get(endpoint, _INK)
    axes.set_title(TITLES.get(endpoint, endpoint), loc="left", fontsize=11, fontweight="bold")
    axes.set_ylim(0, 104)
    axes.set_yticks(range(0, 101, 25), [f"{share}%" for share in range(0, 101, 25)])
    axes.set_xlim(-0.02 * ticks[-1], ticks[-1] * 1.02)
    axes.set_xticks(ticks)
    axes.tick_params(labelbottom=True, length=3)
    axes.set_xlabel("Months after the start; shaded: confidence interval; ticks: people censored", color=_FAINT)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    if curve is None:
        axes.text(0.5, 0.5, empty, transform=axes.transAxes, ha="center")
        return
    _curve(axes, curve, month_days, colour)


def _curve(axes: Axes, curve: Curve, month_days: float, colour: str) -> None:
    """The step, its interval, and a tick for every day with a censoring."""
    times = [step.time / month_days for step in curve.steps]
    shares = [100 * step.survival for step in curve.steps]
    low = [100 * (step.survival if step.ci_low is None else step.ci_low) for step in curve.steps]
    high = [100 * (step.survival if step.ci_high is None else step.ci_high) for step in curve.steps]
    axes.fill_between(times, low, high, step="post", color=colour, alpha=0.13, linewidth=0)
    axes.step(times, shares, where="post", color=colour, linewidth=1.8)
    censored = [index for index, step in enumerate(curve.steps) if step.censored]
    where = [times[index] for index in censored], [shares[index] for index in censored]
    axes.plot(*where, linestyle="", marker="|", color=colour, markersize=8)


def _count(axes: Axes, curve: Curve | None, month_days: float, ticks: Sequence[int], min_cell: int) -> None:
    """The number at risk under each tick."""
    axes.axis("off")
    axes.set_ylim(0, 1)
    axes.text(0, 1, "Number at risk", transform=axes.transAxes, fontsize=8.5, color=_FAINT, va="bottom")
    for tick in ticks if curve else ():
        left = curve.at_risk(tick * month_days) if curve else 0
        axes.text(tick, 0.3, f"<{min_cell}" if is_small(left, min_cell) else str(left), ha="center", va="center")


def _ticks(last: float) -> list[int]:
    """Whole months from 0 to the end of the follow-up, at most nine of them."""
    step = next(width for width in (1, 2, 3, 6, 12, 24, 60, 120, 1200) if last / width <= _MOST_TICKS)
    return list(range(0, int(last) + step + 1, step))


def _svg(figure: Figure, endpoint: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata=_UNDATED)
    text = buffer.getvalue().decode("utf-8")
    prefix = re.sub(r"[^a-z]", "", endpoint.lower())
    text = _TAG.sub(lambda tag: _ID.sub(rf"\g<1>{prefix}-", tag[0]), text)
    label = f'role="img" aria-label="{TITLES.get(endpoint, "Survival")}, Kaplan-Meier curve"'
    return text.replace("<svg ", f"<svg {label} ", 1).encode("utf-8")
