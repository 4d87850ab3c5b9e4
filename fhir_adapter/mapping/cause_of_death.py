"""Observation of a cause of death → Death."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_adapter.cohort.events import Death
from fhir_adapter.fhir.r4 import Observation
from fhir_adapter.mapping.reading import Said
from fhir_adapter.mapping.result import Place, Result, concept_of, has_value
from fhir_adapter.mapping.terminology import normalise

CAUSE_OF_DEATH = "cause-of-death"


def map_cause_of_death(_: str, result: Result, resource: Observation, place: Place) -> Iterator[Said]:
    """Whoever has a cause of death has died, on the day of the record or before."""
    if not has_value(result) or place.reader.denied(concept_of(result)):
        yield place.aside("cause-of-death-not-told")
    elif not _is_about_the_person(result, place):
        yield place.aside("cause-of-death-of-somebody-else")
    else:
        yield Death(on=place.on, source=place.source, flags=place.flags, reported=True)


def _is_about_the_person(result: Result, place: Place) -> bool:
    """Known by its code, or by a name that says nothing more: "cause of death of the father" is another's."""
    table = place.reader.terms["observation"]
    if result.code is None:
        return False
    if table.translate(result.code).by == "code":
        return True
    names = (result.code.text, *(coding.display for coding in result.code.coding))
    return all(normalise(name) in table.phrases for name in names if name)
