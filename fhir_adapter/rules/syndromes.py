"""Adverse events as documented: one episode in the window, with its worst grade on the scale of the study.

CRS and ICANS have scales of their own; every other term is graded by the CTCAE version in force.
"""

from __future__ import annotations

from fhir_adapter.cohort.events import AdverseEvent
from fhir_adapter.cohort.finding import Finding, Index, Step, Toxicity, rests_on, step
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.rules.index import when
from fhir_adapter.rules.toxicity_words import grade_text
from fhir_adapter.rules.window import in_window

CRS, ICANS = "crs", "icans"
_SYNDROME_SCALES = {CRS: "crs_scale", ICANS: "icans_scale"}
UNGRADED = (1, 5)


def episode(term: str, subject: Subject, study: Study, index: Index) -> Finding[Toxicity] | None:
    """A term as recorded: one episode in the window, its worst grade, on the scale the study expects.

    A record without a grade adds nothing when another of the same term carries one; alone, the grade is 1 to 5.
    """
    asked = _SYNDROME_SCALES.get(term, "ctcae_version")
    version = study.parameters.ctcae_version if asked == "ctcae_version" else ""
    scale = f"ctcae-{version}" if version else str(getattr(study.parameters, asked))
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
        scale="CTCAE" if version else scale,
        scale_version=version,
        onset=min((one.on for one in events if one.on), default=None),
        source=str(worst.source),
        flags=worst.flags,
    )
    outside = [one for one, _, perhaps in inside if not perhaps and one.on]
    return Finding(
        rule=f"toxicity.{term}",
        verdict=grade_text(low, high),
        value=value,
        sentence=f"{name}: {grade_text(low, high)} after the infusion ({study.display(scale)}).",
        steps=(
            *(_event_step(one, study) for one, _ in counted),
            *(step(f"{name} on {when(one).iso} lies outside the window", one) for one in outside),
        ),
        sources=rests_on([one for one, _ in counted]),
        parameters=study.parameters.named(asked, "ae_window_days", "blood_count_window_days", "ae_end"),
    )


def _on_scale(event: AdverseEvent, scale: str) -> tuple[int, int]:
    """The grade bounds on the study's scale; a grade on another scale only says that there was an event."""
    if event.scale in ("", scale) or event.grade_max == 0:
        return event.grade_min, event.grade_max
    return UNGRADED


def _event_step(event: AdverseEvent, study: Study) -> Step:
    told = "no grade" if event.grade_min != event.grade_max else f"grade {event.grade_min}"
    scale = f" ({study.display(event.scale)})" if event.scale else ""
    return step(f"{told}{scale} recorded on {when(event).iso}", event, value=str(event.grade_min))
