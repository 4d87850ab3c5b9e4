"""From one person's time line to times: origin, event and censoring of each endpoint.

| endpoint | from | event | censored at |
|---|---|---|---|
| OS | infusion | death | last contact |
| PFS | infusion | progression or death | last assessment (`pfs_censor`) |
| DOR, DOCR | first response, first complete response | as PFS | as PFS |
| EFS | infusion | progression, death, new therapy, no response in time (`efs_response_by_day`) | as PFS |
| TTNT | infusion | new therapy or death (`ttnt_death`) | last contact |
| TTP | infusion | progression | as PFS; a death censors |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from fhir_adapter.analysis.contradictions import contradictions
from fhir_adapter.analysis.history import History, history
from fhir_adapter.analysis.landmarks import Landmark
from fhir_adapter.cohort.estimate import Endpoint, EventTime, NotInEndpoint
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.parameters import Parameters
from fhir_adapter.cohort.study import Study

ENDPOINTS: tuple[Endpoint, ...] = ("OS", "PFS", "DOR", "DOCR", "EFS", "TTNT", "TTP")
Fact = Literal["death", "progression", "new_therapy", "transplant"]
# On one day the first of these decides: a progression is seen before the death, a therapy starts after both.
_EVENTS: dict[Endpoint, tuple[Fact, ...]] = {
    "OS": ("death",),
    "PFS": ("progression", "death"),
    "DOR": ("progression", "death"),
    "DOCR": ("progression", "death"),
    "EFS": ("progression", "death", "new_therapy"),
    "TTNT": ("death", "new_therapy"),
    "TTP": ("progression",),
}
_BY_ASSESSMENT = ("PFS", "DOR", "DOCR", "EFS", "TTP")


@dataclass(frozen=True, slots=True)
class _End:
    """How a time ends; `facts` are the kinds of record it rests on."""

    at: Landmark
    event: bool
    facts: frozenset[str] = frozenset()


class _Left(Exception):
    """The person leaves the endpoint."""

    def __init__(self, reason: str, *sources: str) -> None:
        super().__init__(reason)
        self.reason, self.sources = reason, tuple(source for source in sources if source)


def event_times(judgement: Judgement, study: Study) -> tuple[tuple[EventTime, ...], tuple[NotInEndpoint, ...]]:
    """The times of one person in the order of `ENDPOINTS`, and the endpoints that the records do not allow.

    A person without a response has no DOR and no DOCR, and that is no contradiction: there is simply no row.
    """
    times: list[EventTime] = []
    left: list[NotInEndpoint] = []
    subject_id = judgement.subject.subject_id
    known = history(judgement, study)
    for endpoint in ENDPOINTS if known else ENDPOINTS[:2]:
        try:
            found = _event_time(endpoint, judgement, known, study.parameters)
        except _Left as reason:
            found = None
            left.append(
                NotInEndpoint(subject_id=subject_id, endpoint=endpoint, reason=reason.reason, sources=reason.sources)
            )
        times += [found] if found else []
    return tuple(times), tuple(left)


def _event_time(
    endpoint: Endpoint, judgement: Judgement, known: History | None, settings: Parameters
) -> EventTime | None:
    if known is None:
        raise _Left("no_infusion_date", *judgement.index.sources)
    start = _start(endpoint, known, settings)
    if start is None:
        _check_no_response(endpoint, judgement, known)
        return None
    end = _end(endpoint, known, settings, start)
    relies_on = end.facts | {"start"} | ({"response"} if endpoint in _BY_ASSESSMENT else set())
    perhaps = judgement.index.value.perhaps_therapy if judgement.index.value else None
    if perhaps and perhaps.earliest < end.at.on.latest and _asks_for_new_therapy(endpoint, settings):
        relies_on |= {"new_therapy"}
    for wrong in contradictions(judgement, known):
        if wrong.fact in relies_on:
            raise _Left(wrong.reason, *wrong.sources)
    return _measured(endpoint, judgement.subject.subject_id, start, end, settings)


def _check_no_response(endpoint: Endpoint, judgement: Judgement, known: History) -> None:
    """A duration of response without a first day: nobody responded, or only reviewers know that somebody did."""
    answer = judgement.response.value
    responses = known.responses.complete if endpoint == "DOCR" else known.responses.responded
    if answer and answer.best in responses:
        raise _Left("response_without_a_day", *judgement.response.sources)


def _asks_for_new_therapy(endpoint: Endpoint, settings: Parameters) -> bool:
    """Whether a new therapy ends this endpoint's time, as an event or by censoring."""
    if "new_therapy" in _EVENTS[endpoint]:
        return True
    return endpoint in _BY_ASSESSMENT and settings.new_therapy != "ignore"


def _start(endpoint: Endpoint, known: History, settings: Parameters) -> Landmark | None:
    if endpoint == "DOR":
        return known.response
    if endpoint == "DOCR":
        return known.complete_response
    match settings.time_origin:
        case "apheresis":
            start, missing = known.apheresis, "no_apheresis_date"
        case "decision_date":
            start, missing = known.decision, "no_decision_date"
        case _:
            return known.infusion
    if start is None:
        raise _Left(missing, known.infusion.source)
    return start


