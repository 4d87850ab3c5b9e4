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
        parameters=study.parameters.named("ae_window_days", "ae_end"),
    )


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
