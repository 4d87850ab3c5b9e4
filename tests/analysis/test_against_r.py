"""Our numbers beside those of R's survival package on the same times; `reference/README.md` says where they are from.

Where we answer otherwise on purpose, a test of its own says so.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import cache
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.analysis.cox import hazard_ratios
from fhir_adapter.analysis.cumulative_incidence import Incidence, cumulative_incidence
from fhir_adapter.analysis.log_rank import log_rank
from fhir_adapter.analysis.restricted_mean import restricted_mean
from fhir_adapter.analysis.risk_table import RiskTable, risk_table
from fhir_adapter.analysis.survival import Curve, kaplan_meier

REFERENCE = Path(__file__).parent / "reference"
CLOSE = 1e-6
SETS = ("6mp", "aml", "veteran", "study12")
WITH_RATIOS = ("6mp", "aml", "veteran")
WITH_PENALTY = ("6mp", "aml", "study12", "6mp separated")
TYPES: Any = {"plain": "plain", "log": "log", "log-log": "loglog"}
Person = tuple[int, int, str]
Row = dict[str, str]


def read(name: str) -> list[Row]:
    return list(csv.DictReader((REFERENCE / f"{name}.csv").read_text("utf-8").splitlines()))


@cache
def people(name: str) -> list[Person]:
    """Everybody of a set; `separated`: nobody of the first group has an event."""
    known = [(int(row["time"]), int(row["status"]), row["group"]) for row in read(name.partition(" ")[0])]
    if not name.endswith("separated"):
        return known
    return [(time, 0 if group == "6-MP" else status, group) for time, status, group in known]


def groups(name: str) -> list[str]:
    return list(dict.fromkeys(group for *_, group in people(name)))


def expected(name: str, *statistics: str) -> Iterator[Row]:
    rows = [row for row in read("expected") if row["set"] == name and row["statistic"] in statistics]
    assert {row["statistic"] for row in rows} == set(statistics)
    yield from rows


def curve(name: str, group: str, option: str = "log 0.95", *, reverse: bool = False) -> Curve:
    kind, level = option.split()
    those = [(time, status != reverse) for time, status, each in people(name) if each == group]
    days, events = zip(*those, strict=True)
    return kaplan_meier(days, events, ci=TYPES[kind], level=float(level))


def table(name: str) -> RiskTable:
    names = groups(name)
    days, events, in_group = zip(*people(name), strict=True)
    return risk_table(days, events, [names.index(group) for group in in_group], len(names))


def number(row: Row) -> float | None:
    return None if row["value"] == "NA" else float(row["value"])


def differing(found: Sequence[tuple[Row, float | None]]) -> list[tuple[Row, float | None]]:
    """The rows in which we do not say what R says."""
    return [(row, ours) for row, ours in found if not _same(number(row), ours)]


def _same(theirs: float | None, ours: float | None) -> bool:
    if theirs is None or ours is None:
        return theirs is ours
    return bool(ours == pytest.approx(theirs, rel=CLOSE, abs=CLOSE))


@pytest.mark.parametrize("name", SETS)
def test_survival_its_intervals_and_people_at_risk(name: str) -> None:
    found = []
    for row in expected(name, "survival", "lower", "upper", "at risk"):
        known, day = curve(name, row["group"], row["option"]), float(row["time"])
        step = known.at(day)
        if step.survival == 1 and row["statistic"] in ("lower", "upper") and row["option"].startswith("log-log"):
            continue  # test_before_the_first_event_...
        ours = {"survival": step.survival, "lower": step.ci_low, "upper": step.ci_high, "at risk": known.at_risk(day)}
        found.append((row, ours[row["statistic"]]))
    assert differing(found) == []


def test_before_the_first_event_there_is_no_interval_by_log_log() -> None:
    """R has none either, but for the days before the first of the data, where `summary` begins every curve at 1."""
    rows = [row for name in ("study12", "aml") for row in expected(name, "lower", "upper")]
    steps = [(row, curve(row["set"], row["group"], row["option"]).at(float(row["time"]))) for row in rows]
    before = [(row, step) for row, step in steps if step.survival == 1 and row["option"].startswith("log-log")]
    assert {(step.ci_low, step.ci_high) for _, step in before} == {(None, None)}
    assert {row["value"] for row, _ in before} == {"NA", "1"}
    for row in (row for row, _ in before if row["value"] == "1"):
        assert float(row["time"]) < min(time for time, _, group in people(row["set"]) if group == row["group"])


@pytest.mark.parametrize("name", SETS)
def test_medians_and_their_limits_with_the_midpoint_of_flat_stretches(name: str) -> None:
    found = []
    for row in expected(name, "median", "median lower", "median upper"):
        known = curve(name, row["group"], row["option"])
        low, high = known.median_interval("midpoint")
        ours = {"median": known.median("midpoint"), "median lower": low, "median upper": high}
        found.append((row, ours[row["statistic"]]))
    assert differing(found) == []


@pytest.mark.parametrize("name", SETS)
def test_follow_up_by_reverse_kaplan_meier(name: str) -> None:
    rows = expected(name, "reverse median")
    assert differing([(row, curve(name, row["group"], reverse=True).median("midpoint")) for row in rows]) == []


def test_the_first_day_at_one_half_is_not_always_what_r_prints() -> None:
    """Reverse Kaplan-Meier of the maintained: 0.5 from day 45 to day 161. R: their middle, 103."""
    known = curve("aml", "Maintained", reverse=True)
    assert (known.median("first"), known.median("midpoint")) == (45, 103)


@pytest.mark.parametrize("name", SETS)
def test_restricted_means_and_their_standard_errors(name: str) -> None:
    found = []
    for row in expected(name, "restricted mean", "restricted mean se"):
        mean = restricted_mean(curve(name, row["group"]), float(row["time"]))
        found.append((row, mean.standard_error if row["statistic"].endswith("se") else mean.value))
    assert differing(found) == []


@pytest.mark.parametrize("name", SETS)
def test_the_log_rank_test(name: str) -> None:
    test = log_rank(table(name))
    assert test is not None
    ours = {"chi-square": test.chi_square, "p value": test.p_value}
    by_group = dict(zip(groups(name), test.expected, strict=True))
    rows = expected(name, "chi-square", "p value", "expected")
    assert differing([(row, ours.get(row["statistic"], by_group.get(row["group"]))) for row in rows]) == []


@pytest.mark.parametrize("name", WITH_RATIOS)
def test_hazard_ratios_with_efron_s_ties(name: str) -> None:
    ratios = dict(zip(groups(name)[1:], hazard_ratios(table(name), penalised=False), strict=True))
    field = {
        "hazard ratio": "value",
        "log se": "log_standard_error",
        "ratio lower": "ci_low",
        "ratio upper": "ci_high",
        "ratio p": "p_value",
    }
    rows = expected(name, *field)
    assert differing([(row, getattr(ratios[row["group"]], field[row["statistic"]])) for row in rows]) == []


@pytest.mark.parametrize("name", WITH_PENALTY)
def test_penalised_hazard_ratios_also_when_one_group_has_no_event(name: str) -> None:
    (ratio,) = hazard_ratios(table(name), penalised=True)
    field = {
        "penalised ratio": "value",
        "penalised lower": "ci_low",
        "penalised upper": "ci_high",
        "penalised p": "p_value",
    }
    assert differing([(row, getattr(ratio, field[row["statistic"]])) for row in expected(name, *field)]) == []


def incidence(group: str, cause: int, kind: str) -> Incidence:
    those = [(time, status) for time, status, each in people("competing") if group in (each, "everybody")]
    days, causes = zip(*those, strict=True)
    return cumulative_incidence(days, causes, cause, ci=TYPES[kind])


@pytest.mark.parametrize("cause", [1, 2])
def test_cumulative_incidences_with_competing_causes(cause: int) -> None:
    found = []
    for row in expected("competing", *(f"cause {cause} {what}" for what in ("incidence", "se", "lower", "upper"))):
        known, day = incidence(row["group"], cause, row["option"]), float(row["time"])
        step, (low, high) = known.at(day), known.interval(day)
        ours = {"incidence": step.incidence, "se": sqrt(step.variance), "lower": low, "upper": high}
        found.append((row, ours[row["statistic"].rpartition(" ")[2]]))
    assert differing(found) == []
