"""One person's course, written as a table, as the page about a person is given it."""

from __future__ import annotations

from spec.people import patient, study

from fhir_adapter.analysis.endpoint_findings import endpoint_findings
from fhir_adapter.analysis.endpoints import event_times
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.report.timeline.person import Person
from fhir_adapter.rules.judge import judge

WHOLE = """
    1960-05-02 | born
    2021-02    | dlbcl
    2021-03-01 | rituximab
    2021-03-01 | doxorubicin
    2021-06-10 | CR
    2023-01-09 | glofitamab
    2023-01-16 | glofitamab
    2023-02-06 | glofitamab | amount unknown
    2023-03-01 | SD
    2023-03-20 | PD
    2023-03-20 | stage 4
    2023-03-20 | ECOG 1
    2023-03-20 | lesion 82
    2023-03-20 | disease in liver
    2023-04-10 | apheresis
    2023-05-04 | fludarabine
    2023-05-04 | cyclophosphamide
    2023-05-09 | infusion
    2023-05-10 | CRS 2
    2023-05-15 | ICANS 0
    2023-05-02 | neutrophils 2.4 (1.8-6.3)
    2023-05-12 | neutrophils 0.3 (1.8-6.3)
    2023-05-16 | neutrophils <0.1 (1.8-6.3)
    2023-05-30 | neutrophils 1.9 (1.8-6.3)
    2023-05-16 | ast 150 (13-40)
    2023-06-08 | PR
    2023-09-12 | PD
    2024-01-15 | visit
    2024-02    | death
"""


def person(table: str = WHOLE, cut: str | None = "2024-06-01", **parameters: object) -> Person:
    asked = study(data_cut=cut, **parameters)
    found = judge(patient(table), asked)
    if not isinstance(found, Judgement):
        return Person(asked, found.subject, found.findings)
    times, left = event_times(found, asked)
    findings = (*found.findings(), *endpoint_findings(times, left, asked))
    return Person(asked, found.subject, findings, tuple(times))
