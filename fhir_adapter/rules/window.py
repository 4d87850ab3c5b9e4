"""The window in which what happens is counted as toxicity of the infusion."""

from __future__ import annotations

from fhir_adapter.cohort.events import AdverseEvent, Event, Lab, Transfusion
from fhir_adapter.cohort.finding import Index
from fhir_adapter.cohort.study import Study

_BLOOD_COUNTS = frozenset(("neutrophils", "platelets", "hemoglobin", "leukocytes", "lymphocytes"))


def in_window(event: Event, index: Index, study: Study) -> tuple[bool, bool]:
    """(surely, perhaps) whether an event lies in the adverse-event window and before the next therapy."""
    if event.on is None:
        return False, True
    counts = _is_blood_count(event, study)
    first, last = study.parameters.blood_count_window if counts else study.parameters.ae_window
    since = index.infusion.days_until(event.on)
    surely, perhaps = first <= since[0] and since[1] <= last, since[0] <= last and first <= since[1]
    if study.parameters.ae_end == "new_therapy" and index.next_therapy:
        surely = surely and event.on.surely_before(index.next_therapy)
        perhaps = perhaps and event.on.earliest < index.next_therapy.latest
    if study.parameters.ae_end == "new_therapy" and index.perhaps_therapy:
        surely = surely and event.on.surely_before(index.perhaps_therapy)
    return surely, perhaps


def _is_blood_count(event: Event, study: Study) -> bool:
    """Whether an event is about the cells of the blood: they recover later than everything else."""
    match event:
        case Lab(observable=observable):
            return observable in _BLOOD_COUNTS
        case AdverseEvent(term=term):
            return any(clause.term_code == term and clause.observable in _BLOOD_COUNTS for clause in study.grading)
        case _:
            return isinstance(event, Transfusion)
