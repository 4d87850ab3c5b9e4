"""Every number that was worked out for the reference study, against what the demo wrote for its two data cuts."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import pytest
from whole_runs import ROOT, Analysed, Ran, estimates

EXPECTED = json.loads((ROOT / "tests" / "data" / "expected.json").read_bytes())

COUNTS = {
    "male": "baseline.male",
    "extranodal_ge2": "baseline.extranodal_2_or_more",
    "bulky": "baseline.bulky",
    "bsab_refractory_response_based": "failure.refractory",
    "bsab_refractory_pd_within_6mo": "failure.refractory",
    "cd3cd20": "baseline.bsab.CD3xCD20",
    "cd3cd19": "baseline.bsab.CD3xCD19",
    "glofitamab": "baseline.bsab_agent.glofitamab",
    "car_dual": "baseline.car_t.CD19xCD22",
    "cr": "response.cr",
    "pr": "response.pr",
    "crs_any": "crs.any",
    "icans_any": "icans.any",
    "neutropenia_g3": "toxicity.neutrophil-count-decreased.grade3",
    "anemia_g3": "toxicity.anemia.grade3",
    "thrombocytopenia_g3": "toxicity.platelet-count-decreased.grade3",
    "ast_alt_any": "toxicity.alt-ast.any",
    "ddimer_gt_uln": "toxicity.d-dimer.elevated",
    "hypofibrinogenemia_g3": "toxicity.fibrinogen-decreased.grade3",
}
VALUES = {
    "n": "baseline.n",
    "age_median": "baseline.age",
    "ipi_median": "baseline.ipi",
    "lines_median": "baseline.prior_lines",
    "washout_median": "washout.median",
    "fu_simple_median": "followup.median",
    "crs_max": "crs.max",
    "ast_alt_max": "toxicity.alt-ast.max",
}
RANGES = {
    "age_range": "baseline.age",
    "ipi_range": "baseline.ipi",
    "lines_range": "baseline.prior_lines",
    "washout_range": "washout.median",
    "fu_range": "followup.median",
}
CUT_OF = {"cut1_expected": "2025-02-24", "cut2_expected": "2025-08-01"}
# Published with the first cut under the rule of that time; the second cut went over to the response-based rule.
EARLIER_RULE = ("bsab_refractory_pd_within_6mo",)


def rounds_to(value: float | None, printed: float) -> bool:
    """Numbers are printed with one decimal."""
    return value is not None and abs(value - printed) <= 0.05 + 1e-9


FIGURES = [pytest.param(part, name, id=f"{part}-{name}") for part in CUT_OF for name in EXPECTED[part]]


@pytest.mark.parametrize(("part", "name"), FIGURES)
def test_a_published_figure_comes_out(part: str, name: str, demonstrated: Ran, analysed: Analysed) -> None:
    expected = EXPECTED[part][name]
    found = estimates(demonstrated.out / CUT_OF[part])
    if name in EARLIER_RULE:
        found = analysed(data_cut=CUT_OF[part], bsab_status_rule="best_response_or_pd_within", interval_days=183)
    if name in COUNTS:
        assert found[COUNTS[name]]["numerator"] == expected
    elif name in RANGES:
        low, high = found[RANGES[name]]["range_low"], found[RANGES[name]]["range_high"]
        assert rounds_to(low, expected[0])
        assert rounds_to(high, expected[1])
    else:
        assert rounds_to(found[VALUES[name]]["value"], expected)


@pytest.mark.parametrize("part", CUT_OF)
def test_every_person_counts_in_every_proportion(part: str, demonstrated: Ran) -> None:
    found = estimates(demonstrated.out / CUT_OF[part])
    for name in COUNTS.values():
        assert found[name]["denominator"] == EXPECTED[part]["n"], name


def test_survival_at_6_months_of_the_first_cut(demonstrated: Ran) -> None:
    found = estimates(demonstrated.out / "2025-02-24")
    assert rounds_to(100 * found["pfs.6m"]["value"], EXPECTED["cut1_km"]["PFS6_pct"])
    assert rounds_to(100 * found["os.6m"]["value"], EXPECTED["cut1_km"]["OS6_pct"])


def test_exact_intervals_of_every_proportion(demonstrated: Ran) -> None:
    """Every interval that was worked out by hand occurs at one of the cuts."""
    intervals, met = EXPECTED["clopper_pearson_pct"], set()
    for cut in CUT_OF.values():
        for one in estimates(demonstrated.out / cut).values():
            key = f"{one['numerator']}/{one['denominator']}"
            if key in intervals and one["value"] is not None:
                assert rounds_to(100 * one["ci_low"], intervals[key][0]), one["id"]
                assert rounds_to(100 * one["ci_high"], intervals[key][1]), one["id"]
                met.add(key)
    assert met == set(intervals)


CURVES = [(censor, ci) for censor in EXPECTED["results"] for ci in ("plain", "log", "loglog")]


@pytest.mark.parametrize(("censor", "ci"), CURVES)
def test_survival_at_12_months(censor: str, ci: str, analysed: Analysed) -> None:
    expected = EXPECTED["results"][censor]
    found = analysed(pfs_censor=censor, km_ci=ci)
    for name, id in (("PFS12", "pfs.12m"), ("OS12", "os.12m")):
        assert found[id]["value"] == pytest.approx(float(Fraction(expected[name])), abs=1e-12)
        assert rounds_to(100 * found[id]["value"], expected[f"{name}_pct"])
        assert rounds_to(100 * found[id]["ci_low"], expected[f"{name}_ci"][ci][0])
        assert rounds_to(100 * found[id]["ci_high"], expected[f"{name}_ci"][ci][1])
    for name, id in (("PFS_median_days", "pfs.median"), ("OS_median_days", "os.median")):
        assert expected[name] is None
        assert (found[id]["value"], found[id]["not_reached"]) == (None, True)
    for endpoint in ("PFS", "OS"):
        assert events_at_risk(analysed.out, endpoint) == expected[f"{endpoint}_events_nrisk"]


def events_at_risk(out: Path, endpoint: str) -> list[list[int]]:
    """Day of every event, and how many were followed up to that day, counted from the table of times."""
    with (out / "analysis" / "event_times.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["endpoint"] == endpoint]
    days = [int(row["days"]) for row in rows]
    events = sorted(int(row["days"]) for row in rows if row["event"] == "1")
    return [[day, sum(other >= day for other in days)] for day in events]


def test_the_newer_grading_of_the_same_laboratory_values(analysed: Analysed) -> None:
    expected = EXPECTED["ctcae_v6_same_labs"]
    found = analysed(ctcae_version="6.0")
    for name, count in expected.items():
        assert found[COUNTS[name]]["numerator"] == count, name
    rows = (analysed.out / "cohort" / "toxicities.csv").read_text(encoding="utf-8")
    assert ",CTCAE,6.0," in rows
    assert ",CTCAE,5.0," not in rows
