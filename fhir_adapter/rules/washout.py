"""How long was the person off the bispecific antibody before the cells were collected?

The day of the index lymphapheresis minus the day of the last administered dose, in whole calendar days.
"""

from __future__ import annotations

from fhir_adapter.cohort.finding import Exposures, Finding, Index, Span, step
from fhir_adapter.cohort.study import Study
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.rules.evidence import last_dose_told


def washout(index: Finding[Index], exposure: Finding[Exposures], study: Study) -> Finding[Span]:
    """Days from the last BsAb dose to the index apheresis (or to the infusion, by parameter), as an interval."""
    parameters = study.parameters.named("washout_to")
    anchor = "infusion" if study.parameters.washout_to == "infusion" else "apheresis"
    end: PartialDate | None = getattr(index.value, anchor, None)
    end_source = index.value.sources.get(anchor, "") if index.value else ""
    last_source = exposure.value.last_source if exposure.value else ""
    unsure = exposure.value.unsure_sources if exposure.value else ()
    sources = tuple(source for source in (last_source, *unsure, end_source) if source)
    if end is None or exposure.value is None:
        missing = "the day of the collection" if end is None else "the last dose"
        return Finding(
            rule="washout",
            verdict="undetermined",
            sentence=f"Washout cannot be computed: {missing} is not known.",
            sources=sources,
            parameters=parameters,
        )
    last = exposure.value.last_dose
    if end.latest < last.earliest:
        return Finding(
            rule="washout",
            verdict="undetermined",
            sentence="Washout is not defined: the cells were collected before the last dose.",
            sources=sources,
            parameters=parameters,
        )
    shortest, longest = last.days_until(end)
    joint = exposure.value.days_to_collection if anchor == "apheresis" else None
    span = joint or Span(shortest=max(0, shortest), longest=longest)
    told = last_dose_told(exposure.value)
    length = f"{span.days} days" if span.days is not None else f"{span.shortest} to {span.longest} days"
    return Finding(
        rule="washout",
        verdict="met" if span.days is not None else "undetermined",
        value=span,
        sentence=f"From the last dose ({told}) to {_end_name(study)} ({end.iso}) are {length}.",
        steps=(
            step(f"last BsAb dose on {told}", value=last.iso, source=last_source),
            step(f"{_end_name(study)} on {end.iso}", value=end.iso, parameter="washout_to", source=end_source),
            step("difference of calendar days", value=length, unit="d"),
        ),
        sources=sources,
        parameters=parameters,
    )


def _end_name(study: Study) -> str:
    return "the infusion" if study.parameters.washout_to == "infusion" else "the index apheresis"
