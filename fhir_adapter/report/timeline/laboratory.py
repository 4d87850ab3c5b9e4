"""Laboratory values as small curves along the same axis: one panel for each observable, with its normal range."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Literal

from fhir_adapter.cohort.events import Lab
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.report.timeline.axis import Axis
from fhir_adapter.report.timeline.facts import Fact, limits, pretty
from fhir_adapter.report.timeline.person import Person

HEIGHT = 46
_MARGIN = 8
_LOGARITHMIC_FROM = 20  # largest over smallest value: from here on a straight scale hides the small ones
_SMALL = 1e-4  # is written as a power of ten

Place = Literal["low", "normal", "high"]


@dataclass(frozen=True, slots=True)
class Point:
    """One value; `place` is where it lies beside its own limits. A grade rests on the `worst` one."""

    x: float
    y: float
    left: float
    right: float
    place: Place
    bounded: bool
    tells: str
    worst: bool


@dataclass(frozen=True, slots=True)
class Band:
    """A normal range, as long as it was in force."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Panel:
    """The values of one observable; every `y` is counted from the top of the panel."""

    name: str
    note: str
    worst: str
    top_value: str
    bottom_value: str
    bands: tuple[Band, ...]
    curves: tuple[str, ...]
    points: tuple[Point, ...]
    section: str = "Laboratory"


Dated = tuple[PartialDate, Lab, Fact]


def panels_of(person: Person, facts: Sequence[Fact], axis: Axis) -> tuple[Panel, ...]:
    """A panel for each observable with a dated value: first what the study grades, in its order."""
    by_name: dict[str, list[Dated]] = {}
    for fact in facts:
        if isinstance(fact.event, Lab) and fact.on:
            by_name.setdefault(fact.event.observable, []).append((fact.on, fact.event, fact))
    graded = list(dict.fromkeys([clause.observable for clause in person.study.grading]))
    order = sorted(by_name, key=lambda one: (graded.index(one) if one in graded else len(graded), one))
    return tuple(_panel(person, name, by_name[name], axis) for name in order)


def _panel(person: Person, name: str, values: Sequence[Dated], axis: Axis) -> Panel:
    values = sorted(values, key=lambda one: axis.middle(one[0]))
    drawn = [one for _, lab, _ in values for one in (lab.value, lab.lower_limit, lab.upper_limit)]
    numbers = [float(one) for one in drawn if one is not None]
    low, high, last = min(numbers), max(numbers), values[-1][1]
    height = _scale(low, high)
    normal = f"normal {limits(last, short)}" if limits(last) else "limits not told"
    return Panel(
        name=person.study.display(name).partition(",")[0].partition(" in ")[0],
        note=" · ".join(filter(None, (pretty(last.unit), normal))),
        worst=_worst(person, values),
        top_value=short(high),
        bottom_value=short(low) if low < high else "",
        bands=tuple(_bands(values, axis, height)),
        curves=tuple(_curves(values, axis, height)),
        points=tuple(_points(person, values, axis, height)),
    )


def _key(lab: Lab) -> tuple[str, str]:
    return lab.observable, str(lab.source)


def _worst(person: Person, values: Sequence[Dated]) -> str:
    """The value that a grade rests on, with the grade if there is one."""
    for _, lab, _ in values:
        if found := person.graded.get(_key(lab)):
            graded = f", grade {found.grade}" if found.grade else ""
            return f"worst {lab.comparator}{short(lab.value)}{graded}"
    return ""


def _scale(low: float, high: float) -> Callable[[float], float]:
    """Value → pixels below the top of the panel; logarithmic when the values are far apart."""
    is_logarithmic = low > 0 and high / low >= _LOGARITHMIC_FROM
    measure: Callable[[float], float] = math.log if is_logarithmic else float
    if low == high:
        return lambda _: HEIGHT / 2
    begin, length = measure(low), measure(high) - measure(low)
    return lambda value: HEIGHT - _MARGIN - (HEIGHT - 2 * _MARGIN) * (measure(value) - begin) / length


def _points(person: Person, values: Sequence[Dated], axis: Axis, height: Callable[[float], float]) -> Iterator[Point]:
    for on, lab, fact in values:
        at = axis.middle(on), height(float(lab.value)), *axis.span(on)
        yield Point(*at, _beside_limits(lab), bool(lab.comparator), fact.tells, _key(lab) in person.graded)


def _beside_limits(lab: Lab) -> Place:
    """A bound counts as low or high only when it proves it."""
    if lab.lower_limit is not None and lab.comparator not in (">", ">=") and lab.value < lab.lower_limit:
        return "low"
    if lab.upper_limit is not None and lab.comparator not in ("<", "<=") and lab.value > lab.upper_limit:
        return "high"
    return "normal"


def _curves(values: Sequence[Dated], axis: Axis, height: Callable[[float], float]) -> Iterator[str]:
    """One line for each stretch: across a change of scale a slope would mean nothing. Vague days are in none."""
    exact = [(on, lab) for on, lab, _ in values if on.exact]
    for _, some in groupby(exact, key=lambda one: axis.stretch(one[0].earliest)):
        points = [f"{axis.middle(on):.1f},{height(float(lab.value)):.1f}" for on, lab in some]
        if len(points) > 1:
            yield " ".join(points)


def _bands(values: Sequence[Dated], axis: Axis, height: Callable[[float], float]) -> Iterator[Band]:
    """The range of each value holds from halfway after the value before to halfway before the next."""
    middles = [axis.middle(on) for on, _, _ in values]
    borders = [axis.left, *((one + following) / 2 for one, following in pairwise(middles)), axis.right]
    held = zip((lab for _, lab, _ in values), pairwise(borders), strict=True)
    for (low, high), some in groupby(held, key=lambda one: (one[0].lower_limit, one[0].upper_limit)):
        spans = [span for _, span in some]
        top = height(float(high)) if high is not None else 0.0
        bottom = height(float(low)) if low is not None else float(HEIGHT)
        if low is not None or high is not None:
            yield Band(spans[0][0], top, spans[-1][1] - spans[0][0], bottom - top)


def short(value: float | Decimal) -> str:
    """Three digits that matter, and all of a whole number."""
    number = float(value)
    if abs(number) < _SMALL:
        return f"{number:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(number))))
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
