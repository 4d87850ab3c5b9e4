"""The worst grade of a laboratory term after the infusion, by the CTCAE version in force."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from fhir_adapter.cohort.events import Lab, Transfusion
from fhir_adapter.cohort.finding import Finding, Index, Step, Toxicity, rests_on, step
from fhir_adapter.cohort.study import GradeClause, Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.rules.grading import grade
from fhir_adapter.rules.index import when
from fhir_adapter.rules.neutrophils import BOUNDED
from fhir_adapter.rules.results import results_of
from fhir_adapter.rules.toxicity_words import grade_text, limit_text, number, worst_step
from fhir_adapter.rules.window import in_window

_PARAMETERS = (
    "ctcae_version",
    "ae_window_days",
    "blood_count_window_days",
    "ae_end",
    "lab_baseline",
    "worst_grade",
    "missing_neutrophils",
    "transfusion",
    "require_rise",
    "fibrinogen_fall",
)


class Graded(NamedTuple):
    """A value in the window with the grades it may have; `surely` says whether it surely lies in the window."""

    lab: Lab
    surely: bool
    lowest: int
    highest: int


def laboratory_toxicity(
    clauses: Sequence[GradeClause], subject: Subject, study: Study, index: Index
) -> Finding[Toxicity] | None:
    """The worst grade of the term that `clauses` are about; None when nobody measured it in the window."""
    observable = clauses[0].observable
    baselines = baselines_of(observable, subject, study, index)
    graded = _in_window(clauses, baselines, subject, study, index)
    if not graded:
        return None
    given = _transfusions(clauses, subject, study, index)
    low = max([one.lowest for one in graded if one.surely] + [grade for _, surely, grade in given if surely] + [0])
    high = max([one.highest for one in graded] + [grade for *_, grade in given])
    return _finding(clauses, graded, baselines[0], [event for event, *_ in given], (low, high), study)


def _in_window(
    clauses: Sequence[GradeClause], baselines: Sequence[Lab | None], subject: Subject, study: Study, index: Index
) -> list[Graded]:
    """The values that count. White cells that only bound the neutrophils count where they prove a worse grade."""
    found = [
        Graded(lab, surely, *_over_baselines(lab, baselines, clauses, study))
        for lab in results_of((clauses[0].observable,), subject, study)
        for surely, perhaps in (in_window(lab, index, study),)
        if perhaps
    ]
    known = [one for one in found if BOUNDED not in one.lab.flags]
    settled = max((one.highest for one in known), default=0)
    return [one for one in found if one in known or one.lowest > settled]


def _transfusions(
    clauses: Sequence[GradeClause], subject: Subject, study: Study, index: Index
) -> list[tuple[Transfusion, bool, int]]:
    """(transfusion, surely in the window, grade): a transfusion that was given was indicated."""
    grades = [clause.grade for clause in clauses if clause.direction == "transfused"]
    if not grades or study.parameters.transfusion == "ignored":
        return []
    return [
        (event, surely, max(grades))
        for event in subject.transfusions
        for surely, perhaps in (in_window(event, index, study),)
        if perhaps and event.raises == clauses[0].observable
    ]


def _finding(
    clauses: Sequence[GradeClause],
    graded: Sequence[Graded],
    baseline: Lab | None,
    given: Sequence[Transfusion],
    grades: tuple[int, int],
    study: Study,
) -> Finding[Toxicity]:
    term, code, (low, high) = clauses[0].term, clauses[0].term_code, grades
    downwards = clauses[0].direction == "below"
    worst = max(graded, key=lambda one: (one.highest, one.lowest, -one.lab.value if downwards else one.lab.value)).lab
    flags = (*worst.flags, *(("baseline-missing",) if baseline is None else ()), *(("transfused",) if given else ()))
    value = Toxicity(
        term=term,
        code=code,
        grade_min=low,
        grade_max=high,
        scale="CTCAE",
        scale_version=study.parameters.ctcae_version,
        onset=next((when(one.lab) for one in graded if one.surely and one.lowest > 0), None),
        value=number(worst),
        unit=worst.unit,
        lower_limit=limit_text(worst.lower_limit),
        upper_limit=limit_text(worst.upper_limit),
        baseline=number(baseline) if baseline else "",
        source=";".join(rests_on(worst, *worst.derived_from)),
        flags=flags,
    )
    clause = next((one for one in reversed(clauses) if one.grade == high), None)
    said = [step(f"the clause is: {clause.text}", value=str(high), parameter="ctcae_version")] if clause else []
    return Finding(
        rule=f"toxicity.{code}",
        verdict=grade_text(low, high),
        value=value,
        sentence=f"{term}: worst {grade_text(low, high)} (CTCAE {study.parameters.ctcae_version}), "
        f"{number(worst)} {worst.unit} on {when(worst).iso}.",
        steps=(
            *_baseline_steps(baseline, study),
            step(f"{len(graded)} values in the window", value=str(len(graded)), parameter="ae_window_days"),
            worst_step(worst),
            *(step("a transfusion was given, so it was indicated", one, parameter="transfusion") for one in given),
            *said,
        ),
        sources=rests_on(baseline, worst, *worst.derived_from, given),
        parameters=study.parameters.named(*_PARAMETERS),
    )


def _over_baselines(
    lab: Lab, baselines: Sequence[Lab | None], clauses: Sequence[GradeClause], study: Study
) -> tuple[int, int]:
    """The grade of a value under every baseline that it may have; a value is not its own baseline."""
    found = [_emergent(lab, baseline, clauses, study) for baseline in baselines if baseline != lab]
    found = found or [_emergent(lab, None, clauses, study)]
    return min(low for low, _ in found), max(high for _, high in found)


def _emergent(lab: Lab, baseline: Lab | None, clauses: Sequence[GradeClause], study: Study) -> tuple[int, int]:
    """The grade of a value; with `treatment_emergent` only what is worse than the baseline's own grade counts."""
    low, high = grade(lab, baseline, clauses, study.parameters)
    if study.parameters.worst_grade == "absolute" or baseline is None:
        return low, high
    before = grade(baseline, baseline, clauses, study.parameters)
    return (low if low > before[1] else 0), (high if high > before[0] else 0)


def baselines_of(observable: str, subject: Subject, study: Study, index: Index) -> list[Lab | None]:
    """Every exact value that may be the last before lymphodepletion (or before the infusion, by parameter).

    None stands for the possibility that there is none; a settled baseline is the only entry.
    """
    limit = index.infusion
    if study.parameters.lab_baseline == "before_lymphodepletion" and index.lymphodepletion:
        limit = index.lymphodepletion
    exact = [one for one in results_of((observable,), subject, study) if one.on and not one.comparator]
    sure = [one for one in exact if when(one).surely_before(limit)]
    perhaps = [one for one in exact if one not in sure and when(one).earliest < limit.latest]
    last = [one for one in (*sure, *perhaps) if not any(when(one).surely_before(when(later)) for later in sure)]
    last.sort(key=_day_and_value)
    return [*last] if sure else [None, *last]


def _day_and_value(lab: Lab) -> tuple[PartialDate, Decimal]:
    """An order that does not depend on the ids of the records."""
    return when(lab), lab.value


def _baseline_steps(baseline: Lab | None, study: Study) -> list[Step]:
    if baseline is None:
        return [step("no baseline value: graded as if it had been normal", parameter="lab_baseline")]
    says = f"baseline {number(baseline)} {baseline.unit} on {when(baseline).iso}"
    return [step(says, baseline, value=number(baseline), unit=baseline.unit, parameter="lab_baseline")]
