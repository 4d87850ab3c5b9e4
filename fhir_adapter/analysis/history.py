"""One person's time line after the infusion, as the time-to-event endpoints see it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from fhir_adapter.analysis.landmarks import Landmark, by_day, landmarks, recorded
from fhir_adapter.cohort.finding import Index
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.response_system import INDETERMINATE, ResponseSystem
from fhir_adapter.cohort.study import Study
from fhir_adapter.fhir.dates import PartialDate

ALLOGENEIC = "allogeneic-hct"  # code of the common procedure vocabulary
Seen = tuple[Landmark, str]  # an adequate assessment and its category


@dataclass(frozen=True, slots=True)
class History:
    """The landmarks of one person, as known at the data cut; None or empty for what the records do not show.

    `deaths` has every dated record of the death, `died_undated` the record of one without a date.
    `last_contact` is never None: on the day of the infusion the person was alive. `transplant` is an
    allogeneic one in complete remission; `responses` says what the categories of the assessments amount to.
    """

    infusion: Landmark
    apheresis: Landmark | None
    decision: Landmark | None
    deaths: tuple[Landmark, ...]
    died_undated: str
    contacts: tuple[Landmark, ...]
    last_contact: Landmark
    assessments: tuple[Seen, ...]
    last_assessment: Landmark | None
    progression: Landmark | None
    response: Landmark | None
    complete_response: Landmark | None
    new_therapy: Landmark | None
    transplant: Landmark | None
    responses: ResponseSystem

    @property
    def death(self) -> Landmark | None:
        """The death, as exact as its records and the contacts before it make it."""
        if not self.deaths:
            return None
        first, last = max(day.on.earliest for day in self.deaths), min(day.on.latest for day in self.deaths)
        alive = [day.on.earliest for day in self.contacts if day.on.earliest <= last]
        return self.deaths[0].within(first, last).within(max(alive, default=first), last)

    def assessed_until(self, day: Landmark) -> Seen | None:
        """The last adequate assessment that is surely on or before a day."""
        return next((seen for seen in reversed(self.assessments) if seen[0].on.latest <= day.on.earliest), None)


def history(judgement: Judgement, study: Study) -> History | None:
    """The time line of one person; None without an index infusion."""
    index, subject = judgement.index.value, judgement.subject
    if index is None:
        return None
    first, cut = index.infusion.earliest, judgement.cut or date.max
    infusion = recorded(index.infusion, "infusion", subject.infusions, judgement.index.sources)
    deaths = _deaths(judgement, cut)
    contacts = [day.within(first, cut) for day in landmarks(subject.contacts, "last contact")]
    seen = _adequate_assessments(judgement, study, first, cut)
    new_therapy, transplant = _further_treatment(judgement, index, study, seen)
    # A response after the end of the best-response window (`bor_end`) makes nobody a responder.
    best = judgement.response.value.best if judgement.response.value else ""
    # What is not contradictory came before the death, so the last possible day of the death bounds it too.
    last = min((cut, *(day.on.latest for day in deaths)))
    return History(
        infusion=infusion,
        apheresis=_apheresis(judgement, index),
        decision=_decision(judgement, index),
        deaths=deaths,
        died_undated=_died_undated(judgement),
        contacts=tuple(contacts),
        last_contact=_last_contact(judgement, contacts, infusion, bool(deaths), study),
        assessments=seen,
        last_assessment=_assessed(judgement, "last_assessed_on", "last assessment", first, last),
        progression=_assessed(judgement, "progressed_on", "progression", first, last),
        response=_assessed(judgement, "responded_on", "response", first, last)
        if best in study.responses.responded
        else None,
        complete_response=_assessed(judgement, "complete_on", "complete response", first, last)
        if best in study.responses.complete
        else None,
        new_therapy=new_therapy.within(first, last) if new_therapy else None,
        transplant=transplant,
        responses=study.responses,
    )


def _deaths(judgement: Judgement, cut: date) -> tuple[Landmark, ...]:
    """The dated deaths. A contact after the cut proves that a death on either side of it came later."""
    found = landmarks(judgement.subject.deaths, "death")
    if judgement.subject.alive_after_cut:
        found = [day for day in found if day.on.latest <= cut]
    return tuple(day.within(day.on.earliest, cut) for day in found)


def _died_undated(judgement: Judgement) -> str:
    """The record of a death without any date, unless a contact after the cut proves that it came later."""
    deaths = judgement.subject.deaths
    if judgement.subject.alive_after_cut or any(death.on for death in deaths):
        return ""
    return str(deaths[0].source) if deaths else ""


def _last_contact(
    judgement: Judgement, contacts: list[Landmark], infusion: Landmark, dead: bool, study: Study
) -> Landmark:
    """The last day on which the person was surely alive: the cut itself when a later contact proves it."""
    later = judgement.subject.alive_after_cut
    if later and judgement.cut and not dead and study.parameters.alive_after_cut == "follow_to_cut":
        return Landmark(PartialDate.on(judgement.cut), "data cut", str(later))
    after = [day for day in contacts if day.on.earliest > infusion.on.earliest]
    # Of two that begin on one day the more exact one: the other proves nothing more.
    surest = {day: (day.on.earliest, -day.on.latest.toordinal()) for day in after}
    return max(surest, key=surest.__getitem__, default=infusion.named("no contact after the infusion"))


def _adequate_assessments(judgement: Judgement, study: Study, first: date, cut: date) -> tuple[Seen, ...]:
    """Assessments that show the person without progression; an indeterminate one only if the policy says so."""
    counted = {INDETERMINATE} if study.parameters.ir_policy == "as_sd" else set()
    adequate = study.responses.without_progression | counted
    dated = [(event, event.on) for event in judgement.subject.assessments if event.category in adequate]
    seen = [
        (Landmark(on, "last assessment", str(event.source)).within(first, cut), str(event.category))
        for event, on in dated
        if on is not None and on.latest > first
    ]
    return tuple(sorted(seen, key=lambda item: by_day(item[0])))


def _assessed(judgement: Judgement, field: str, reason: str, first: date, last: date) -> Landmark | None:
    """A day that the response rule found, with the assessment that gave it."""
    answer = judgement.response.value
    on: PartialDate | None = getattr(answer, field, None)
    if answer is None or on is None:
        return None
    source = answer.sources.get(field)
    day = recorded(on, reason, judgement.subject.assessments, (source,) if source else judgement.response.sources)
    return replace(day, source=source or day.source).within(first, last)


def _apheresis(judgement: Judgement, index: Index) -> Landmark | None:
    if index.apheresis is None:
        return None
    return recorded(index.apheresis, "apheresis", judgement.subject.collections, judgement.index.sources)


def _decision(judgement: Judgement, index: Index) -> Landmark | None:
    """The last decision for CAR-T that is surely not after the infusion."""
    taken = landmarks(judgement.subject.decisions, "decision")
    return next((day for day in reversed(taken) if day.on.latest <= index.infusion.earliest), None)


def _further_treatment(
    judgement: Judgement, index: Index, study: Study, seen: tuple[Seen, ...]
) -> tuple[Landmark | None, Landmark | None]:
    """The first new anticancer therapy, and the first allogeneic transplantation in complete remission.

    Consolidation in remission is not a new line: it has a parameter of its own, and the next therapy is
    looked for after it.
    """
    subject = judgement.subject
    graft = index.allogeneic_hct
    before = [category for day, category in seen if graft and day.on.latest <= graft.latest]
    transplant = None
    if graft and before and before[-1] in study.responses.complete:
        transplant = recorded(graft, "allogeneic transplantation", subject.therapies, judgement.index.sources)
    if index.next_therapy is None:
        return None, transplant
    treatments = [*subject.therapies, *subject.doses, *subject.infusions]
    source = index.sources.get("next_therapy")
    following = recorded(
        index.next_therapy, "new therapy", treatments, (source,) if source else judgement.index.sources
    )
    if not (transplant and following.on == transplant.on and index.next_therapy_kind == ALLOGENEIC):
        return following, transplant
    drugs = [event for event in subject.doses if event.agent in study.roles.new_therapy]
    later = [day for day in landmarks(drugs, "new therapy") if transplant.on.surely_before(day.on)]
    return next(iter(later), None), transplant
