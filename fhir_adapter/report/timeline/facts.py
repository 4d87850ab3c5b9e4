"""Every record about a person in words: for the table of records, and for whoever points at a mark of the figure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import singledispatch

from fhir_adapter.cohort import events
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import EVENT_FIELDS, Subject, in_order
from fhir_adapter.fhir.dates import PartialDate

# Records that are shown although they do not count: stronger evidence was there.
_BESIDE = ("outranked", "overruled")
_ROMAN = {1: "I", 2: "II", 3: "III", 4: "IV"}
_EVIDENCE = {"statement": "as reported", "dispense": "as handed out", "request": "only ordered"}
SCORES = {"ipi": "IPI", "r_ipi": "R-IPI", "aa_ipi": "aaIPI", "nccn_ipi": "NCCN-IPI"}
_POWER = re.compile(r"10\*(\d+)")
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Fact:
    """One record: its kind, what it says, and whether a rule counts it."""

    event: events.Event
    kind: str
    what: str
    counts: bool = True

    @property
    def on(self) -> PartialDate | None:
        return self.event.on

    @property
    def day(self) -> str:
        """The day or the days, as exact as known; empty when there is none."""
        begun, ended = self.on, getattr(self.event, "ended", None)
        until = f" to {ended.iso}" if ended and begun and ended != begun else ""
        return f"{begun.iso}{until}" if begun else ""

    @property
    def remarks(self) -> str:
        told = [flag.replace("-", " ") for flag in self.event.flags]
        return "; ".join(told if self.counts else ["not counted", *told])

    @property
    def tells(self) -> str:
        """Everything in one line."""
        return ", ".join(filter(None, (self.day or "day not known", self.what, self.remarks)))


def facts_of(subject: Subject, study: Study) -> tuple[Fact, ...]:
    """Every record in order of its day; those without a day come last."""
    beside = [event for name in _BESIDE for event in getattr(subject, name)]
    counted = [event for name in EVENT_FIELDS for event in getattr(subject, name)]
    return tuple(_fact(event, study, event not in beside) for event in in_order([*counted, *beside]))


def _fact(event: events.Event, study: Study, counts: bool) -> Fact:
    kind, *parts = words(event, study)
    return Fact(event, kind, ", ".join(filter(None, parts)), counts)


def amount(value: object, unit: str) -> str:
    """A value with its unit as it is read: `0.3 10⁹/L`."""
    return f"{value} {pretty(unit)}".rstrip()


def pretty(unit: str) -> str:
    """A UCUM unit with its power of ten raised."""
    return _POWER.sub(lambda found: "10" + found[1].translate(_RAISED), unit)


def limits(lab: events.Lab, written: Callable[[Decimal], str] = str) -> str:
    """The laboratory's own limits, as far as they are told."""
    low, high = (None if one is None else written(one) for one in (lab.lower_limit, lab.upper_limit))
    if low is not None and high is not None:
        return f"{low}–{high}"
    return f"≥ {low}" if low is not None else f"≤ {high}" if high is not None else ""


def grade(event: events.AdverseEvent) -> str:
    """`2`, or `1–5` when the record does not say."""
    return str(event.grade_min) if event.grade is not None else f"{event.grade_min}–{event.grade_max}"


@singledispatch
def words(event: events.Event, study: Study) -> Iterator[str]:
    """The kind of a record, and then what it says in parts."""
    yield re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(event).__name__).capitalize()


@words.register
def _(event: events.Dose, study: Study) -> Iterator[str]:
    yield "Drug"
    yield study.display(event.agent)
    yield amount(event.amount, event.unit) if event.amount is not None else ""
    yield event.route
    yield _EVIDENCE.get(event.evidence, "")
    yield "given perhaps" if event.given == "perhaps" else ""
    yield "not ended yet" if event.ongoing else ""
    yield "stopped for intolerance" if event.intolerance else ""


@words.register
def _(event: events.Collection, study: Study) -> Iterator[str]:
    yield "Collection"
    yield "Lymphocytes collected" if event.succeeded else "Collection of lymphocytes failed"


@words.register
def _(event: events.Infusion, study: Study) -> Iterator[str]:
    yield "Infusion"
    yield study.display(event.product)


@words.register
def _(event: events.Therapy, study: Study) -> Iterator[str]:
    yield "Treatment"
    yield study.display(event.kind)


@words.register
def _(event: events.Transfusion, study: Study) -> Iterator[str]:
    yield "Transfusion"
    yield f"Transfusion for {study.display(event.raises).lower()}"


@words.register
def _(event: events.Diagnosis, study: Study) -> Iterator[str]:
    yield "Diagnosis"
    yield study.display(event.disease)
    yield f"written down {event.recorded.iso}" if event.recorded and event.recorded != event.on else ""


@words.register
def _(event: events.Staging, study: Study) -> Iterator[str]:
    yield "Stage"
    yield f"Stage {_ROMAN.get(event.stage, event.stage)}"
    yield "told by the diagnosis" if event.evidence == "condition" else ""


@words.register
def _(event: events.Performance, study: Study) -> Iterator[str]:
    yield "Performance status"
    yield f"ECOG {event.ecog}"


@words.register
def _(event: events.Karnofsky, study: Study) -> Iterator[str]:
    yield "Performance status"
    yield f"Karnofsky {event.percent} %"


@words.register
def _(event: events.Lesion, study: Study) -> Iterator[str]:
    least = f"{event.at_least_mm} to " if event.at_least_mm is not None else ""
    yield "Lesion"
    yield f"Longest diameter {least}{event.longest_mm} mm"


@words.register
def _(event: events.DiseaseSite, study: Study) -> Iterator[str]:
    yield "Site of disease"
    yield study.display(event.site)
    yield "extranodal" if event.extranodal else ""


@words.register
def _(event: events.SiteCount, study: Study) -> Iterator[str]:
    yield "Sites of disease"
    yield f"Extranodal sites: {event.count}"


@words.register
def _(event: events.RecordedScore, study: Study) -> Iterator[str]:
    yield "Prognostic score"
    yield f"{SCORES[event.score]} {event.points}, as written down"


@words.register
def _(event: events.Assessment, study: Study) -> Iterator[str]:
    yield "Assessment"
    yield study.display(event.category)
    yield f"Deauville {event.deauville}" if event.deauville is not None else ""
    yield f"read from {event.method}" if event.method in ("text", "trend", "clinical") else ""
    yield study.display(event.modality) if event.modality else ""
    yield study.display(event.assessor) if event.assessor else ""


@words.register
def _(event: events.Lab, study: Study) -> Iterator[str]:
    yield "Laboratory"
    value = amount(f"{event.comparator}{event.value}", event.unit)
    yield f"{study.display(event.observable)} {value}"
    yield f"normal {limits(event)}" if limits(event) else ""
    yield f"reported as {event.as_reported}" if event.as_reported else ""


@words.register
def _(event: events.AdverseEvent, study: Study) -> Iterator[str]:
    yield "Adverse event"
    yield f"{study.display(event.term)} grade {grade(event)}"
    yield study.display(event.scale) if event.scale else ""


@words.register
def _(event: events.Decision, study: Study) -> Iterator[str]:
    yield "Decision"
    yield "Treatment with CAR-T decided"


@words.register
def _(event: events.Death, study: Study) -> Iterator[str]:
    yield "Death"
    yield "Died"


@words.register
def _(event: events.Contact, study: Study) -> Iterator[str]:
    yield "Contact"
    yield f"Known alive: {event.kind.replace('-', ' ')}"
