"""Which laboratory results of a person count: a weaker one gives way to a sound one of the same day."""

from __future__ import annotations

from collections.abc import Collection

from fhir_adapter.cohort.events import Lab
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject, in_order
from fhir_adapter.rules.neutrophils import COUNT, INPUTS, missing_neutrophils

_PRELIMINARY, _SAMPLE = "preliminary", "sample-"


def results_of(observables: Collection[str], subject: Subject, study: Study) -> tuple[Lab, ...]:
    """The results of some observables in order, with the neutrophils that nobody counted.

    A preliminary result, a blood gas, a capillary sample, an estimate or a derived fibrinogen counts only on a day
    without a better one of the same observable.
    """
    found = _best(observables, subject)
    if COUNT in observables:
        found += missing_neutrophils(_best((COUNT,), subject), _best(INPUTS, subject), study)
    return in_order(found)


def _best(observables: Collection[str], subject: Subject) -> list[Lab]:
    found = [one for one in subject.labs if one.observable in observables]
    sound = {(one.observable, one.on) for one in found if not _is_weak(one)}
    return [one for one in found if not _is_weak(one) or (one.observable, one.on) not in sound]


def _is_weak(lab: Lab) -> bool:
    return bool(lab.flags) and any(flag == _PRELIMINARY or flag.startswith(_SAMPLE) for flag in lab.flags)
