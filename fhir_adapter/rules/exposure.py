"""Which bispecific antibodies the person had before the index apheresis, and when the last dose was.

Parameters: docs/reference/parameters.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from fhir_adapter.cohort.events import Dose
from fhir_adapter.cohort.finding import Exposure, Exposures, Finding, Index, Span, Step, rests_on, step
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.rules.evidence import last_dose_told, weakest
from fhir_adapter.rules.index import bsab_doses, undated_bsab_doses, until, when
from fhir_adapter.rules.readings import readings


def exposure(subject: Subject, study: Study, index: Index) -> Finding[Exposures]:
    """Doses of any qualifying BsAb up to the index apheresis (up to the infusion when no collection is known).

    A stopped dose without amount may or may not have been given, and a partial date may or may not lie before the
    collection: the last dose is the interval between both readings.
    """
    doses = _Doses.of(subject, study, index)
    if not doses.certain:
        return _none_certain(doses.unsure, study)
    last, final, by_agent = doses.last, doses.final, _by_agent(doses.certain, study, doses.limit)
    value = Exposures(
        exposures=by_agent,
        last_dose=last,
        last_source=str(final.source),
        unsure_sources=rests_on(doses.unsure),
        days_to_collection=_days_to_collection(doses.certain, doses.unsure, index.apheresis),
        evidence=weakest([final, *doses.unsure]),
        same_day_as_apheresis=last.exact and last == doses.limit,
        clipped=final.ongoing or doses.limit.surely_before(until(final)),
        bridging=bool(doses.bridging),
    )
    names = ", ".join(f"{study.display(one.agent)} ({'x'.join(one.targets)})" for one in by_agent)
    return Finding(
        rule="exposure",
        verdict="met",
        value=value,
        sentence=f"Had {names} up to {_name(index)}, last on {last_dose_told(value)}.",
        steps=(*_steps(doses, value, study), *_outranked_steps(subject, study)),
        sources=rests_on([min(doses.certain, key=when), final], doses.unsure),
        parameters=study.parameters.named("exposure_evidence", "banked_cells"),
    )


@dataclass(frozen=True)
class _Doses:
    """The BsAb doses as they lie around the day up to which they count."""

    limit: PartialDate
    certain: tuple[Dose, ...]
    unsure: tuple[Dose, ...]
    bridging: tuple[Dose, ...]

    @classmethod
    def of(cls, subject: Subject, study: Study, index: Index) -> _Doses:
        limit, dated = _limit(subject, study, index), bsab_doses(subject, study)
        before = [dose for dose in dated if when(dose).perhaps_on_or_before(limit)]
        certain = [dose for dose in before if dose.given == "yes" and when(dose).surely_on_or_before(limit)]
        doubtful = [dose for dose in before if dose not in certain]
        bridging = [
            dose for dose in dated if limit.surely_before(when(dose)) and when(dose).surely_before(index.infusion)
        ]
        unsure = (*doubtful, *undated_bsab_doses(subject, study))
        return cls(limit, tuple(certain), unsure, tuple(bridging))

    @property
    def final(self) -> Dose:
        """The dose that certainly ended last."""
        return max(self.certain, key=lambda dose: (_end(dose, self.limit), dose.source.reference))

    @property
    def last(self) -> PartialDate:
        """The last dose as an interval; a dose without a date may be as late as the collection."""
        ends = [_end(dose, self.limit) for dose in self.certain]
        perhaps = [_end(dose, self.limit).latest if dose.on else self.limit.latest for dose in self.unsure]
        return PartialDate(max(end.earliest for end in ends), max([*(end.latest for end in ends), *perhaps]))


def _none_certain(unsure: Sequence[Dose], study: Study) -> Finding[Exposures]:
    told = "was certainly given before" if unsure else "precedes"
    return Finding(
        rule="exposure",
        verdict="undetermined" if unsure else "not met",
        sentence=f"No dose of a bispecific antibody {told} the collection.",
        steps=tuple(_dose_step(dose, study) for dose in unsure),
        sources=rests_on(unsure),
    )


def _steps(doses: _Doses, value: Exposures, study: Study) -> Iterator[Step]:
    for one in value.exposures:
        says = f"{one.doses} doses of {study.display(one.agent)}, {one.first.iso} to {one.last.iso}"
        first = min((dose for dose in doses.certain if dose.agent == one.agent), key=when)
        yield step(says, first, value=str(one.doses))
    yield step(f"the last dose up to the day of the collection was on {value.last_dose.iso}", doses.final)
    yield from (_dose_step(dose, study) for dose in doses.unsure)
    for dose in doses.bridging:
        yield step("a BsAb dose between collection and infusion is bridging, not washout", dose)
    if value.clipped:
        says = "the record of the last dose ends after the collection, or not at all: cut off there"
        yield step(says, doses.final)
    if value.same_day_as_apheresis:
        yield step("the last dose falls on the day of the collection", doses.final)


def _name(index: Index) -> str:
    return "the collection" if index.apheresis else "the infusion (no collection is known)"


def _limit(subject: Subject, study: Study, index: Index) -> PartialDate:
    """The collection; the infusion when no collection is known, or when cells were banked and the study allows it."""
    if index.apheresis is None:
        return index.infusion
    before = any(when(dose).perhaps_on_or_before(index.apheresis) for dose in bsab_doses(subject, study))
    banked = study.parameters.banked_cells == "include" and not before
    return index.infusion if banked else index.apheresis


def _end(dose: Dose, limit: PartialDate) -> PartialDate:
    """The last day of a dose; a running or planned infusion is cut off at the collection.

    What is only reported or ordered, and has no end, says no more than that the last dose lies before the collection.
    """
    if dose.ongoing and dose.evidence == "administration":
        return PartialDate(limit.earliest, limit.latest)
    end = PartialDate(when(dose).earliest, limit.latest) if dose.ongoing else until(dose)
    return PartialDate(min(end.earliest, limit.latest), min(end.latest, limit.latest))


def _days_to_collection(certain: Sequence[Dose], unsure: Sequence[Dose], apheresis: PartialDate | None) -> Span | None:
    """Days from the last dose to a collection known to the month or year; None when its day is known, or too open.

    Each day that the collection can have is held against the doses before that day.
    """
    if apheresis is None or apheresis.exact or any(dose.on is None for dose in unsure):
        return None
    doses = [*certain, *unsure]
    lengths: set[int] = set()
    for reading in readings([apheresis, *(until(dose) for dose in doses)]) or ():
        collected, ends = reading[0], list(zip(reading[1:], doses, strict=True))
        for doubted in (True, False):
            before = [day for day, dose in ends if day <= collected and (doubted or dose.given == "yes")]
            lengths |= {(collected - max(before)).days} if before else set()
    return Span(shortest=min(lengths), longest=max(lengths)) if lengths else None


def _by_agent(doses: Sequence[Dose], study: Study, limit: PartialDate) -> tuple[Exposure, ...]:
    found = []
    for agent in sorted({dose.agent for dose in doses}):
        own = [dose for dose in doses if dose.agent == agent]
        found.append(
            Exposure(
                agent=agent,
                targets=study.targets(agent),
                first=min(when(dose) for dose in own),
                last=max(_end(dose, limit) for dose in own),
                doses=_count(own, continuous=study.is_continuous(agent)),
                ongoing=any(dose.ongoing for dose in own),
            )
        )
    return tuple(sorted(found, key=lambda one: (one.last, one.agent)))


def _count(doses: Sequence[Dose], *, continuous: bool) -> int:
    """Records of one day are one dose, and so is a bag that is hung while the one before is still running.

    The next bag of a continuous infusion may be recorded on the next day.
    """
    count, reached = 0, date.min
    for dose in sorted(doses, key=when):
        goes_on = count > 0 and (when(dose).earliest - reached).days <= (1 if continuous else 0)
        count += not goes_on
        end = until(dose).earliest
        reached = max(reached, end) if goes_on else end
    return count


def _outranked_steps(subject: Subject, study: Study) -> list[Step]:
    return [
        step(f"a {dose.evidence} of {study.display(dose.agent)} does not count beside stronger evidence", dose)
        for dose in subject.outranked
        if dose.agent in study.roles.bsab
    ]


def _dose_step(dose: Dose, study: Study) -> Step:
    why = "has no date" if dose.on is None else "is not dated well enough"
    why = "may or may not have been given" if dose.given == "perhaps" else why
    return step(f"a dose of {study.display(dose.agent)} {why}", dose)
