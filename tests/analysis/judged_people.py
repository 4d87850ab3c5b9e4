"""People as the rules would hand them to the analysis: by hand for one question, or the twelve of the study."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from fhir_adapter.cohort import events
from fhir_adapter.cohort.finding import (
    Bulk,
    Exposure,
    Exposures,
    Failure,
    Finding,
    Index,
    IpiScore,
    Lines,
    Range,
    Response,
    Sites,
    Span,
    Toxicity,
)
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.parameters import Parameters
from fhir_adapter.cohort.study import Agent, GradeClause, Roles, Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.mapping.study import read_study

TABLES = Path(__file__).resolve().parents[2] / "fixtures" / "tables"
CUT_1, CUT_2 = date(2025, 2, 24), date(2025, 8, 1)
AGENTS = {
    "glofitamab": ("CD3", "CD20"),
    "cd3xcd20-investigational-1": ("CD20", "CD3"),
    "cd3xcd19-investigational-1": ("CD3", "CD19"),
    "cd3xcd19-investigational-2": ("CD3", "CD19"),
    "cd19-cd22-cart-investigational": ("CD22", "CD19"),
    "cd19-cart-investigational": ("CD19",),
}
TERMS = {
    "anemia": ("Anemia", "hemoglobin"),
    "neutrophil-count-decreased": ("Neutrophil count decreased", "neutrophils"),
    "platelet-count-decreased": ("Platelet count decreased", "platelets"),
    "alt-increased": ("Alanine aminotransferase increased", "alt"),
    "ast-increased": ("Aspartate aminotransferase increased", "ast"),
    "fibrinogen-decreased": ("Fibrinogen decreased", "fibrinogen"),
}

RESPONSES = read_study("bsab-cart-dlbcl").study.responses


def study(**parameters: Any) -> Study:
    """The reference study with some parameters changed; its only grading clauses name the terms."""
    settings = Parameters.model_validate({"data_cut": CUT_2, **parameters})
    clauses = tuple(_clause(code, *words) for code, words in TERMS.items())
    roles = {name: frozenset[str]() for name in Roles.model_fields}
    roles["bsab"] = frozenset(agent for agent in AGENTS if "cart" not in agent)
    roles["car_t"] = frozenset(agent for agent in AGENTS if "cart" in agent)
    roles["new_therapy"] = frozenset({"polatuzumab-vedotin"})
    return Study(
        id="test",
        version="1",
        title="Test",
        site="test",
        parameters=settings,
        roles=Roles(**roles),
        agents={code: Agent(code=code, display=code, targets=targets) for code, targets in AGENTS.items()},
        labels={},
        gradings={"5.0": clauses, "6.0": clauses},
        elevated_terms={"d-dimer": "D-dimer increased"},
        responses=RESPONSES,
    )


def _clause(code: str, term: str, observable: str) -> GradeClause:
    return GradeClause(
        term=term,
        term_code=code,
        observable=observable,
        grade=1,
        direction="below",
        limit=Decimal(1),
        of="LLN",
        when_baseline="any",
    )


def partial(text: str) -> PartialDate:
    found = PartialDate.parse(text)
    assert found is not None
    return found


def source(name: str) -> events.Source:
    return events.Source(reference=name, version="1")


def finding(value: Any, rule: str = "rule", sources: Sequence[str] = ()) -> Finding[Any]:
    return Finding(
        rule=rule,
        verdict="met" if value is not None else "undetermined",
        value=value,
        sentence="",
        sources=tuple(sources),
    )


_RESPONSES = ("CR", "PR", "SD", "PD", "NE")


def person(
    *records: str,
    infusion: str = "2024-01-01",
    name: str = "P",
    birth: str = "1960",
    apheresis: str | None = "2023-12-01",
    next_therapy: str | None = None,
    allogeneic: str | None = None,
    cut: date | None = None,
    **findings: Any,
) -> Judgement:
    """One person from records such as `contact 2024-03-01`, `PR 2024-02`, `death 2024-05-01`, `death`, `drug DAY`.

    The response is what a plain reading of the assessments gives. `findings` replace values of the judgement.
    """
    subject = Subject(
        subject_id=name,
        patient_ids=(name,),
        sex=findings.pop("sex", "unknown"),
        birth=partial(birth),
        source=source(f"Patient/{name}"),
        **_events(records),
        infusions=(events.Infusion(on=partial(infusion), source=source("Procedure/infusion"), product="x"),),
    )
    subject = subject.as_of(cut) if cut else subject
    index = Index(
        infusion=partial(infusion),
        product=findings.get("product", "x"),
        targets=findings.pop("targets", ()),
        apheresis=partial(apheresis) if apheresis else None,
        lymphodepletion=None,
        vein_to_vein=findings.pop("vein_to_vein", None),
        next_therapy=partial(next_therapy) if next_therapy else None,
        next_therapy_kind=findings.pop("next_therapy_kind", "drug"),
        allogeneic_hct=partial(allogeneic) if allogeneic else None,
    )
    values: dict[str, Any] = dict.fromkeys(
        (
            "eligibility",
            "diagnosis",
            "exposure",
            "failure",
            "washout",
            "lines",
            "age",
            "sites",
            "bulk",
            "ipi",
            "assessable",
        )
    )
    values |= {"index": index, "response": response(subject.assessments), **findings}
    toxicities = tuple(finding(one) for one in values.pop("toxicities", ()))
    return Judgement(
        subject=subject,
        cut=cut,
        toxicities=toxicities,
        **{rule: finding(value, rule, (f"Rule/{rule}",)) for rule, value in values.items() if rule != "product"},
    )


def _events(records: Sequence[str]) -> dict[str, tuple[events.Event, ...]]:
    found: dict[str, list[events.Event]] = {"assessments": [], "deaths": [], "contacts": [], "doses": []}
    for record in records:
        kind, _, day = record.partition(" ")
        at = {"on": partial(day) if day else None, "source": source(f"{kind}/{day}".rstrip("/"))}
        if kind in (*_RESPONSES, "IR"):
            found["assessments"].append(events.Assessment(**at, category=kind))
        elif kind == "death":
            found["deaths"].append(events.Death(**at))
        elif kind == "drug":
            found["doses"].append(events.Dose(**at, agent="polatuzumab-vedotin"))
        else:
            found["contacts"].append(events.Contact(**at, kind=kind))
    return {name: tuple(one) for name, one in found.items()}


def response(assessments: Sequence[events.Assessment]) -> Response | None:
    dated = sorted((one for one in assessments if one.on), key=lambda one: (one.on, one.category))
    if not dated:
        return None
    worse = [one.on for one in dated if one.category == "PD"]
    before = [one for one in dated if not worse or one.on < worse[0]]
    replies = [one.on for one in before if one.category in ("CR", "PR")]
    return Response(
        best=min((one.category for one in before), key=_RESPONSES.index, default="PD"),
        responded_on=next(iter(replies), None),
        complete_on=next((one.on for one in before if one.category == "CR"), None),
        progressed_on=next(iter(worse), None),
        last_assessed_on=max((one.on for one in dated if one.category != "PD"), default=None),
    )


def toxicity(code: str, grade: int | tuple[int, int] | None, elevated: bool | None = None) -> Toxicity:
    low, high = grade if isinstance(grade, tuple) else (grade, grade)
    return Toxicity(
        term=TERMS.get(code, (code, ""))[0],
        code=code,
        grade_min=low,
        grade_max=high,
        elevated=elevated,
        scale="CTCAE",
        scale_version="5.0",
    )


def twelve(cut: date, asked: Study) -> list[Judgement]:
    """The people of the study at a cut, from the tables of `fixtures/tables/`, as good rules would judge them.

    Everyone who was still followed at the second cut has a contact shortly after it. At the first cut the twelfth
    person was infused less than 28 days before and is not yet assessable.
    """
    outcomes = {row["id"]: row for row in _table("study12_outcomes_cut2.csv")}
    assessed: dict[str, list[str]] = {name: [] for name in outcomes}
    for row in _table("study12_assessments.csv"):
        assessed[row["id"]].append(f"{row['response']} {row['date']}")
    rows = [row for row in _table("study12.csv") if (cut - date.fromisoformat(row["infusion_date"])).days >= 28]
    return [_of_the_study(row, outcomes[row["id"]], assessed[row["id"]], cut, asked) for row in rows]


def _table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((TABLES / name).read_text(encoding="utf-8").splitlines()))


def _of_the_study(
    row: dict[str, str], outcome: dict[str, str], assessed: list[str], cut: date, asked: Study
) -> Judgement:
    infusion = date.fromisoformat(row["infusion_date"])
    last = infusion + timedelta(days=int(outcome["os_t"]))
    ends = f"death {last}" if outcome["os_e"] == "1" else f"visit {last}"
    later = [f"visit {CUT_2 + timedelta(days=9)}"] if last == CUT_2 else []
    agent = _agent(row["bsab_drug"])
    given = partial(row["bsab_last_dose_date"])
    exposure = Exposure(agent=agent, targets=asked.targets(agent), first=given, last=given, doses=1)
    return person(
        *assessed,
        ends,
        *later,
        name=row["id"],
        sex={"M": "male", "F": "female"}[row["sex"]],
        infusion=row["infusion_date"],
        apheresis=row["apheresis_date"],
        cut=cut,
        targets=tuple(row["car_target"].split("/")),
        vein_to_vein=_days(row["vein_to_vein_days"]),
        exposure=Exposures(exposures=(exposure,), last_dose=given),
        failure=Failure(status=_failure(row, asked), best_response=row["bsab_best_response"]),
        washout=_days(row["washout_days"]),
        lines=Lines(count=_known(int(row["prior_lines"])), lines=()),
        age=_days(row["age"]),
        sites=Sites(organs=tuple(f"organ {n}" for n in range(int(row["extranodal_sites"])))),
        bulk=Bulk(longest_mm=10 * float(row["max_diameter_cm"]), bulky=row["bulky_gt_7_5"] == "1"),
        ipi=IpiScore(
            points=_known(int(row["ipi"])), age=None, ldh_ratio=None, ecog=None, stage=None, extranodal_sites=None
        ),
        toxicities=_toxicities({name: _number(text) for name, text in row.items()}),
    )


def _agent(drug: str) -> str:
    if drug == "glofitamab":
        return drug
    _, target, number = drug.split()
    return f"{target.lower()}-investigational-{number.removeprefix('#')}"


def _failure(row: dict[str, str], asked: Study) -> Any:
    if row["bsab_best_response"] in ("SD", "PD"):
        return "refractory"
    within = int(row["bsab_pd_days_after_last"]) <= asked.parameters.interval_days
    by_interval = asked.parameters.bsab_status_rule == "best_response_or_pd_within"
    return "refractory" if by_interval and within else "relapsed"


def _days(text: str) -> Span:
    return Span(shortest=int(text), longest=int(text))


def _known(number: int) -> Range:
    return Range(lowest=number, highest=number)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _toxicities(row: dict[str, float]) -> list[Toxicity]:
    """CTCAE 5.0 grades of the nadirs and peaks, as far as the published counts need them."""
    return [
        toxicity("crs", int(row["crs_grade"])),
        toxicity("icans", int(row["icans_grade"])),
        toxicity("neutrophil-count-decreased", _below(row["anc_nadir"], (1.5, 1.0, 0.5))),
        toxicity("anemia", _below(row["hgb_nadir_g_l"], (100, 80))),
        toxicity("platelet-count-decreased", _below(row["plt_nadir"], (75, 50, 25))),
        toxicity("fibrinogen-decreased", _below(row["fib_nadir_g_l"] / row["fib_lln"], (0.75, 0.5, 0.25))),
        *(toxicity(f"{enzyme}-increased", _risen(row, enzyme)) for enzyme in ("alt", "ast")),
        toxicity("d-dimer", None, elevated=row["ddimer_peak_mg_l_feu"] > row["ddimer_uln"]),
    ]


def _below(value: float, limits: tuple[float, ...]) -> int:
    return 1 + sum(value < limit for limit in limits)


def _risen(row: dict[str, float], enzyme: str) -> int:
    base, peak, normal = (row[f"{enzyme}_{name}"] for name in ("base", "peak", "uln"))
    reference, first = (normal, 1.0) if base <= normal else (base, 1.5)
    return int(peak > first * reference) + int(peak > 3 * reference)
