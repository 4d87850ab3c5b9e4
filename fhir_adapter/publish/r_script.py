"""`km.R`: computes the Kaplan-Meier estimates of a result again, from its `adtte.csv`, and compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files

from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.study import Study
from fhir_adapter.publish.codebook import columns
from fhir_adapter.publish.csv_table import Cell, write_table

_INTERVALS = {"loglog": "log-log", "log": "log", "plain": "plain"}  # ours, and conf.type of survfit
_EXPECTED = ("id", "paramcd", "months", "value", "low", "high", "n", "events", "at_risk")


def km_script(estimates: Sequence[Estimate], study: Study) -> bytes:
    """The script, with the study's interval, months and numbers in it. Needs R with its package survival."""
    settings = study.parameters
    script = (files("fhir_adapter.publish") / "km.R").read_text(encoding="utf-8")
    filled = {
        "@interval@": _INTERVALS[settings.km_ci],
        "@level@": repr(settings.ci_level),
        "@month_days@": str(settings.month_days),
        "@tie@": settings.km_median_tie,
        "@expected@\n": write_table(_EXPECTED, _expected(estimates)).decode(),
    }
    for name, value in filled.items():
        script = script.replace(name, value)
    return script.encode()


def _expected(estimates: Sequence[Estimate]) -> Iterator[dict[str, Cell]]:
    """The estimates that `adtte.csv` alone gives: curves of everybody who has the endpoint, no subgroups."""
    endpoints = next(one.codes for one in columns("adtte") if one.name == "PARAMCD")
    for one in estimates:
        whole = one.endpoint in endpoints and one.method == "kaplan-meier" and "=" not in one.population
        if whole and not one.not_estimable and not one.suppressed:
            yield {
                "id": one.id,
                "paramcd": one.endpoint,
                "months": one.timepoint_months,
                "value": one.value,
                "low": one.ci_low,
                "high": one.ci_high,
                "n": one.n,
                "events": one.events,
                "at_risk": one.at_risk,
            }
