"""Which records of doses count: the strongest evidence there is about a drug at a time; the rest is shown beside it.

Parameters: docs/reference/parameters.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from msgspec.structs import replace

from fhir_adapter.cohort.events import Dose, Evidence
from fhir_adapter.cohort.finding import Exposures
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.rules.index import until

_STRENGTH: tuple[Evidence, ...] = get_args(Evidence)
_FROM = {"statement": "from statement", "dispense": "from dispense", "request": "from order"}


def weigh(subject: Subject, study: Study) -> Subject:
    """The person with the doses that count; those that are outranked stand apart.

    Administration is stronger than statement, dispense and request, in this order. A weaker record gives way to a
    stronger one about the same drug that is not farther away than the gap that makes a new course.
    """
    accepted = [dose for dose in subject.doses if dose.evidence in study.parameters.exposure_evidence]
    if all(dose.evidence == "administration" for dose in accepted):
        return subject.model_copy(update={"doses": tuple(accepted)})
    outranked = [dose for dose in accepted if any(_outranks(other, dose, study) for other in accepted)]
    return subject.model_copy(
        update={
            "doses": tuple(dose for dose in accepted if dose not in outranked),
            "outranked": tuple(replace(one, flags=(*one.flags, "outranked")) for one in outranked),
        }
    )


def weakest(doses: Sequence[Dose]) -> Evidence:
    """The evidence on which several doses together rest."""
    return max((dose.evidence for dose in doses), key=_STRENGTH.index)


def last_dose_told(value: Exposures) -> str:
    """The last dose as it is labelled: `2024-01-22`, or `2024-01-22, from order`."""
    return ", ".join(filter(None, (value.last_dose.iso, _FROM.get(value.evidence, ""))))


def _outranks(stronger: Dose, weaker: Dose, study: Study) -> bool:
    if stronger.agent != weaker.agent or stronger.given != "yes":
        return False
    if _STRENGTH.index(stronger.evidence) >= _STRENGTH.index(weaker.evidence):
        return False
    return _days_between(stronger, weaker) <= study.parameters.gap_days


def _days_between(one: Dose, other: Dose) -> int:
    """The fewest days that can lie between two doses; none when a day is not known."""
    if one.on is None or other.on is None:
        return 0
    return max(0, (other.on.earliest - until(one).latest).days, (one.on.earliest - until(other).latest).days)
