"""Everything the records say about one person, in one immutable value."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal, TypeVar

from pydantic import ConfigDict

from fhir_adapter.cohort.events import (
    AdverseEvent,
    Assessment,
    Collection,
    Contact,
    Death,
    Decision,
    Diagnosis,
    DiseaseSite,
    Dose,
    Event,
    Frozen,
    Infusion,
    Karnofsky,
    Lab,
    Lesion,
    Performance,
    RecordedScore,
    SiteCount,
    Source,
    Staging,
    Therapy,
    Transfusion,
)
from fhir_adapter.fhir.dates import PartialDate

Sex = Literal["male", "female", "other", "unknown"]
E = TypeVar("E", bound=Event)


class Subject(Frozen):
    """One person after merges: `subject_id` is the surviving Patient's logical id, `patient_ids` are all its ids.

    Every tuple of events is sorted by day, then by source, so that the order of resources on the server never matters.
    `outranked` are records of doses that do not count, because stronger evidence is there; `overruled` are
    assessments that do not count.
    """

    subject_id: str
    patient_ids: tuple[str, ...]
    sex: Sex = "unknown"
    birth: PartialDate | None = None
    source: Source
    diagnoses: tuple[Diagnosis, ...] = ()
    doses: tuple[Dose, ...] = ()
    outranked: tuple[Dose, ...] = ()
    collections: tuple[Collection, ...] = ()
    infusions: tuple[Infusion, ...] = ()
    therapies: tuple[Therapy, ...] = ()
    transfusions: tuple[Transfusion, ...] = ()
    stagings: tuple[Staging, ...] = ()
    performances: tuple[Performance, ...] = ()
    karnofsky: tuple[Karnofsky, ...] = ()
    lesions: tuple[Lesion, ...] = ()
    disease_sites: tuple[DiseaseSite, ...] = ()
    site_counts: tuple[SiteCount, ...] = ()
    recorded_scores: tuple[RecordedScore, ...] = ()
    assessments: tuple[Assessment, ...] = ()
    overruled: tuple[Assessment, ...] = ()
    labs: tuple[Lab, ...] = ()
    adverse_events: tuple[AdverseEvent, ...] = ()
    decisions: tuple[Decision, ...] = ()
    deaths: tuple[Death, ...] = ()
    contacts: tuple[Contact, ...] = ()
    alive_after_cut: Source | None = None

    model_config = ConfigDict(arbitrary_types_allowed=True)

    @property
    def died(self) -> bool:
        """Whether a death is known, and nothing proves that it came after the data cut."""
        return bool(self.deaths) and self.alive_after_cut is None

    def as_of(self, cut: date) -> Subject:
        """The person as known at the end of the day `cut`: what surely happened later does not exist.

        A partial date that reaches past the cut is kept. When a later contact or event exists, `alive_after_cut` names
        the first: it proves that the person lived at the cut.
        """
        kept: dict[str, object] = {}
        later: list[Event] = []
        for name in EVENT_FIELDS:
            events: Sequence[Event] = getattr(self, name)
            kept[name] = tuple(event for event in events if event.on is None or event.on.earliest <= cut)
            later += [event for event in events if event.on is not None and event.on.earliest > cut]
        proofs = [event for event in later if isinstance(event, Contact) or _is_dated_death(event)]
        first = min(proofs, key=_by_day, default=None)
        return self.model_copy(update={**kept, "alive_after_cut": first.source if first else self.alive_after_cut})


EVENT_FIELDS = (
    "diagnoses",
    "doses",
    "collections",
    "infusions",
    "therapies",
    "transfusions",
    "stagings",
    "performances",
    "karnofsky",
    "lesions",
    "disease_sites",
    "site_counts",
    "recorded_scores",
    "assessments",
    "labs",
    "adverse_events",
    "decisions",
    "deaths",
    "contacts",
)


def _is_dated_death(event: Event) -> bool:
    """Whether it tells the day of the death itself: a report about it may have been written long after."""
    return isinstance(event, Death) and not event.reported


def in_order(events: Sequence[E]) -> tuple[E, ...]:
    """Sort events by day (undated last), then by source: the order every rule relies on."""
    return tuple(sorted(events, key=_by_day))


def _by_day(event: Event) -> tuple[date, date, str, str]:
    on = event.on
    earliest, latest = (on.earliest, on.latest) if on else (date.max, date.max)
    return (earliest, latest, event.source.reference, event.source.element)
