"""Measured figures held against `goals.toml`, as a table."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LENIENCE = 2.0
"""How far a figure may stay behind its goal before `make bench-quick` fails."""


@dataclass(frozen=True)
class Figure:
    """What was measured; None, with the reason as `note`, where that was not possible."""

    name: str
    value: float | None
    note: str = ""


@dataclass(frozen=True)
class Goal:
    name: str
    at_least: float | None = None
    at_most: float | None = None
    quick: bool = True
    floor_of_its_own: float | None = None
    why: str = ""

    @property
    def floor(self) -> float:
        """Beyond this `make bench-quick` fails."""
        if self.floor_of_its_own is not None:
            return self.floor_of_its_own
        return self.at_least / LENIENCE if self.at_least is not None else (self.at_most or 0) * LENIENCE

    def is_met(self, value: float) -> bool:
        return self._beyond(value, self.at_least if self.at_least is not None else self.at_most or 0)

    def is_far_off(self, value: float) -> bool:
        return not self._beyond(value, self.floor)

    def _beyond(self, value: float, bound: float) -> bool:
        return value >= bound if self.at_least is not None else value <= bound

    def __str__(self) -> str:
        return f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"


@cache
def goals() -> dict[str, Goal]:
    written = tomllib.loads(Path(__file__).with_name("goals.toml").read_text(encoding="utf-8"))
    return {one["name"]: Goal(**one) for one in written["goal"]}


def table(title: str, figures: Sequence[Figure], *, quick: bool) -> Iterator[str]:
    """The lines of a table in Markdown; with the floors where they count."""
    yield f"| {title} | measured | goal | {'floor | ' if quick else ''}|"
    yield "|---|---|---|---|" + ("---|" if quick else "")
    for one in figures:
        goal = goals().get(one.name)
        value = "not measured" if one.value is None else f"{one.value:.2g}" if one.value < 10 else f"{one.value:.0f}"
        floor = f"{goal.floor:g} | " if quick and goal and goal.quick else "none | " if quick else ""
        yield f"| {one.name} | {value} | {goal or 'none'} | {floor}{_remark(one, goal)} |"


def _remark(figure: Figure, goal: Goal | None) -> str:
    missed = goal is not None and figure.value is not None and not goal.is_met(figure.value)
    why = goal.why if goal and missed else ""
    return "; ".join(word for word in ("misses the goal" if missed else "", why, figure.note) if word)


def far_off(figures: Sequence[Figure]) -> list[Figure]:
    """Those that a quick run fails for: below the floor, or not measured at all."""
    return [one for one in held(figures) if one.value is None or goals()[one.name].is_far_off(one.value)]


def unmeasured(figures: Sequence[Figure]) -> list[Figure]:
    """Those that a quick run should have and has not."""
    measured = {one.name for one in figures}
    return [Figure(one.name, None) for one in goals().values() if one.quick and one.name not in measured]


def held(figures: Sequence[Figure]) -> list[Figure]:
    """Those that have a floor."""
    return [one for one in figures if one.name in goals() and goals()[one.name].quick]
