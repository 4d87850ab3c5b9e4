"""DiagnosticReport → response assessments by its conclusion codes. What its text concludes is not read."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_adapter.cohort.events import Contact
from fhir_adapter.fhir.r4 import DiagnosticReport
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.reading import Reader, Said, set_aside, source_of
from fhir_adapter.mapping.response import assessment
from fhir_adapter.mapping.result import Place

_FINAL = {"final", "amended", "corrected", "appended"}
_PRELIMINARY = {"preliminary", "partial"}


def map_report(resource: DiagnosticReport, record: Record, reader: Reader) -> Iterator[Said]:
    """A report whose conclusion is a category of response. Its results are Observations, and are read as such."""
    if "diagnostic_report" not in reader.further:
        yield set_aside(record, "record-not-accepted")
        return
    if resource.status not in _FINAL | _PRELIMINARY:
        yield set_aside(record, f"status-{resource.status or 'missing'}")
        return
    on, _, _ = reader.span(resource.effectiveDateTime, resource.effectivePeriod)
    if on:
        yield Contact(on=on, source=source_of(record, "effective[x]"), kind="report")
    flags = ("preliminary",) if resource.status in _PRELIMINARY else ()
    place = Place(on, record, "conclusionCode", flags if on else (*flags, "undated"), reader)
    said = [one for one in resource.conclusionCode if reader.terms["response"].translate(one).code]
    sure = [one for one in said if not reader.denied(one)]
    if not sure:
        yield set_aside(record, "denied-or-only-suspected" if said else "report-without-response")
    performers = [one.display for one in (*resource.resultsInterpreter, *resource.performer)]
    for one in sure:
        found = reader.terms["response"].translate(one)
        method = "category" if found.by == "code" else "text"
        yield assessment(found.code or "", method, found.flags, (resource.code, *resource.category), performers, place)
