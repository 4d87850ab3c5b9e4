"""Measures and their summary MeasureReports: one of each per family, one group per statistic.

The Measure is in charge. Each of its groups names an estimate in `group.code` (system `CodeSystem/statistic`)
and the populations to count: another statistic in a report is another group in `mappings/<study>/measures/`
and no code. Summary reports hold counts and estimates only: no patient, no reference to a patient's resource.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from fhir_adapter.analysis import wording
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.cohort.study import MeasureFamily, Study
from fhir_adapter.publish import identity
from fhir_adapter.publish.documents import Document, Resource, document
from fhir_adapter.publish.group import estimate_id, report_group, scoring
from fhir_adapter.publish.narrative import report_text
from fhir_adapter.publish.stratifier import Figures


@dataclass(frozen=True, slots=True)
class _Period:
    start: date
    end: date


def build_reports(
    estimates: Iterable[Estimate],
    study: Study,
    *,
    flow: Iterable[FlowRow],
    period_start: date,
    period_end: date,
) -> tuple[Document, ...]:
    """Every Measure of the study, each followed by its MeasureReport, in the order of the study.

    The period is what the report covers (first day of the cohort to the data cut). Nothing depends on today's
    date, so equal results give equal documents. Raises `StudyError` when a Measure cannot be used.
    """
    figures = Figures({estimate.id: estimate for estimate in estimates}, tuple(flow), study.parameters.min_cell)
    period = _Period(period_start, period_end)
    documents: list[Document] = []
    for family in study.measures:
        measure = document(family.resource, f"the Measure {family.family!r}")
        report = _report(family, measure.resource, study, figures, period)
        documents += [measure, document(report, f"the MeasureReport of {family.family!r}")]
    return tuple(documents)


def _report(
    family: MeasureFamily,
    measure: Resource,
    study: Study,
    figures: Figures,
    period: _Period,
) -> Resource:
    key = identity.report_key(study, family.family)
    cut = study.parameters.data_cut or period.end
    named = [(group, estimate_id(group, family.family)) for group in measure.get("group", ())]
    caption, digits = f"{study.title}. Data as of {cut.isoformat()}.", study.parameters.digits
    report = {
        "resourceType": "MeasureReport",
        "id": identity.resource_id(key),
        "text": report_text(measure, named, lambda name: _said(figures.estimates.get(name), digits), caption),
        "identifier": [{"use": "official", "system": identity.REPORT, "value": key}],
        "status": "complete",
        "type": "summary",
        "measure": f"{family.url}|{family.version}",
        "date": cut.isoformat(),
        "reporter": {"identifier": {"system": identity.SITE, "value": study.site or "site"}},
        "period": {"start": period.start.isoformat(), "end": period.end.isoformat()},
        "group": [report_group(group, name, scoring(group, measure), figures) for group, name in named],
    }
    if "improvementNotation" in measure:
        report["improvementNotation"] = measure["improvementNotation"]
    return report


def _said(estimate: Estimate | None, digits: int) -> str:
    return wording.sentence(estimate, digits) if estimate else "not computed with the parameters in force"
