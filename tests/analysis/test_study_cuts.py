"""Both data cuts of the reference study, against worked-out answers and the published tables."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from judged_people import CUT_1, CUT_2, TABLES, study, twelve

from fhir_adapter.analysis import published
from fhir_adapter.analysis.endpoints import event_times
from fhir_adapter.analysis.estimates import estimate, remarks
from fhir_adapter.analysis.rounding import half_up
from fhir_adapter.analysis.survival import curve
from fhir_adapter.cohort.case import case_of
from fhir_adapter.cohort.estimate import Estimate, EventTime

EXPECTED: dict[str, Any] = json.loads((Path(__file__).parent / "expected.json").read_text())
PUBLISHED = TABLES.parents[1] / "mappings" / "bsab-cart-dlbcl" / "published"


def times_at(cut: date, **parameters: Any) -> list[EventTime]:
    asked = study(data_cut=cut, **parameters)
    return [time for person in twelve(cut, asked) for time in event_times(person, asked)[0]]


def estimates_at(cut: date, **parameters: Any) -> dict[str, Estimate]:
    asked = study(data_cut=cut, **parameters)
    answers = estimate(list(map(case_of, twelve(cut, asked))), times_at(cut, **parameters), [], asked)
    return {one.id: one for one in answers}


def printed(values: tuple[float | None, ...]) -> list[float]:
    return [float(half_up(100 * value, 1)) for value in values if value is not None]


@pytest.mark.parametrize(("cut", "table"), [(CUT_1, "cut1"), (CUT_2, "cut2")])
def test_every_time_of_both_cuts_is_the_one_in_the_outcome_tables(cut: date, table: str) -> None:
    rows = published.csv.DictReader((TABLES / f"study12_outcomes_{table}.csv").read_text().splitlines())
    expected = {
        (row["id"], name): (int(row[f"{name}_t"]), row[f"{name}_e"] == "1") for row in rows for name in ("os", "pfs")
    }
    found = {
        (time.subject_id, time.endpoint.lower()): (time.days, time.event)
        for time in times_at(cut)
        if time.endpoint in ("OS", "PFS")
    }
    assert found == expected


@pytest.mark.parametrize("censor", ["last_assessment", "last_contact"])
def test_twelve_month_survival_and_events_at_risk_by_censoring_rule(censor: str) -> None:
    expected = EXPECTED["results"][censor]
    found = estimates_at(CUT_2, pfs_censor=censor)
    for endpoint in ("PFS", "OS"):
        known = curve(times_at(CUT_2, pfs_censor=censor), endpoint, study())
        assert known is not None
        numerator, denominator = map(int, expected[f"{endpoint}12"].split("/"))
        at_12 = found[f"{endpoint.lower()}.12m"]
        assert at_12.value == pytest.approx(numerator / denominator, abs=1e-12)
        assert printed((at_12.value,)) == [expected[f"{endpoint}12_pct"]]
        assert at_12.numerator is None
        assert found[f"{endpoint.lower()}.median"].not_reached
        assert expected[f"{endpoint}_median_days"] is None
        assert [[s.time, s.at_risk] for s in known.steps if s.events] == expected[f"{endpoint}_events_nrisk"]


@pytest.mark.parametrize("kind", ["plain", "log", "loglog"])
@pytest.mark.parametrize("censor", ["last_assessment", "last_contact"])
def test_twelve_month_intervals_of_every_kind_to_the_printed_digit(censor: str, kind: str) -> None:
    found = estimates_at(CUT_2, pfs_censor=censor, km_ci=kind)
    for endpoint in ("PFS", "OS"):
        one = found[f"{endpoint.lower()}.12m"]
        assert printed((one.ci_low, one.ci_high)) == EXPECTED["results"][censor][f"{endpoint}12_ci"][kind]


def test_the_first_cut_gives_its_six_month_figures_and_cannot_give_twelve() -> None:
    found = estimates_at(CUT_1)
    assert printed((found["pfs.6m"].value, found["os.6m"].value)) == [
        EXPECTED["cut1_km"]["PFS6_pct"],
        EXPECTED["cut1_km"]["OS6_pct"],
    ]
    assert found["pfs.6m"].value == pytest.approx(80 / 99, abs=1e-12)
    assert printed((found["pfs.6m"].ci_low, found["pfs.6m"].ci_high)) == [42.3, 94.9]
    for name in ("pfs.12m", "os.12m"):
        assert found[name].value is None
        assert found[name].not_estimable == "nobody was followed that long"


def test_follow_up_is_nine_point_three_months_by_both_methods() -> None:
    found = estimates_at(CUT_2)
    assert half_up(found["followup.median"].value or 0, 1) == "9.3"
    assert (found["followup.reverse_km"].value or 0) * 30.4375 == pytest.approx(284)


@pytest.mark.parametrize(("cut", "table"), [(CUT_1, "cut1_expected"), (CUT_2, "cut2_expected")])
def test_the_baseline_and_toxicity_counts_of_both_cuts(cut: date, table: str) -> None:
    found = estimates_at(cut)
    counts = {
        "male": "baseline.male",
        "extranodal_ge2": "baseline.extranodal_2_or_more",
        "bulky": "baseline.bulky",
        "bsab_refractory_response_based": "failure.refractory",
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
    values = {"n": "baseline.n", "crs_max": "crs.max", "ast_alt_max": "toxicity.alt-ast.max"}
    medians = {
        "age": "baseline.age",
        "ipi": "baseline.ipi",
        "lines": "baseline.prior_lines",
        "washout": "washout.median",
    }
    expected = dict(EXPECTED[table])
    for key in ("fu_simple_median", "fu_range", "bsab_refractory_pd_within_6mo"):
        expected.pop(key, None)
    assert expected == {
        **{key: found[name].numerator for key, name in counts.items() if key in expected},
        **{key: found[name].value for key, name in values.items() if key in expected},
        **{f"{key}_median": found[name].value for key, name in medians.items() if f"{key}_median" in expected},
        **{
            f"{key}_range": [found[name].range_low, found[name].range_high]
            for key, name in medians.items()
            if f"{key}_range" in expected
        },
    }


@pytest.mark.parametrize("cut", [CUT_1, CUT_2])
def test_every_published_number_of_both_cuts_comes_out(cut: date) -> None:
    rows = published.parse((PUBLISHED / f"{cut}.csv").read_text("utf-8"))
    needed = {key: dict(text.split("=") for text in key) for key in published.settings(rows)}
    answers = {key: estimates_at(cut, **parameters).values() for key, parameters in needed.items()}
    assert [row for row in published.compare(answers, rows) if not row.same] == []
    assert len(rows) > 25


def test_the_first_cut_counts_everybody_as_refractory_only_under_the_interval_rule() -> None:
    """The two abstracts used different rules."""
    assert estimates_at(CUT_1)["failure.refractory"].numerator == 8
    assert estimates_at(CUT_1, bsab_status_rule="best_response_or_pd_within")["failure.refractory"].numerator == 11


def test_pfs_above_os_is_explained_and_not_corrected() -> None:
    found = estimates_at(CUT_2)
    assert (found["pfs.12m"].value or 0) > (found["os.12m"].value or 0)
    assert len(remarks(found.values())) == 1
    assert "PFS at 12 months is above OS" in remarks(found.values())[0]
    assert remarks(estimates_at(CUT_1).values()) == ()
