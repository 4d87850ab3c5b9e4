"""Where a mark of a lane goes on the axis, in pixels; how high it stands is for its lane to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.report.timeline.axis import Axis
from fhir_adapter.report.timeline.lanes import Mark
from fhir_adapter.report.timeline.lettering import fitted, width

SIZE = 12  # of the type
_LONGEST_CHIP = 150
_LEAST = 3  # pixels that can still be seen
_HALF = {"dose": 2, "tick": 1}  # of the width of a sign
_HALF_SIGN, _BESIDE = 6, 10

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Lettering:
    """A text and where it stands."""

    text: str
    x: float
    anchor: Anchor = "middle"

    @property
    def span(self) -> tuple[float, float]:
        long = width(self.text, SIZE)
        begin = {"start": self.x, "middle": self.x - long / 2, "end": self.x - long}[self.anchor]
        return begin, begin + long


@dataclass(frozen=True, slots=True)
class Placed:
    """A mark: the box it fills from `left` to `right`, and, for a day not known exactly, all the days it can be.

    `sure` is the part that is filled whatever these days are; None when there is no such part.
    """

    mark: Mark
    left: float
    right: float
    lettering: Lettering
    vague: tuple[tuple[float, float], ...]
    sure: tuple[float, float] | None
    y: float = 0.0

    @property
    def x(self) -> float:
        return (self.left + self.right) / 2

    @property
    def end(self) -> float:
        """Where the end of a length is marked: in the middle of the days that it can be."""
        return (self.right + (self.sure[1] if self.sure else self.left)) / 2

    @property
    def taken(self) -> tuple[float, float]:
        """The room that the mark takes with its text."""
        left, right = self.lettering.span if self.lettering.text else (self.left, self.right)
        return min(self.left, left), max(self.right, right)


def place(mark: Mark, axis: Axis) -> Placed:
    """The mark on the axis."""
    until = mark.until or mark.on
    vague = tuple(axis.span(day) for day in dict.fromkeys((mark.on, until)) if not day.exact)
    if mark.shape == "chip":
        left, right, lettering = _chip(mark, axis)
        return Placed(mark, left, right, lettering, vague, (left, right))
    if mark.shape in ("line", "length") or (mark.shape == "dose" and until != mark.on):
        return _bar(mark, until, axis, vague)
    x, half = axis.middle(mark.on), _HALF.get(mark.shape, _HALF_SIGN)
    return Placed(mark, x - half, x + half, _beside(mark.text, x, axis), vague, (x - half, x + half))


def _chip(mark: Mark, axis: Axis) -> tuple[float, float, Lettering]:
    text = fitted(mark.text, SIZE, _LONGEST_CHIP, bold=True)
    half = width(text, SIZE, bold=True) / 2 + 6
    x = min(max(axis.middle(mark.on), axis.left + half), axis.right - half)
    return x - half, x + half, Lettering(text, x)


def _beside(text: str, x: float, axis: Axis) -> Lettering:
    if x + _BESIDE + width(text, SIZE) <= axis.right:
        return Lettering(text, x + _BESIDE, "start")
    return Lettering(text, x - _BESIDE, "end")


def _bar(mark: Mark, until: PartialDate, axis: Axis, vague: tuple[tuple[float, float], ...]) -> Placed:
    begin, end = (axis.noon, axis.noon) if mark.shape == "length" else (axis.x, axis.night)
    left, right = _visible(begin(mark.on.earliest), end(until.latest))
    sure = begin(mark.on.latest), end(until.earliest)
    is_sure = sure[0] < sure[1] or mark.on == until
    lettering = _in_bar(mark, left, right, axis)
    return Placed(mark, left, right, lettering, vague, _visible(*sure) if is_sure else None)


def _visible(left: float, right: float) -> tuple[float, float]:
    """Both ends, as far apart as can be seen."""
    missing = max(0.0, _LEAST - (right - left)) / 2
    return left - missing, right + missing


def _in_bar(mark: Mark, left: float, right: float, axis: Axis) -> Lettering:
    """In the bar if the text fits, else beside it."""
    room, middle = width(mark.text, SIZE) + 14, (left + right) / 2
    if room <= right - left:
        return Lettering(mark.text, middle)
    if mark.shape == "line":  # lines of therapy follow upon one another: there is no room beside
        return Lettering(_line_text(mark.text, right - left - 6), middle)
    if right + room <= axis.right:
        return Lettering(mark.text, right + 9, "start")
    return Lettering(mark.text, left - 9, "end")


def _line_text(text: str, room: float) -> str:
    """The number of a line and as much of its drugs as is worth reading."""
    number, _, drugs = text.partition("  ")
    short = fitted(drugs, SIZE, room - width(f"{number}  ", SIZE))
    return f"{number}  {short}" if len(short) > 3 else number
