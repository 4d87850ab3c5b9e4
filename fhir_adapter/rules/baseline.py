"""The person at baseline: age, extranodal sites, bulk. Windows end at the reference day (apheresis by default).

Source: clinical brief §1.4, edge cases 49-52.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TypeVar

from fhir_adapter.cohort.events import Event
from fhir_adapter.cohort.finding import Bulk, Finding, Index, Sites, Span, rests_on, step
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.rules.index import when

E = TypeVar("E", bound=Event)
NO_SITE = "none"


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
    span = Span(shortest=_years(subject.birth.latest, on.earliest), longest=_years(subject.birth.earliest, on.latest))
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
    """The day baseline looks back from: apheresis or lymphodepletion, else the infusion."""
    chosen = index.apheresis if study.parameters.ipi_reference == "apheresis" else index.lymphodepletion
    return chosen or index.infusion


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


def sites(subject: Subject, study: Study, index: Index) -> Finding[Sites]:
    """Extranodal organs with disease at baseline imaging. Organs count, not lesions; lymphatic sites do not.

    Organs come from different examinations (imaging, marrow), so every record in the window counts.
    """
    window = study.parameters.imaging_window_days
    inside, perhaps = in_window(subject.disease_sites, reference_day(index, study), window)
    organs = tuple(sorted({one.site for one in inside if one.extranodal}))
    unsure = [one for one in perhaps if one.extranodal and one.site not in organs]
    steps = [
        step(
            f"{study.display(one.site)} {'counts' if one.extranodal else 'does not count as extranodal'}",
            one,
            value=one.site,
        )
        for one in inside
    ]
    steps += [step(f"{study.display(one.site)} may lie outside the window", one, value=one.site) for one in unsure]
    settled = bool(inside) and not unsure
    names = ", ".join(study.display(organ) for organ in organs) or "none"
    says = f"{len(organs)} extranodal sites at baseline: {names}." if settled else "Extranodal sites are not known."
    return Finding(
        rule="extranodal_sites",
        verdict="met" if settled else "undetermined",
        value=Sites(organs=organs) if settled else None,
        sentence=says,
        steps=tuple(steps),
        sources=rests_on(inside, unsure),
        parameters=study.parameters.named("imaging_window_days"),
    )


def bulk(subject: Subject, study: Study, index: Index) -> Finding[Bulk]:
    """The longest single diameter at the last imaging in the window, against the study's limit."""
    parameters = study.parameters
    inside, perhaps = in_window(subject.lesions, reference_day(index, study), parameters.imaging_window_days)
    told = parameters.named("bulky_mm", "bulky_inclusive", "imaging_window_days")
    if not inside or perhaps:
        return Finding(
            rule="bulky",
            verdict="undetermined",
            sentence="No lesion was measured at baseline."
            if not perhaps
            else "A measurement may lie outside the window.",
            sources=rests_on(perhaps),
            parameters=told,
        )
    last: date = max(when(one).latest for one in inside)
    measured = [one for one in inside if when(one).latest == last]
    longest = max(measured, key=lambda one: (one.longest_mm, str(one.source)))
    limit = parameters.bulky_mm
    is_bulky = longest.longest_mm >= limit if parameters.bulky_inclusive else longest.longest_mm > limit
    relation = "at least" if parameters.bulky_inclusive else "more than"
    verdict = "met" if is_bulky else "not met"
    return Finding(
        rule="bulky",
        verdict=verdict,
        value=Bulk(longest_mm=float(longest.longest_mm), bulky=is_bulky),
        sentence=f"Longest diameter {longest.longest_mm} mm; bulky is {relation} {limit} mm: {verdict}.",
        steps=tuple(
            step(f"a lesion of {one.longest_mm} mm", one, value=str(one.longest_mm), unit="mm") for one in measured
        ),
        sources=rests_on(longest),
        parameters=told,
    )


def _years(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
