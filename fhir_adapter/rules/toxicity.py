"""The worst grade of every term after the infusion: laboratory terms by CTCAE, CRS and ICANS as documented.

Columns and meaning of `toxicities.csv`: docs/reference/outputs.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby

from fhir_adapter.cohort.events import AdverseEvent, Event, Lab
from fhir_adapter.cohort.finding import Finding, Index, Step, Toxicity, rests_on, step
from fhir_adapter.cohort.study import GradeClause, Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.rules.grading import Interval, grade
from fhir_adapter.rules.index import when
from fhir_adapter.rules.results import results_of

CRS, ICANS = "crs", "icans"
UNGRADED = (1, 5)
_PARAMETERS = (
    "ctcae_version",
    "ae_window_days",
    "ae_end",
    "lab_baseline",
    "worst_grade",
    "require_rise",
    "fibrinogen_fall",
)
ULN = "ULN"


def toxicities(subject: Subject, study: Study, index: Index) -> tuple[Finding[Toxicity], ...]:
    """One finding per term that was assessed in the window; a term that nobody assessed has none."""
    found: list[Finding[Toxicity] | None] = [_documented(term, subject, study, index) for term in (CRS, ICANS)]
    by_term = groupby(study.grading, key=lambda clause: clause.term_code)
    found += [_laboratory(tuple(clauses), subject, study, index) for _, clauses in by_term]
    by_name: dict[str, list[str]] = {}
    for observable, term in study.elevated_terms.items():
        by_name.setdefault(term, []).append(observable)
    found += [_elevated(term, observables, subject, study, index) for term, observables in by_name.items()]
    return tuple(one for one in found if one)


def in_window(event: Event, index: Index, study: Study) -> tuple[bool, bool]:
    """(surely, perhaps) whether an event lies in the adverse-event window and before the next therapy."""
    if event.on is None:
        return False, True
    first, last = study.parameters.ae_window
    since = index.infusion.days_until(event.on)
    surely, perhaps = first <= since[0] and since[1] <= last, since[0] <= last and first <= since[1]
    if study.parameters.ae_end == "new_therapy" and index.next_therapy:
        surely = surely and event.on.surely_before(index.next_therapy)
        perhaps = perhaps and event.on.earliest < index.next_therapy.latest
    if study.parameters.ae_end == "new_therapy" and index.perhaps_therapy:
        surely = surely and event.on.surely_before(index.perhaps_therapy)
    return surely, perhaps


def baselines_of(observable: str, subject: Subject, study: Study, index: Index) -> list[Lab | None]:
    """Every exact value that may be the last before lymphodepletion (or before the infusion, by parameter).

    None stands for the possibility that there is none; a settled baseline is the only entry.
    """
    limit = index.infusion
    if study.parameters.lab_baseline == "before_lymphodepletion" and index.lymphodepletion:
        limit = index.lymphodepletion
    exact = [one for one in results_of((observable,), subject) if one.on and not one.comparator]
    sure = [one for one in exact if when(one).surely_before(limit)]
    perhaps = [one for one in exact if one not in sure and when(one).earliest < limit.latest]
    last = [one for one in (*sure, *perhaps) if not any(when(one).surely_before(when(later)) for later in sure)]
    last.sort(key=_day_and_value)
    return [*last] if sure else [None, *last]


def _day_and_value(lab: Lab) -> tuple[PartialDate, Decimal]:
    """An order that does not depend on the ids of the records."""
    return when(lab), lab.value


def _laboratory(
    clauses: Sequence[GradeClause], subject: Subject, study: Study, index: Index
) -> Finding[Toxicity] | None:
    term, code, observable = clauses[0].term, clauses[0].term_code, clauses[0].observable
    inside = [(one, *in_window(one, index, study)) for one in results_of((observable,), subject)]
    counted = [(one, surely) for one, surely, perhaps in inside if perhaps]
    if not counted:
        return None
    baselines = baselines_of(observable, subject, study, index)
    baseline = baselines[0]
    graded = [(one, surely, *_over_baselines(one, baselines, clauses, study)) for one, surely in counted]
    low = max((lowest for _, surely, lowest, _ in graded if surely), default=0)
    high = max(highest for *_, highest in graded)
    downwards = clauses[0].direction == "below"
    worst = max(graded, key=lambda item: (item[3], item[2], -item[0].value if downwards else item[0].value))[0]
    onset = next((when(one) for one, surely, lowest, _ in graded if surely and lowest > 0), None)
    flags = ("baseline-missing",) if baseline is None else ()
    value = Toxicity(
        term=term,
        code=code,
        grade_min=low,
        grade_max=high,
        scale="CTCAE",
        scale_version=study.parameters.ctcae_version,
        onset=onset,
        value=_number(worst),
        unit=worst.unit,
        lower_limit=_text(worst.lower_limit),
        upper_limit=_text(worst.upper_limit),
        baseline=_number(baseline) if baseline else "",
        source=str(worst.source),
        flags=(*worst.flags, *flags),
    )
    clause = next((one for one in reversed(clauses) if one.grade == high), None)
    return Finding(
        rule=f"toxicity.{code}",
        verdict=_grade_text(low, high),
        value=value,
        sentence=f"{term}: worst {_grade_text(low, high)} (CTCAE {study.parameters.ctcae_version}), "
        f"{_number(worst)} {worst.unit} on {when(worst).iso}.",
        steps=(
            *_baseline_steps(baseline, study),
            step(f"{len(counted)} values in the window", value=str(len(counted)), parameter="ae_window_days"),
            _worst_step(worst),
            *(
                (step(f"the clause is: {clause.text}", value=str(clause.grade), parameter="ctcae_version"),)
                if clause
                else ()
            ),
        ),
        sources=rests_on(baseline, worst),
        parameters=study.parameters.named(*_PARAMETERS),
    )


def _over_baselines(
    lab: Lab, baselines: Sequence[Lab | None], clauses: Sequence[GradeClause], study: Study
) -> tuple[int, int]:
    """The grade of a value under every baseline that it may have; a value is not its own baseline."""
    found = [_emergent(lab, baseline, clauses, study) for baseline in baselines if baseline is not lab]
    found = found or [_emergent(lab, None, clauses, study)]
    return min(low for low, _ in found), max(high for _, high in found)


def _emergent(lab: Lab, baseline: Lab | None, clauses: Sequence[GradeClause], study: Study) -> tuple[int, int]:
    """The grade of a value; with `treatment_emergent` only what is worse than the baseline's own grade counts."""
    low, high = grade(lab, baseline, clauses, study.parameters)
    if study.parameters.worst_grade == "absolute" or baseline is None:
        return low, high
    before = grade(baseline, baseline, clauses, study.parameters)
    return (low if low > before[1] else 0), (high if high > before[0] else 0)


