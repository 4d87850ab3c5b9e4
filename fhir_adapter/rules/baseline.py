"""The person at baseline: age, extranodal sites, bulk. Windows end at the reference day (apheresis by default).

Parameters: docs/reference/parameters.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeVar

from fhir_adapter.cohort.events import Event, Lesion
from fhir_adapter.cohort.finding import Bulk, Finding, Index, Sites, Span, Step, not_asked, rests_on, step
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.rules.index import when
from fhir_adapter.rules.readings import verdicts

E = TypeVar("E", bound=Event)


def age(subject: Subject, study: Study, index: Index) -> Finding[Span]:
    """Completed years of age on the day that `ipi_age_at` names; an interval when a date is partial."""
    on = index.infusion
    if study.parameters.ipi_age_at == "apheresis":
        on = index.apheresis or index.infusion
    parameters = study.parameters.named("ipi_age_at")
    if subject.birth is None:
        return Finding(
            rule="age", verdict="undetermined", sentence="The birth date is not known.", parameters=parameters
        )
    shortest, longest = subject.birth.years_until(on)
    span = Span(shortest=shortest, longest=longest)
    text = f"{span.days}" if span.days is not None else f"{span.shortest} or {span.longest}"
    return Finding(
        rule="age",
        verdict="met" if span.days is not None else "undetermined",
        value=span,
        sentence=f"{text} years old on {on.iso}.",
        steps=(step(f"born {subject.birth.iso}", value=subject.birth.iso),),
        sources=(str(subject.source),),
        parameters=parameters,
    )


def reference_day(index: Index, study: Study) -> PartialDate:
    """The day baseline looks back from: apheresis or lymphodepletion.

    A collection that nobody recorded lies between the last BsAb dose and the infusion; without a recorded
    lymphodepletion it is the infusion.
    """
    if study.parameters.ipi_reference == "lymphodepletion":
        return index.lymphodepletion or index.infusion
    return index.apheresis or index.collected_between or index.infusion


def in_window(events: Sequence[E], reference: PartialDate, days: int) -> tuple[list[E], list[E]]:
    """(surely inside, perhaps inside) the `days` up to and including the reference day, latest last."""
    opens = reference.earliest - timedelta(days=days), reference.latest - timedelta(days=days)
    inside = [one for one in events if one.on and opens[1] <= one.on.earliest and one.on.latest <= reference.earliest]
    perhaps = [
        one
        for one in events
        if one.on and one not in inside and opens[0] <= one.on.latest and one.on.earliest <= reference.latest
    ]
    return inside, perhaps


def last_values(events: Sequence[E], reference: PartialDate, days: int) -> tuple[list[E], bool]:
    """(every value that may be the last in the window, whether there surely is one).

    A value that surely lies before another one in the window is not the last.
    """
    inside, perhaps = in_window(events, reference, days)
    candidates = [
        one for one in (*inside, *perhaps) if not any(when(one).surely_before(when(later)) for later in inside)
    ]
    return candidates, bool(inside)


def sites(subject: Subject, study: Study, index: Index) -> Finding[Sites]:
    """Extranodal organs with disease at baseline imaging. Organs count, not lesions; lymphatic sites do not.

    Organs come from different examinations (imaging, marrow), so every record in the window counts.
    """
    if study.parameters.lymphoma_baseline == "off":
        return not_asked("sites")
    window = study.parameters.imaging_window_days
    reference = reference_day(index, study)
    inside, outside = in_window(subject.disease_sites, reference, window)
    counted, surely = last_values(subject.site_counts, reference, window)
    told = counted[0].count if surely and len({one.count for one in counted}) == 1 else None
    organs = tuple(sorted({one.site for one in inside if one.extranodal}))
    unsure = [one for one in outside if one.extranodal and one.site not in organs]
    steps = [
        step(
            f"{study.display(one.site)} {'counts' if one.extranodal else 'does not count as extranodal'}",
            one,
            value=one.site,
        )
        for one in inside
    ]
    steps += [step(f"{study.display(one.site)} may lie outside the window", one, value=one.site) for one in unsure]
    steps += [step(f"{one.count} extranodal sites recorded", one, value=str(one.count)) for one in counted]
    perhaps = tuple(sorted({one.site for one in unsure}))
    value = Sites(organs=organs, perhaps=perhaps, told=told) if inside or told is not None else None
    settled = value is not None and value.count.settled is not None
    names = ", ".join(study.display(organ) for organ in organs) or ("not named" if told else "none")
    number = value.count.settled if value else None
    says = f"{number} extranodal sites at baseline: {names}." if settled else "Extranodal sites are not settled."
    return Finding(
        rule="extranodal_sites",
        verdict="met" if settled else "undetermined",
        value=value,
        sentence=says if value else "Extranodal sites were not recorded at baseline.",
        steps=tuple(steps),
        sources=rests_on(inside, unsure, counted),
        parameters=study.parameters.named("imaging_window_days"),
    )


def bulk(subject: Subject, study: Study, index: Index) -> Finding[Bulk]:
    """The longest single diameter at the last imaging in the window, against the study's limit.

    Examinations a few days apart are one imaging. Partial dates are read in every way.
    """
    if study.parameters.lymphoma_baseline == "off":
        return not_asked("bulk")
    parameters = study.parameters
    inside, perhaps = in_window(subject.lesions, reference_day(index, study), parameters.imaging_window_days)
    seen = sorted([*inside, *perhaps], key=when)
    longest = _longest(seen, study, index)
    sizes = [one for ends in longest if ends for one in ends]
    told = parameters.named("bulky_mm", "bulky_inclusive", "imaging_window_days", "imaging_gap_days")
    answers = {_is_bulky(one, study) for one in sizes}
    if len(answers) != 1 or None in longest:
        return Finding(
            rule="bulky",
            verdict="undetermined",
            sentence="Bulk is not settled by the dates and sizes of the lesions."
            if seen
            else "No lesion was measured at baseline.",
            steps=tuple(_lesion_step(one) for one in seen),
            sources=rests_on(seen),
            parameters=told,
        )
    size, exact = max(sizes), len(set(sizes)) == 1
    is_bulky = answers.pop()
    told_size = str(size) if exact else f"{min(sizes)} to {size}"
    relation = "at least" if parameters.bulky_inclusive else "more than"
    verdict = "met" if is_bulky else "not met"
    return Finding(
        rule="bulky",
        verdict=verdict,
        value=Bulk(longest_mm=float(size) if exact else None, bulky=is_bulky),
        sentence=f"Longest diameter {told_size} mm; bulky is {relation} {parameters.bulky_mm} mm: {verdict}.",
        steps=tuple(_lesion_step(one) for one in seen),
        sources=rests_on([one for one in seen if one.longest_mm in sizes]),
        parameters=told,
    )


def _longest(seen: Sequence[Lesion], study: Study, index: Index) -> frozenset[tuple[Decimal, Decimal] | None]:
    """(least, most) of the longest diameter at the last imaging under every reading; None where there is none."""
    window, gap = study.parameters.imaging_window_days, study.parameters.imaging_gap_days

    def judge(days: Sequence[date]) -> tuple[Decimal, Decimal] | None:
        opens = days[0] - timedelta(days=window)
        pairs = sorted(zip(days[1:], map(_size, seen), strict=True), reverse=True)
        sizes: list[tuple[Decimal, Decimal]] = []
        last = None
        for day, size in pairs:
            if opens <= day <= days[0] and (last is None or (last - day).days <= gap):
                sizes.append(size)
                last = day
        return (max(low for low, _ in sizes), max(high for _, high in sizes)) if sizes else None

    dates = [reference_day(index, study), *(when(one) for one in seen)]
    return verdicts(dates, judge, (window, gap)) or frozenset((None,))


def _is_bulky(size: Decimal, study: Study) -> bool:
    limit = study.parameters.bulky_mm
    return size >= limit if study.parameters.bulky_inclusive else size > limit


def _size(one: Lesion) -> tuple[Decimal, Decimal]:
    """The least and the most that the longest diameter can be."""
    return (one.longest_mm if one.at_least_mm is None else one.at_least_mm), one.longest_mm


def _lesion_step(one: Lesion) -> Step:
    low, high = _size(one)
    written = str(high) if low == high else f"{low} to {high}"
    return step(f"a lesion of {written} mm", one, value=written, unit="mm")
