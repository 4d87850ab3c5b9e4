"""What a mapper gets and gives: the tables it reads with, and what it says besides events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from fhir_adapter.cohort.events import Event, Source
from fhir_adapter.cohort.response_system import ALWAYS_THERE
from fhir_adapter.cohort.subject import Sex
from fhir_adapter.fhir.dates import NotADate, PartialDate
from fhir_adapter.fhir.r4 import CodeableConcept, Medication, Period, Quantity, ReferenceRange
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.precedents import Precedents
from fhir_adapter.mapping.scale import Scale, Scales
from fhir_adapter.mapping.terminology import NOTHING, Terminology, Translation, describe
from fhir_adapter.mapping.units import Units


class SetAside(msgspec.Struct, frozen=True, order=True, gc=False):
    """A resource that gives no event, and why: `reason` is one of a fixed list of words."""

    reason: str
    type: str
    source: str


UNIT = "unit"
"""The table in which units are looked up: `units.toml`, and not a ConceptMap."""


class Unmapped(msgspec.Struct, frozen=True, order=True, gc=False):
    """A code or text that the study's tables do not know, although it might have mattered.

    `person` is the surviving id of the patient, once everything about them is put together.
    """

    table: str
    system: str
    code: str
    text: str
    source: str
    person: str = ""


Said: TypeAlias = Event | SetAside | Unmapped


@dataclass(frozen=True)
class Reader:
    """The study's tables, as mappers use them.

    `diseases` are those whose stage and sites count; `evidence` are the kinds of record that count as proof that a drug
    was given, `further` those beyond the usual that are read; `responses` are the categories of the study's response
    system; `base_url` is the server of the records, empty for a folder; `precedents` were mapped with the same tables.
    """

    terms: Terminology
    units: Units
    scales: Scales
    site_system: str
    diseases: frozenset[str] = frozenset()
    evidence: frozenset[str] = frozenset({"administration"})
    further: frozenset[str] = frozenset()
    responses: frozenset[str] = frozenset(ALWAYS_THERE)
    zone: ZoneInfo | None = None
    base_url: str = ""
    medications: Mapping[str, Medication] = field(default_factory=dict)
    precedents: Precedents = field(default_factory=Precedents)
    sex: Sex = "unknown"
    birth: PartialDate | None = None

    def date(self, text: str) -> PartialDate | None:
        """The date a record gives, None when it gives none that can be read."""
        if not text:
            return None
        try:
            return PartialDate.parse(text, self.zone)
        except NotADate:
            return None

    def span(self, moment: str, period: Period | None) -> tuple[PartialDate | None, PartialDate | None, str]:
        """Start, end and element name of an `x[x]` that is either a dateTime or a Period."""
        if moment:
            return self.date(moment), None, "DateTime"
        if period:
            return self.date(period.start), self.date(period.end), "Period"
        return None, None, ""

    def scale(self, name: str, number: Quantity, ranges: tuple[ReferenceRange, ...], on: PartialDate | None) -> Scale:
        """Unit and normal limits of a result of this person."""
        years = None
        if self.birth and on and any(entry.age for entry in ranges):
            years = self.birth.years_until(on)
        return self.scales.of(name, number, ranges, self.sex, years)

    def translate(
        self, table: str, concept: CodeableConcept | None, source: Source
    ) -> tuple[Translation, tuple[Unmapped, ...]]:
        """Translate a concept; what could not be translated is said, so that it can be listed."""
        if concept is None:
            return NOTHING, ()
        known = self.terms.maps[table]
        found = known.translate(concept)
        if found.code is not None or not (concept.coding or concept.text):
            return found, ()
        if not found.ambiguous and known.is_none_of_ours(concept):
            return found, ()
        system, code, text = describe(concept)
        return found, (Unmapped(table, system, code, text, str(source)),)

    def denied(self, *concepts: CodeableConcept | None) -> bool:
        """Whether the words of a concept say that something is not there, or only suspected."""
        return any(self._denials(one) for one in concepts)

    def suspected(self, concept: CodeableConcept | None) -> bool:
        """Whether the words of a concept say that something is only suspected."""
        return "suspected" in self._denials(concept)

    def _denials(self, concept: CodeableConcept | None) -> frozenset[str]:
        """What denies or doubts; nothing when the words also affirm something."""
        said = self.terms["negation"].every(concept)
        return frozenset() if "affirmed" in said else said


def source_of(record: Record, element: str) -> Source:
    """Where in which version of which resource a fact stands."""
    return Source(reference=record.reference, version=record.version, element=element)


def set_aside(record: Record, reason: str) -> SetAside:
    return SetAside(reason, record.type, record.source)
