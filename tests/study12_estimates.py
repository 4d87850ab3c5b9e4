"""The statistics of the reference study at its second cut, worked out by hand, and the study they belong to.

Documents and the report are tested on these: what computes them is tested elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.cohort.parameters import Parameters
from fhir_adapter.cohort.study import Agent, MeasureFamily, Roles, Study
from fhir_adapter.mapping.study import read_study

MEASURES = Path(__file__).parents[1] / "mappings" / "bsab-cart-dlbcl" / "measures"
ORDER = [
    "attrition",
    "baseline",
    "bsab-failure",
    "washout",
    "response",
    "pfs",
    "os",
    "crs-icans",
    "laboratory-toxicity",
    "duration-of-response",
    "further-endpoints",
    "relapse",
    "comparisons",
]
CUT = date(2025, 8, 1)
START = date(2023, 7, 17)
RESPONSES = read_study("bsab-cart-dlbcl").study.responses


def row(step: str, reason: str, n_in: int, n_out: int, n_left: int) -> FlowRow:
    return FlowRow(step=step, reason=reason, n_in=n_in, n_out=n_out, n_left=n_left)


FLOW = (
    row("person", "", 60, 0, 60),
    row("diagnosis", "no_diagnosis", 60, 10, 50),
    row("diagnosis", "other_disease", 50, 20, 30),
    row("bsab", "no_bsab", 30, 10, 20),
    row("car_t", "no_car_t", 20, 5, 15),
    row("bsab_before_apheresis", "no_bsab_before_apheresis", 15, 3, 12),
    row("failure", "", 12, 0, 12),
    row("assessable", "", 12, 0, 12),
)


def measures(**changed: Mapping[str, Any]) -> tuple[MeasureFamily, ...]:
    """The Measures of the study, with some of them replaced."""
    families = []
    for family in ORDER:
        resource = changed.get(family) or json.loads((MEASURES / f"{family}.json").read_text("utf-8"))
        named = {"url": resource["url"], "version": resource["version"]}
        families.append(MeasureFamily(family=family, resource=resource, **named))
    return tuple(families)


def study(**changed: Any) -> Study:
    """The reference study; keyword arguments replace its fields, `parameters` some of its parameters."""
    parameters = {"data_cut": CUT, "site_time_zone": "Asia/Shanghai", **changed.pop("parameters", {})}
    none: frozenset[str] = frozenset()
    roles = Roles(
        disease=none,
        transformed_disease=none,
        bsab=frozenset({"glofitamab"}),
        car_t=none,
        line_therapy=none,
        pretreatment=none,
        lymphodepletion=none,
        new_therapy=none,
    )
    fields: dict[str, Any] = {
        "id": "bsab-cart-dlbcl",
        "version": "1.0.0",
        "title": "CAR-T after failure of a bispecific antibody in DLBCL",
        "site": "site-01",
        "roles": roles,
        "agents": {"glofitamab": Agent(code="glofitamab", display="Glofitamab", targets=("CD3", "CD20"))},
        "labels": {"anemia": "Anemia", "neutrophil-count-decreased": "Neutrophil count decreased"},
        "gradings": {"5.0": (), "6.0": ()},
        "elevated_terms": {},
        "responses": RESPONSES,
        "measures": measures(),
        "fingerprint": "f" * 64,
    }
    return Study(**{**fields, **changed, "parameters": Parameters(**parameters)})


def share(name: str, endpoint: str, label: str, part: int, of: int, low: float, high: float, **more: Any) -> Estimate:
    interval = {"method": "clopper-pearson", "ci_level": 0.95, "ci_low": low, "ci_high": high}
    fields = {**interval, "value": part / of, "n": of}
    return Estimate(id=name, endpoint=endpoint, label=label, numerator=part, denominator=of, **{**fields, **more})


def middle(
    name: str, endpoint: str, label: str, value: float, low: float, high: float, unit: str, **more: Any
) -> Estimate:
    around = {"method": "median", "range_low": low, "range_high": high, "unit": unit}
    fields = {**around, "value": value, "n": 12}
    return Estimate(id=name, endpoint=endpoint, label=label, **{**fields, **more})


def number(name: str, label: str, people: int, endpoint: str = "attrition") -> Estimate:
    return Estimate(id=name, endpoint=endpoint, label=label, method="count", value=people, n=people)


def landmark(endpoint: str, months: int, value: float, low: float, high: float, at_risk: int, events: int) -> Estimate:
    return Estimate(
        id=f"{endpoint.lower()}.{months}m",
        endpoint=endpoint,
        label=f"{endpoint} at {months} months",
        timepoint_months=months,
        method="kaplan-meier",
        value=value,
        ci_level=0.95,
        ci_low=low,
        ci_high=high,
        n=12,
        at_risk=at_risk,
        events=events,
        parameters={"km_ci": "loglog", "data_cut": "2025-08-01"},
    )


def not_reached(endpoint: str, low: float | None, events: int) -> Estimate:
    return Estimate(
        id=f"{endpoint.lower()}.median",
        endpoint=endpoint,
        label=f"{endpoint}, median",
        method="kaplan-meier",
        unit="mo",
        ci_level=0.95,
        ci_low=low,
        n=12,
        events=events,
        not_reached=True,
        parameters={"km_ci": "loglog"},
    )


CTCAE = {"parameters": {"ctcae_version": "5.0", "undetermined": 0}}


def estimates() -> tuple[Estimate, ...]:
    """All statistics of the second cut."""
    steps = [(row.step, row.n_left) for row in FLOW]
    funnel = [number(f"attrition.{step}", step.replace("_", " "), left) for step, left in dict(steps).items()]
    return (
        *funnel,
        number("baseline.n", "People in the cohort", 12, "baseline"),
        share("baseline.male", "baseline", "Male", 6, 12, 0.2109, 0.7891),
        middle("baseline.age", "baseline", "Age", 53.0, 34, 65, "a"),
        middle("baseline.ipi", "baseline", "IPI", 3, 1, 5, "1"),
        middle("baseline.prior_lines", "baseline", "Prior lines", 5, 1, 8, "1"),
        share(
            "baseline.extranodal_2_or_more",
            "baseline",
            "Two or more extranodal sites",
            11,
            12,
            0.6152,
            0.9979,
        ),
        share("baseline.bulky", "baseline", "Bulky disease", 3, 12, 0.0549, 0.5719),
        share("baseline.bsab.CD3xCD20", "baseline", "BsAb CD3xCD20", 9, 12, 0.4281, 0.9451),
        share("baseline.bsab_agent.glofitamab", "baseline", "Glofitamab", 7, 12, 0.2767, 0.8483),
        share("baseline.car_t.CD19xCD22", "baseline", "CAR-T CD19xCD22", 10, 12, 0.5159, 0.9791),
        share("failure.refractory", "failure", "Refractory", 8, 12, 0.3489, 0.9008),
        share("failure.relapsed", "failure", "Relapsed", 4, 12, 0.0992, 0.6511),
        share("failure.undetermined", "failure", "Undetermined", 0, 12, 0, 0.2646),
        middle("washout.median", "washout", "Washout", 42.0, 8, 172, "d"),
        middle("vein_to_vein.median", "washout", "Vein-to-vein time", 30.0, 26, 41, "d"),
        middle("followup.median", "followup", "Follow-up, all people", 9.264887063655031, 5.3, 14.0, "mo"),
        share("response.orr", "response", "Overall response", 12, 12, 0.7354, 1.0),
        share("response.cr", "response", "Complete response", 6, 12, 0.2109, 0.7891),
        landmark("PFS", 6, 6 / 11, 0.229, 0.780, 6, 5),
        landmark("PFS", 12, 6 / 11, 0.229, 0.780, 2, 5),
        not_reached("PFS", 1.9, 5),
        landmark("OS", 6, 1.0, 1.0, 1.0, 11, 0),
        landmark("OS", 12, 50 / 99, 0.079, 0.832, 2, 3),
        not_reached("OS", None, 3),
        share("crs.any", "crs", "CRS, any grade", 10, 12, 0.5159, 0.9791),
        share("crs.grade3", "crs", "CRS, grade 3 or more", 0, 12, 0, 0.2646),
        Estimate(id="crs.max", endpoint="crs", label="CRS, worst grade", method="max", value=2, n=12),
        share("toxicity.neutrophil-count-decreased.any", "toxicity", "Neutrophils", 12, 12, 0.7354, 1, **CTCAE),
        share(
            "toxicity.neutrophil-count-decreased.grade3",
            "toxicity",
            "Neutrophils",
            12,
            12,
            0.7354,
            1,
            **CTCAE,
        ),
        share("toxicity.anemia.any", "toxicity", "Anemia", 11, 12, 0.6152, 0.9979, missing=1, **CTCAE),
        share("toxicity.anemia.grade3", "toxicity", "Anemia", 4, 12, 0.0992, 0.6511, **CTCAE),
        share("toxicity.d-dimer.elevated", "toxicity", "D-dimer above normal", 5, 12, 0.1517, 0.7233),
    )


def of_nobody() -> tuple[Estimate, ...]:
    """The same statistics of an empty cohort: each says that it cannot be estimated."""
    reason = "nobody in the population"
    gone: dict[str, Any] = {"value": None, "n": 0, "not_reached": False, "not_estimable": reason, "events": None}
    ends: dict[str, Any] = {"ci_level": None, "ci_low": None, "ci_high": None, "range_low": None, "range_high": None}
    counted = {"value": 0, "n": 0}
    return tuple(
        one.model_copy(update=counted if one.method == "count" else {**gone, **ends, **_fraction(one)})
        for one in estimates()
    )


def _fraction(one: Estimate) -> dict[str, Any]:
    return {"numerator": 0, "denominator": 0} if one.denominator is not None else {"at_risk": None}
