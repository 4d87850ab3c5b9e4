"""Terms without a grade: a value above the upper limit that its own report gives, or not."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from fhir_adapter.cohort.events import Lab
from fhir_adapter.cohort.finding import Finding, Index, Toxicity, rests_on
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.rules.grading import Interval
from fhir_adapter.rules.index import when
from fhir_adapter.rules.results import results_of
from fhir_adapter.rules.toxicity_words import limit_text, number, worst_step
from fhir_adapter.rules.window import in_window

ULN = "ULN"
# An age-adjusted limit is the age x 10 ug/L of fibrinogen equivalents, or x 5 ug/L of D-dimer units; here in mg/L.
_LIMIT_PER_YEAR = {"d-dimer": Decimal("0.01"), "d-dimer-ddu": Decimal("0.005")}
_PARAMETERS = ("ae_window_days", "ae_end", "d_dimer_limit", "d_dimer_age_over")


def elevation(
    term: str, observables: Sequence[str], subject: Subject, study: Study, index: Index
) -> Finding[Toxicity] | None:
    """A value above the laboratory's own upper limit in the same report; CTCAE has no term for it.

    Each value is held against its own limit, so observables in different units can share a term (D-dimer as FEU, DDU).
    """
    tests = results_of(observables, subject, study)
    counted = [(one, surely) for one in tests for surely, perhaps in (in_window(one, index, study),) if perhaps]
    if not counted:
        return None
    answers = [
        (one, said if surely or said is False else None)
        for one, surely in counted
        for said in (_above_limits(one, _limits(one, subject, study)),)
    ]
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
        value=number(worst),
        unit=worst.unit,
        lower_limit=limit_text(worst.lower_limit),
        upper_limit=limit_text(worst.upper_limit),
        source=str(worst.source),
        flags=worst.flags,
    )
    limit = limit_text(worst.upper_limit) or "no limit given"
    return Finding(
        rule=f"toxicity.{observables[0]}",
        verdict=verdict,
        value=value,
        sentence=f"{term}: {verdict}; highest {number(worst)} {worst.unit} against its upper limit ({limit}).",
        steps=(worst_step(worst),),
        sources=rests_on(worst),
        parameters=study.parameters.named(*_PARAMETERS),
    )


def _limits(lab: Lab, subject: Subject, study: Study) -> tuple[Decimal, ...]:
    """Every upper limit that the value may have; none when its report gives none.

    An age-adjusted limit only raises that of the report, for people over the age that the study names.
    """
    if lab.upper_limit is None:
        return ()
    each = _LIMIT_PER_YEAR.get(lab.observable)
    if study.parameters.d_dimer_limit == "report" or each is None:
        return (lab.upper_limit,)
    if subject.birth is None:
        return ()
    years = subject.birth.years_until(when(lab))
    return tuple(
        max(lab.upper_limit, age * each) if age > study.parameters.d_dimer_age_over else lab.upper_limit
        for age in years
    )


def _above_limits(lab: Lab, limits: Sequence[Decimal]) -> bool | None:
    """Whether the value is above its limit; None when that is open, or limits disagree."""
    said = {_above(lab, limit) for limit in limits}
    return said.pop() if len(said) == 1 else None


def _above(lab: Lab, limit: Decimal) -> bool | None:
    surely, perhaps = Interval.of(lab).above(limit)
    return True if surely else None if perhaps else False


def _ratio(lab: Lab) -> Decimal:
    return lab.value / lab.upper_limit if lab.upper_limit else Decimal(0)
