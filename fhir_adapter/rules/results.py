"""Which laboratory results of a person count: a weaker one gives way to a sound one of the same day."""

from __future__ import annotations

from collections.abc import Collection

from fhir_adapter.cohort.events import Lab
from fhir_adapter.cohort.subject import Subject

_PRELIMINARY, _SAMPLE = "preliminary", "sample-"


def results_of(observables: Collection[str], subject: Subject) -> list[Lab]:
    """The results of some observables, in order.

    A preliminary result, a blood gas, a capillary sample, an estimate or a derived fibrinogen counts only on a day
    without a better one of the same observable.
    """
    found = [one for one in subject.labs if one.observable in observables]
    sound = {(one.observable, one.on) for one in found if not _is_weak(one)}
    return [one for one in found if not _is_weak(one) or (one.observable, one.on) not in sound]


def _is_weak(lab: Lab) -> bool:
    return any(flag == _PRELIMINARY or flag.startswith(_SAMPLE) for flag in lab.flags)