def _elevated(
    term: str, observables: Sequence[str], subject: Subject, study: Study, index: Index
) -> Finding[Toxicity] | None:
    """A value above the laboratory's own upper limit in the same report; CTCAE has no term for it.

    Each value is held against its own limit, so observables in different units can share a term (D-dimer as FEU, DDU).
    """
    tests = results_of(observables, subject)
    counted = [(one, surely) for one in tests for surely, perhaps in (in_window(one, index, study),) if perhaps]
    if not counted:
        return None
    answers = [(one, _above_limit(one) if surely else _unless_low(one)) for one, surely in counted]
    risen = True if any(said is True for _, said in answers) else None
    elevated = risen if risen or any(said is None for _, said in answers) else False
    worst = max(answers, key=lambda item: (item[1] is True, item[1] is None, _ratio(item[0]), item[0].value))[0]
    verdict = {True: "met", False: "not met", None: "undetermined"}[elevated]
    value = Toxicity(
        term=term,
        code=observables[0],
        grade_min=None,
        grade_max=None,
        elevated=elevated,
        scale=ULN,
        scale_version="",
        onset=next((when(one) for one, said in answers if said), None),
        value=_number(worst),
        unit=worst.unit,
        lower_limit=_text(worst.lower_limit),
        upper_limit=_text(worst.upper_limit),
        source=str(worst.source),
        flags=worst.flags,
    )
    limit = _text(worst.upper_limit) or "no limit given"
    return Finding(
        rule=f"toxicity.{observables[0]}",
        verdict=verdict,
        value=value,
        sentence=f"{term}: {verdict}; highest {_number(worst)} {worst.unit} against its upper limit ({limit}).",
        steps=(_worst_step(worst),),
        sources=rests_on(worst),
        parameters=study.parameters.named("ae_window_days", "ae_end"),
    )


