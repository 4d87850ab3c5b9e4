"""AdverseEvent → AdverseEvent with its grade and scale, or the statement that there was none."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_adapter.cohort import events
from fhir_adapter.fhir.r4 import AdverseEvent, CodeableConcept, Extension
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.grades import UNKNOWN_GRADE, Graded, read_grade, scale_of
from fhir_adapter.mapping.reading import Reader, Said, set_aside, source_of

_GRADE_URL = "http://hl7.org/fhir/uv/ae-research-ig/StructureDefinition/ae-grade"
_GRADE_URLS = frozenset(
    (
        _GRADE_URL,
        "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition/severity-or-grade",
        "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition/ae-severity-or-grade",
    )
)
_STATUS_URL_END = "/StructureDefinition/status"


def map_adverse_event(resource: AdverseEvent, record: Record, reader: Reader) -> Iterator[Said]:
    """A potential event, a refuted one, and a term that the study does not follow are set aside.

    Mild, moderate and severe are no grades and are not read as ones.
    """
    if resource.actuality == "potential":
        yield set_aside(record, "actuality-potential")
        return
    if _entered_in_error(resource):
        yield set_aside(record, "status-entered-in-error")
        return
    source = source_of(record, "event")
    term, unmapped = reader.translate("adverse-event", resource.event, source)
    yield from unmapped
    if term.code is None:
        yield set_aside(record, "adverse-event-ambiguous" if term.ambiguous else "adverse-event-not-in-study")
        return
    if term.by == "text" and reader.suspected(resource.event):
        yield set_aside(record, "denied-or-only-suspected")
        return
    on = next((day for text in (resource.date, resource.detected) if (day := reader.date(text))), None)
    flags = term.flags
    if on is None and (on := reader.date(resource.recordedDate)):
        flags = (*flags, "onset-from-recorded-date")
    graded = _grade(resource, reader)
    flags = (*flags, *graded.flags)
    if on is not None and "onset-from-recorded-date" not in flags:
        yield events.Contact(on=on, source=source, kind="adverse-event")
    yield events.AdverseEvent(
        on=on,
        source=source,
        flags=flags,
        term=term.code,
        grade_min=graded.lowest,
        grade_max=graded.highest,
        scale=graded.scale,
    )


def _grade(resource: AdverseEvent, reader: Reader) -> Graded:
    """The coded grade, else one in the words, else one written as the severity.

    A grade that is given wins over words that deny something.
    """
    coded = _grade_concept(resource.extension)
    found = next(
        (
            one
            for told in (coded, resource.event, resource.severity)
            if (one := read_grade(reader, told, resource.event))
        ),
        None,
    )
    if found:
        return found
    low, high = (0, 0) if reader.denied(resource.event) else UNKNOWN_GRADE
    return Graded(low, high, scale_of(reader, coded, resource.event))


def _grade_concept(extensions: tuple[Extension, ...]) -> CodeableConcept | None:
    for extension in extensions:
        if extension.url in _GRADE_URLS:
            if extension.valueCodeableConcept:
                return extension.valueCodeableConcept
            if extension.valueInteger is not None:
                return CodeableConcept(text=f"grade {extension.valueInteger}")
    return None


def _entered_in_error(resource: AdverseEvent) -> bool:
    """R4 AdverseEvent has no status; the research guide's backport carries one as a modifier extension."""
    return any(
        extension.url.endswith(_STATUS_URL_END) and "entered-in-error" in (extension.valueCode, _first(extension))
        for extension in (*resource.modifierExtension, *resource.extension)
    )


def _first(extension: Extension) -> str:
    concept = extension.valueCodeableConcept
    return concept.coding[0].code if concept and concept.coding else ""
