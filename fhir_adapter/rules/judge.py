"""The only list of rules: everything the study asks about one person, in order."""

from __future__ import annotations

from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.cohort.judgement import Excluded, Exit, Judgement
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.rules.appraisal import appraise
from fhir_adapter.rules.baseline import age, bulk, sites
from fhir_adapter.rules.eligibility import (
    assessable,
    diagnosis,
    leaves_at_cut,
    leaves_at_failure,
    leaves_before_failure,
    leaves_before_index,
)
from fhir_adapter.rules.evidence import weigh
from fhir_adapter.rules.exposure import exposure
from fhir_adapter.rules.failure import failure
from fhir_adapter.rules.index import index
from fhir_adapter.rules.ipi import ipi
from fhir_adapter.rules.ipi_relatives import ipi_relatives
from fhir_adapter.rules.lines import lines
from fhir_adapter.rules.response import response
from fhir_adapter.rules.toxicity import toxicities
from fhir_adapter.rules.washout import washout


def judge(person: Subject, study: Study) -> Judgement | Excluded:
    """Judge a person as known at the study's data cut: a full Judgement, or the step at which the person left."""
    cut = study.parameters.data_cut
    subject = appraise(weigh(person.as_of(cut) if cut else person, study), study)
    found: list[AnyFinding] = [diagnosis(subject, study)]
    left = leaves_before_index(subject, study, found[0])
    if left:
        return _excluded(subject, left, found)
    indexed = index(subject, study)
    anchors = indexed.value
    if anchors is None:
        return _excluded(subject, Exit(step="car_t", reason="no_infusion", sentence=indexed.sentence), found)
    exposed = exposure(subject, study, anchors)
    found += [indexed, exposed]
    left = leaves_before_failure(subject, study, anchors, exposed)
    if left:
        return _excluded(subject, left, found)
    failed = failure(subject, study, anchors)
    found.append(failed)
    left = leaves_at_failure(subject, study, anchors, failed)
    if left:
        return _excluded(subject, left, found)
    ready = assessable(study, anchors)
    found.append(ready)
    left = leaves_at_cut(ready)
    if left:
        return _excluded(subject, left, found)
    years, organs = age(subject, study, anchors), sites(subject, study, anchors)
    return Judgement(
        subject=subject,
        cut=cut,
        diagnosis=found[0],
        index=indexed,
        exposure=exposed,
        failure=failed,
        washout=washout(indexed, exposed, study),
        lines=lines(subject, study, anchors),
        age=years,
        sites=organs,
        bulk=bulk(subject, study, anchors),
        ipi=ipi(subject, study, anchors, years, organs),
        ipi_relatives=ipi_relatives(subject, study, anchors, years, organs),
        response=response(subject, study, anchors),
        toxicities=toxicities(subject, study, anchors),
        assessable=ready,
    )


def _excluded(subject: Subject, left: Exit, found: list[AnyFinding]) -> Excluded:
    return Excluded(subject=subject, exit=left, findings=tuple(found))