def _end(endpoint: Endpoint, known: History, settings: Parameters, start: Landmark) -> _End:
    """The first event, unless a treatment that censors came before it; else the last day without one."""
    event = _first_event(endpoint, known, settings)
    if endpoint in _BY_ASSESSMENT and (stopped := _stopped_by_treatment(endpoint, known, settings, start, event)):
        return stopped
    if event is not None:
        return _not_overlooked(endpoint, known, settings, start, event)
    censored = _censored(endpoint, known, settings, start)
    if not known.died_undated or endpoint == "TTP":
        return censored
    if settings.undated_death == "exclude":
        raise _Left("death_without_date", known.died_undated)
    return replace(censored, at=censored.at.named(f"death without a date, {censored.at.reason}"))


def _not_overlooked(endpoint: Endpoint, known: History, settings: Parameters, start: Landmark, event: _End) -> _End:
    """The event, unless so many visits were missed before it that nobody knows when it came: then the last assessment.

    A progression or death after `missed_visits` intervals without an assessment is censored there (FDA, table A).
    """
    unseen = settings.missed_visits * settings.visit_interval_days
    if not unseen or endpoint not in _BY_ASSESSMENT or not event.facts & {"progression", "death"}:
        return event
    seen = known.assessed_until(event.at)
    last = max((start, *((seen[0],) if seen else ())), key=lambda day: day.assumed)
    if (event.at.assumed - last.assumed).days <= unseen:
        return event
    return _End(last.named(f"last assessment before {settings.missed_visits} missed visits"), False, event.facts)


def _without_response(known: History, settings: Parameters) -> Landmark | None:
    """The last assessment up to the day by which a response was due, when none of them shows one."""
    due = known.infusion.assumed + timedelta(days=settings.efs_response_by_day)
    seen = [one for one in known.assessments if one[0].on.latest <= due]
    enough = known.responses.complete if settings.efs_response == "CR" else known.responses.responded
    if not settings.efs_response_by_day or not seen or any(category in enough for _, category in seen):
        return None
    return seen[-1][0].named(f"no {settings.efs_response} by day {settings.efs_response_by_day}")


def _first_event(endpoint: Endpoint, known: History, settings: Parameters) -> _End | None:
    facts = _EVENTS[endpoint]
    if endpoint == "TTNT" and settings.ttnt_death == "censor":
        facts = ("new_therapy",)
    if endpoint in ("PFS", "DOR", "DOCR") and settings.new_therapy == "event":
        facts = (*facts, "new_therapy")
    if endpoint in _BY_ASSESSMENT and endpoint != "TTP" and settings.allo_hct_in_cr == "event":
        facts = (*facts, "transplant")
    found: list[tuple[Landmark, Fact]] = [(day, fact) for fact in facts if (day := getattr(known, fact)) is not None]
    if endpoint == "EFS" and (failed := _without_response(known, settings)):
        found.append((failed, "progression"))
    if not found:
        return None
    first, fact = min(found, key=lambda item: item[0].assumed)
    # A death comes last: when it is the first event, whatever is dated after it casts doubt on the death.
    facts = tuple(fact for _, fact in found) if fact == "death" else (fact,)
    return _End(first, True, frozenset(facts))


def _stopped_by_treatment(
    endpoint: Endpoint, known: History, settings: Parameters, start: Landmark, event: _End | None
) -> _End | None:
    """The censoring by a new therapy or a transplantation that came before any event."""
    stops: list[tuple[Landmark, Landmark]] = []
    if known.new_therapy and settings.new_therapy == "censor_before" and endpoint != "EFS":
        seen = known.assessed_until(known.new_therapy)
        last = seen[0] if seen else start.named("not assessed")
        stops.append((known.new_therapy, last.named(f"{last.reason} before new therapy")))
    if known.transplant and settings.allo_hct_in_cr == "censor":
        stops.append((known.transplant, known.transplant))
    first = min(stops, key=lambda stop: stop[0].assumed, default=None)
    if first is None or (event is not None and event.at.assumed <= first[0].assumed):
        return None
    return _End(first[1], False, frozenset({"new_therapy"}))


def _censored(endpoint: Endpoint, known: History, settings: Parameters, start: Landmark) -> _End:
    if endpoint == "TTP" and known.death:
        return _End(known.death.named("death without progression"), False, frozenset({"death"}))
    if endpoint == "TTNT" and known.death:
        return _End(known.death.named("death without new therapy"), False, frozenset({"death"}))
    if endpoint in _BY_ASSESSMENT and settings.pfs_censor == "last_assessment":
        return _End(known.last_assessment or start.named("not assessed"), False)
    return _End(known.last_contact, False)


def _measured(endpoint: Endpoint, subject_id: str, start: Landmark, end: _End, settings: Parameters) -> EventTime:
    """The time in days, with its bounds; a partial date stands for its middle, within the order of things."""
    if end.at.on.latest < start.on.earliest:
        raise _Left("end_before_start", start.source, end.at.source)
    same = end.at.on is start.on
    shortest, longest = (0, 0) if same else start.on.days_until(end.at.on)
    shortest = max(0, shortest)
    settled = shortest == longest
    if not settled and settings.partial_date_policy == "exclude":
        raise _Left("date_not_exact", start.source, end.at.source)
    begins = min(start.assumed, end.at.on.latest)
    ends = begins if same else max(end.at.assumed, begins)
    unknown = not settled and settings.partial_date_policy == "bounds"
    return EventTime(
        subject_id=subject_id,
        endpoint=endpoint,
        start=begins,
        end=ends,
        days=None if unknown else (ends - begins).days,
        days_min=shortest,
        days_max=longest,
        imputed=not settled,
        event=end.event,
        reason=end.at.reason,
        source=end.at.source,
    )
