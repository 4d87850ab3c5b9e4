"""The anchors of a person's time line: index infusion, index apheresis, lymphodepletion, the next therapy.

Parameters: docs/reference/parameters.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TypeVar

from fhir_adapter.cohort.events import Collection, Dose, Event, Infusion
from fhir_adapter.cohort.finding import Finding, Index, Span, Step, rests_on, step
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.rules.readings import verdicts

E = TypeVar("E", bound=Event)
NEVER = PartialDate.on(date(9998, 12, 31))  # later than any record, and one can still count on from it


def index(subject: Subject, study: Study) -> Finding[Index]:
    """Which infusion counts, and which collection made its product."""
    chosen = index_infusion(subject, study)
    if not chosen:
        return Finding(rule="index", verdict="not met", sentence="No CAR-T infusion is recorded.")
    infusion = _infused_on(chosen)
    collected = index_collection(subject, study, infusion)
    apheresis = _bounded(_first_day(subject, study, infusion, collected), infusion) if collected else None
    depletion = lymphodepletion(subject, study, infusion)
    product, targets, product_step = _product(chosen, study)
    therapy, kind, therapy_event = _next_therapy(subject, study, infusion, chosen)
    perhaps, perhaps_event = _perhaps_therapy(subject, study, infusion, chosen, therapy)
    allo = [one for one in subject.therapies if one.kind == "allogeneic-hct" and infusion.surely_before(when(one))]
    steps = [
        step(f"CAR-T was infused on {infusion.iso}", chosen[0], parameter="episode_gap_days"),
        product_step,
        *_collection_steps(subject, study, collected, infusion),
    ]
    if depletion:
        steps.append(step(f"lymphodepletion began on {when(depletion[0]).iso}", depletion[0]))
    if therapy_event:
        steps.append(step(f"the next anticancer therapy ({kind}) began on {when(therapy_event).iso}", therapy_event))
    if perhaps_event:
        steps.append(step("an anticancer therapy may have begun before or after the infusion", perhaps_event))
    value = Index(
        infusion=infusion,
        product=product,
        targets=targets,
        apheresis=apheresis,
        lymphodepletion=when(depletion[0]) if depletion else None,
        vein_to_vein=_span(apheresis, infusion) if apheresis else None,
        next_therapy=therapy,
        next_therapy_kind=kind,
        perhaps_therapy=perhaps,
        collected_between=None if apheresis else _bounds(subject, study, infusion, depletion),
        allogeneic_hct=when(allo[0]) if allo else None,
        sources={
            name: str(event.source)
            for name, event in (
                ("infusion", chosen[0]),
                ("apheresis", collected[0] if collected else None),
                ("lymphodepletion", depletion[0] if depletion else None),
                ("next_therapy", therapy_event),
                ("perhaps_therapy", perhaps_event),
                ("allogeneic_hct", allo[0] if allo else None),
            )
            if event
        },
    )
    where = f"collected on {apheresis.iso}" if apheresis else "no successful collection is recorded"
    return Finding(
        rule="index",
        verdict="met",
        value=value,
        sentence=f"CAR-T ({study.display(product) or 'product not known'}) was infused on {infusion.iso}; {where}.",
        steps=tuple(steps),
        sources=rests_on(chosen, collected, depletion[:1]),
        parameters=study.parameters.named(
            "index_infusion", "index_apheresis", "episode_gap_days", "conditioning_window_days", "new_therapy_includes"
        ),
    )


def when(event: Event) -> PartialDate:
    """The day of an event; an event without one is taken to lie after everything."""
    return event.on or NEVER


def until(dose: Dose) -> PartialDate:
    """The last day of a dose: the end of its period, else its only day."""
    return dose.ended or when(dose)


def start(episode: Sequence[Event]) -> PartialDate:
    """The first day of an episode."""
    return min(when(event) for event in episode)


def episodes(events: Sequence[E], gap_days: int) -> list[list[E]]:
    """Events in order, grouped so that neighbours in a group lie at most `gap_days` apart."""
    found: list[list[E]] = []
    for event in sorted(events, key=when):
        if found and (when(event).earliest - max(when(one).latest for one in found[-1])).days <= gap_days:
            found[-1].append(event)
        else:
            found.append([event])
    return found


def index_infusion(subject: Subject, study: Study) -> list[Infusion]:
    """The first (or last) infusion whose cells were collected after a BsAb dose, else after one, else of any.

    Records of neighbouring days are one infusion.
    """
    grouped = episodes([one for one in subject.infusions if one.on], study.parameters.episode_gap_days)
    doses = bsab_doses(subject, study)

    def follows_bsab(episode: list[Infusion], limit: PartialDate) -> bool:
        return any(when(dose).surely_on_or_before(limit) and when(dose) < start(episode) for dose in doses)

    collected = [
        episode
        for episode in grouped
        if follows_bsab(episode, start(index_collection(subject, study, start(episode)) or episode))
    ]
    after = [episode for episode in grouped if follows_bsab(episode, start(episode))]
    candidates = collected or after or grouped or [[]]
    return candidates[-1 if study.parameters.index_infusion == "last_after_bsab" else 0]


def bsab_doses(subject: Subject, study: Study) -> list[Dose]:
    return [dose for dose in subject.doses if dose.agent in study.roles.bsab and dose.on]


def undated_bsab_doses(subject: Subject, study: Study) -> list[Dose]:
    """BsAb doses whose record gives no day: they may have been given at any time."""
    return [dose for dose in subject.doses if dose.agent in study.roles.bsab and dose.on is None]


def index_collection(subject: Subject, study: Study, infusion: PartialDate) -> list[Collection]:
    """The collection episode that made the infused product: the last successful one since the infusion before."""
    grouped = episodes(_eligible(subject, study, infusion), study.parameters.episode_gap_days)
    if not grouped:
        return []
    return grouped[0 if study.parameters.index_apheresis == "first" else -1]


def _eligible(subject: Subject, study: Study, infusion: PartialDate) -> list[Collection]:
    """Collections that may have made the product: those that its record names, with their neighbours, if it names any.

    The failed ones count only when they are named, or for an analysis by the first collection.
    """
    gap, by_first = study.parameters.episode_gap_days, study.parameters.index_apheresis == "first"
    earlier = [one.on for one in subject.infusions if one.on and (infusion.earliest - one.on.latest).days > gap]
    since = max(earlier, default=None)
    named = linked_collections(subject, study, infusion)
    eligible = [
        one
        for one in subject.collections
        if one.on
        and one.on.perhaps_on_or_before(infusion)
        and (one in named or since is None or since.surely_before(one.on))
        and (one in named or one.succeeded or by_first)
    ]
    if by_first or not named:
        return eligible
    return [one for episode in episodes(eligible, gap) if any(each in named for each in episode) for one in episode]


def linked_collections(subject: Subject, study: Study, infusion: PartialDate) -> list[Collection]:
    """The collections that the record of the infusion names as its origin."""
    gap = timedelta(days=study.parameters.episode_gap_days)
    near = [one for one in subject.infusions if one.on and abs(one.on.earliest - infusion.earliest) <= gap]
    origins = {name for one in near for name in one.made_from}
    return [
        one
        for one in subject.collections
        if one.on and one.on.perhaps_on_or_before(infusion) and origins & {*one.names}
    ]


def _first_day(subject: Subject, study: Study, infusion: PartialDate, collected: Sequence[Collection]) -> PartialDate:
    """The first day of the index episode; an interval when partial dates allow more than one grouping."""
    eligible = _eligible(subject, study, infusion)
    gap, first = study.parameters.episode_gap_days, study.parameters.index_apheresis == "first"

    def judge(days: Sequence[date]) -> date | None:
        starts: list[date] = []
        last = None
        for day in sorted(day for day in days[1:] if day <= days[0]):
            if last is None or (day - last).days > gap:
                starts.append(day)
            last = day
        return (starts[0] if first else starts[-1]) if starts else None

    found = verdicts([infusion, *(when(one) for one in eligible)], judge, (gap,))
    known = [day for day in found or () if day]
    if not known:
        return start(collected)
    return PartialDate.on(known[0]) if len(known) == 1 else PartialDate(min(known), max(known))


def lymphodepletion(subject: Subject, study: Study, infusion: PartialDate) -> list[Dose]:
    """Doses of lymphodepleting drugs in the days before the infusion, in order."""
    opens = infusion.earliest - timedelta(days=study.parameters.conditioning_window_days)
    return [
        dose
        for dose in subject.doses
        if dose.agent in study.roles.lymphodepletion
        and dose.on
        and dose.on.earliest >= opens
        and dose.on.surely_on_or_before(infusion)
    ]


def _collection_steps(subject: Subject, study: Study, collected: list[Collection], infusion: PartialDate) -> list[Step]:
    failed = [one for one in subject.collections if not one.succeeded and when(one).perhaps_on_or_before(infusion)]
    steps = [step(f"a collection on {when(one).iso} failed and is not the index", one) for one in failed]
    if not collected:
        return [*steps, step("no successful collection before the infusion is recorded")]
    rule = study.parameters.index_apheresis
    first = f"the index apheresis is the collection of {start(collected).iso}"
    days = {when(one).iso for one in collected}
    if len(days) > 1:
        first += f", the first day of {len(days)}"
    if linked_collections(subject, study, infusion):
        first += ", which the record of the product names"
    return [*steps, step(first, collected[0], value=rule, parameter="index_apheresis")]


def _product(chosen: list[Infusion], study: Study) -> tuple[str, tuple[str, ...], Step]:
    named = sorted({one.product for one in chosen if study.targets(one.product)})
    if len(named) == 1:
        code = named[0]
        event = next(one for one in chosen if one.product == code)
        targets = study.targets(code)
        return (
            code,
            targets,
            step(f"the product is {study.display(code)}, directed at {' and '.join(targets)}", event),
        )
    says = "the records name different products" if named else "no record names a product whose targets are known"
    return chosen[0].product if not named else "", (), step(says, chosen[0])


def _therapies(subject: Subject, study: Study, chosen: list[Infusion]) -> list[tuple[PartialDate, str, Event]]:
    """Everything that the study counts as an anticancer therapy of its own, with its day and kind."""
    kinds = study.parameters.new_therapy_includes
    found: list[tuple[PartialDate, str, Event]] = []
    if "drug" in kinds:
        systemic = [one for one in subject.doses if one.route != "intrathecal"]
        found += [(one.on, one.agent, one) for one in systemic if one.agent in study.roles.new_therapy and one.on]
    if "car_t" in kinds:
        found += [(one.on, one.product, one) for one in subject.infusions if one not in chosen and one.on]
    found += [(one.on, one.kind, one) for one in subject.therapies if one.kind in kinds and one.on]
    return sorted(found, key=lambda item: (item[0], item[1]))


def _next_therapy(
    subject: Subject, study: Study, infusion: PartialDate, chosen: list[Infusion]
) -> tuple[PartialDate | None, str, Event | None]:
    """The first therapy that surely follows the infusion, of the kinds the study counts."""
    later = (one for one in _therapies(subject, study, chosen) if infusion.surely_before(one[0]))
    return next(later, (None, "", None))


def _perhaps_therapy(
    subject: Subject, study: Study, infusion: PartialDate, chosen: list[Infusion], sure: PartialDate | None
) -> tuple[PartialDate | None, Event | None]:
    """The first therapy that may lie on either side of the infusion, as it would lie after it; and its record."""
    for day, _, event in _therapies(subject, study, chosen):
        opens = max(day.earliest, infusion.earliest + timedelta(days=1))
        undecided = not infusion.surely_before(day) and opens <= day.latest
        if undecided and (sure is None or opens < sure.latest):
            return PartialDate(opens, day.latest), event
    return None, None


def _infused_on(chosen: Sequence[Infusion]) -> PartialDate:
    """The first day of the infusion; a vaguer record of the same days says nothing against an exact one."""
    exact = [when(one) for one in chosen if when(one).exact]
    told = [
        when(one)
        for one in chosen
        if when(one).exact or not any(when(one).earliest <= day.earliest <= when(one).latest for day in exact)
    ]
    return min(told)


def _bounds(subject: Subject, study: Study, infusion: PartialDate, depletion: Sequence[Dose]) -> PartialDate:
    """Between the last BsAb dose and the lymphodepletion (or the infusion) lies a collection nobody recorded."""
    last = when(depletion[0]).latest if depletion else infusion.latest
    before = [when(dose).earliest for dose in bsab_doses(subject, study) if when(dose).latest <= last]
    return PartialDate(max(before, default=date.min), last)


def _bounded(apheresis: PartialDate, infusion: PartialDate) -> PartialDate:
    """Cells are collected before they are infused: a partial date of the collection ends there."""
    if apheresis.exact or apheresis.latest <= infusion.latest:
        return apheresis
    return PartialDate(apheresis.earliest, infusion.latest)


def _span(first: PartialDate, last: PartialDate) -> Span:
    shortest, longest = first.days_until(last)
    return Span(shortest=max(0, shortest), longest=longest)
