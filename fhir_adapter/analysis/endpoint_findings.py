"""A time to event told as a finding, so that it can be explained like every other classification."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fhir_adapter.cohort.estimate import EventTime, NotInEndpoint
from fhir_adapter.cohort.finding import AnyFinding, Finding, step
from fhir_adapter.cohort.study import Study

_FROM_RESPONSE = ("DOR", "DOCR")
_PARAMETERS = (
    "time_origin",
    "data_cut",
    "alive_after_cut",
    "pfs_censor",
    "new_therapy",
    "allo_hct_in_cr",
    "missed_visits",
    "efs_response_by_day",
    "ttnt_death",
    "undated_death",
    "partial_date_policy",
)


def endpoint_findings(times: Iterable[EventTime], left: Iterable[NotInEndpoint], study: Study) -> Iterator[AnyFinding]:
    """One finding for each endpoint of a person: event or censored, when, and on which record."""
    parameters = study.parameters.named(*_PARAMETERS)
    for one in times:
        length = f"{one.days} days" if one.days is not None else f"{one.days_min} to {one.days_max} days"
        verdict = "event" if one.event else "censored"
        flagged = ", with a partial date replaced by its midpoint" if one.imputed else ""
        origin = "" if one.endpoint in _FROM_RESPONSE else "time_origin"
        reason = one.reason.replace("_", " ")
        yield Finding(
            rule=f"endpoint.{one.endpoint}",
            verdict=verdict,
            value={"days": one.days, "days_min": one.days_min, "days_max": one.days_max, "event": one.event},
            sentence=f"{one.endpoint}: {verdict} after {length} ({reason}){flagged}.",
            steps=(
                step(f"counted from {one.start.isoformat()}", parameter=origin),
                step(f"{verdict} on {one.end.isoformat()}: {reason}", value=length, source=one.source),
            ),
            sources=(one.source,) if one.source else (),
            parameters=parameters,
        )
    for gone in left:
        yield Finding(
            rule=f"endpoint.{gone.endpoint}",
            verdict="undetermined",
            sentence=f"{gone.endpoint} cannot be computed: {gone.reason.replace('_', ' ')}.",
            sources=gone.sources,
            parameters=parameters,
        )