def _documented(term: str, subject: Subject, study: Study, index: Index) -> Finding[Toxicity] | None:
    """CRS or ICANS as recorded: one episode in the window, its worst grade, on the scale the study expects.

    A record without a grade adds nothing when another of the same term carries one; alone, the grade is 1 to 5.
    """
    scale = study.parameters.crs_scale if term == CRS else study.parameters.icans_scale
    inside = [(one, *in_window(one, index, study)) for one in subject.adverse_events if one.term == term]
    counted = [(one, surely) for one, surely, perhaps in inside if perhaps]
    if not counted:
        return None
    bounds = [(one, surely, *_on_scale(one, scale)) for one, surely in counted]
    ungraded = [item for item in bounds if item[2:] == UNGRADED]
    others = [item for item in bounds if item not in ungraded]
    # A record without a grade is told by one with a grade, but not by one that may lie outside the window.
    used = others if any(surely and lowest > 0 for _, surely, lowest, _ in others) else bounds
    low = max((lowest for _, surely, lowest, _ in used if surely), default=0)
    high = max(highest for *_, highest in used)
    worst = max(used, key=lambda item: (item[3], item[2], str(item[0].source)))[0]
    events = [one for one, surely, lowest, _ in bounds if surely and lowest > 0]
    name = study.display(term)
    value = Toxicity(
        term=name,
        code=term,
        grade_min=low,
        grade_max=high,
        scale=scale,
        scale_version="",
        onset=min((one.on for one in events if one.on), default=None),
        source=str(worst.source),
        flags=worst.flags,
    )
    outside = [one for one, _, perhaps in inside if not perhaps and one.on]
    return Finding(
        rule=f"toxicity.{term}",
        verdict=_grade_text(low, high),
        value=value,
        sentence=f"{name}: {_grade_text(low, high)} after the infusion ({study.display(scale)}).",
        steps=(
            *(_event_step(one, study) for one, _ in counted),
            *(step(f"{name} on {when(one).iso} lies outside the window", one) for one in outside),
        ),
        sources=rests_on([one for one, _ in counted]),
        parameters=study.parameters.named(f"{term}_scale", "ae_window_days", "ae_end"),
    )


def _on_scale(event: AdverseEvent, scale: str) -> tuple[int, int]:
    """The grade bounds on the study's scale; a grade on another scale only says that there was an event."""
    if event.scale in ("", scale) or event.grade_max == 0:
        return event.grade_min, event.grade_max
    return UNGRADED


def _above_limit(lab: Lab) -> bool | None:
    if lab.upper_limit is None:
        return None
    surely, perhaps = Interval.of(lab).above(lab.upper_limit)
    return True if surely else None if perhaps else False


def _unless_low(lab: Lab) -> bool | None:
    """For a value that may lie outside the window: at most a doubt."""
    return False if _above_limit(lab) is False else None


def _ratio(lab: Lab) -> Decimal:
    return lab.value / lab.upper_limit if lab.upper_limit else Decimal(0)


def _grade_text(low: int, high: int) -> str:
    return f"grade {low}" if low == high else f"grade {low} to {high}"


def _number(lab: Lab) -> str:
    return f"{lab.comparator}{lab.value}"


def _text(limit: Decimal | None) -> str:
    return "" if limit is None else str(limit)


def _baseline_steps(baseline: Lab | None, study: Study) -> list[Step]:
    if baseline is None:
        return [step("no baseline value: graded as if it had been normal", parameter="lab_baseline")]
    says = f"baseline {_number(baseline)} {baseline.unit} on {when(baseline).iso}"
    return [step(says, baseline, value=_number(baseline), unit=baseline.unit, parameter="lab_baseline")]


def _worst_step(lab: Lab) -> Step:
    limits = " to ".join(_text(limit) or "?" for limit in (lab.lower_limit, lab.upper_limit))
    says = f"worst value {_number(lab)} {lab.unit} (reported as {lab.as_reported}), normal {limits}"
    return step(says, lab, value=_number(lab), unit=lab.unit)


def _event_step(event: AdverseEvent, study: Study) -> Step:
    told = "no grade" if event.grade_min != event.grade_max else f"grade {event.grade_min}"
    scale = f" ({study.display(event.scale)})" if event.scale else ""
    return step(f"{told}{scale} recorded on {when(event).iso}", event, value=str(event.grade_min))
