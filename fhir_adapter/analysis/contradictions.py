"""Records about one person that cannot both be true: reported, never put right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fhir_adapter.analysis.history import History
from fhir_adapter.analysis.landmarks import Landmark
from fhir_adapter.cohort.judgement import Judgement


@dataclass(frozen=True, slots=True)
class Contradiction:
    """`fact` is what can't be relied on: `start`, `response`, `death`, `progression` or
    `new_therapy`."""

    fact: str
    reason: str
    sources: tuple[str, ...]


def contradictions(judgement: Judgement, known: History) -> Iterator[Contradiction]:
    """Every contradiction on the time line. A date that may be in order is given the benefit of the doubt."""
    birth = judgement.subject.birth
    if birth and known.infusion.on.surely_before(birth):
        yield Contradiction("start", "birth_after_infusion", (str(judgement.subject.source), known.infusion.source))
    answer = judgement.response.value
    if answer and answer.contradiction:
        yield Contradiction("response", "response_not_settled", judgement.response.sources)
    index = judgement.index.value
    if index and index.perhaps_therapy:
        yield Contradiction("new_therapy", "new_therapy_not_settled", (index.sources.get("perhaps_therapy", ""),))
    if not known.deaths:
        return
    first = min(known.deaths, key=lambda death: death.on.latest)
    for other in known.deaths:
        if first.on.surely_before(other.on):
            yield Contradiction("death", "two_dates_of_death", (first.source, other.source))
    yield from _after_death(judgement, known, first)


def _after_death(judgement: Judgement, known: History, death: Landmark) -> Iterator[Contradiction]:
    if death.on.surely_before(known.infusion.on):
        yield Contradiction("death", "death_before_infusion", (death.source, known.infusion.source))
    # What an endpoint is about is named first: the record of a progression is a contact, too.
    for fact, found in (("progression", known.progression), ("new_therapy", known.new_therapy)):
        if found and death.on.surely_before(found.on):
            yield Contradiction(fact, f"{fact}_after_death", (death.source, found.source))
    later = [contact.source for contact in known.contacts if death.on.surely_before(contact.on)]
    proof = judgement.subject.alive_after_cut
    if later or proof:
        yield Contradiction("death", "contact_after_death", (death.source, (*later, str(proof))[0]))
