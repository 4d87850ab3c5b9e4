"""Who was at risk in each group on every day with an event: all that a comparison of groups needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fhir_adapter.analysis.guards import checked_groups


@dataclass(frozen=True, slots=True)
class RiskTable:
    """One row for each day with an event, in order: people at risk and events, each by group."""

    at_risk: tuple[tuple[int, ...], ...]
    events: tuple[tuple[int, ...], ...]

    @property
    def all_events(self) -> int:
        return sum(map(sum, self.events))


def risk_table(days: Sequence[int], events: Sequence[int | bool], groups: Sequence[int], number: int) -> RiskTable:
    """The table of people in groups 0 to `number` - 1; `groups` has the group of each of the `days`.

    Raises `TimesRefused` for times, codes or groups that mean nothing, and for a group with nobody in it.
    """
    times, codes = checked_groups(days, events, groups, number)
    people = list(zip(times, codes, groups, strict=True))
    ended = Counter((time, group) for time, _, group in people)
    counted = Counter((time, group) for time, code, group in people if code)
    left = [sum(group == each for each in groups) for group in range(number)]
    at_risk, rows = [], []
    for time in sorted(set(times)):
        row = tuple(counted[time, group] for group in range(number))
        if any(row):
            at_risk.append(tuple(left))
            rows.append(row)
        left = [people - ended[time, group] for group, people in enumerate(left)]
    return RiskTable(tuple(at_risk), tuple(rows))
