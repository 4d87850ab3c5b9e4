"""The only list of rules: everything the study asks about one person, in order."""

from __future__ import annotations

from collections.abc import Sequence

from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.cohort.judgement import Excluded, Exit, Judgement
from fhir_adapter.cohort.review import Ruling
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.rules.appraisal import appraise
from fhir_adapter.rules.baseline import age, bulk, sites
from fhir_adapter.rules.eligibility import (
    assessable,
    diagnosis,
    eligibility,
    leaves_at_cut,
    leaves_at_diagnosis,
    leaves_at_failure,
    leaves_before_failure,
    leaves_without_cells,
    leaves_without_drug,
)
from fhir_adapter.rules.evidence import weigh
from fhir_adapter.rules.exposure import exposure
from fhir_adapter.rules.failure import failure
from fhir_adapter.rules.index import index
from fhir_adapter.rules.ipi import ipi
from fhir_adapter.rules.ipi_relatives import ipi_relatives
from fhir_adapter.rules.lines import lines
from fhir_adapter.rules.response import response
from fhir_adapter.rules.review import not_possible, reviewed
from fhir_adapter.rules.revision import EXCLUDED_ON_REVIEW
from fhir_adapter.rules.toxicity import toxicities
from fhir_adapter.rules.washout import washout


def judge(person: Subject, study: Study, rulings: Sequence[Ruling] = ()) -> Judgement | Excluded:
    """Judge a person as known at the study's data cut: a full Judgement, or the step at which the person left.

    `rulings` are what people decided about this person. Where they count they take the place of what a rule says,
    before anything else rests on it; whether the person belongs to the cohort at all comes last.
    """
    by_rule = _judge(person, study, rulings)
    belongs = reviewed(by_rule.eligibility, rulings, study)
    if belongs.review is None or not belongs.review.overrides:
        return by_rule.model_copy(update={"eligibility": belongs})
    if isinstance(by_rule, Judgement):
        left = Exit(step="assessable", reason=EXCLUDED_ON_REVIEW, sentence="Reviewers have excluded the person.")
        return Excluded(subject=by_rule.subject, exit=left, findings=tuple(by_rule.findings()), eligibility=belongs)
    admitted = _judge(person, study, rulings, admitted=True)
    if isinstance(admitted, Judgement):
        return admitted.model_copy(update={"eligibility": belongs})
    return by_rule.model_copy(update={"eligibility": not_possible(by_rule.eligibility, belongs.review)})


def _judge(person: Subject, study: Study, rulings: Sequence[Ruling], *, admitted: bool = False) -> Judgement | Excluded:
    """`admitted`: reviewers want the person in the cohort, so only who was never infused leaves."""
    cut = study.parameters.data_cut
    subject = appraise(weigh(person.as_of(cut) if cut else person, study), study)
    found: list[AnyFinding] = [reviewed(diagnosis(subject, study), rulings, study)]

    def leaves(left: Exit | None) -> Exit | None:
        return None if left and admitted and left.step != "car_t" else left

    left = (
        leaves(leaves_at_diagnosis(found[0]))
        or leaves(leaves_without_drug(subject, study))
        or leaves(leaves_without_cells(subject, study))
    )
    if left:
        return _excluded(subject, left, found)
    indexed = index(subject, study)
    anchors = indexed.value
    if anchors is None:
        return _excluded(subject, Exit(step="car_t", reason="no_infusion", sentence=indexed.sentence), found)
    exposed = exposure(subject, study, anchors)
    found += [indexed, exposed]
    left = leaves(leaves_before_failure(subject, study, anchors, exposed))
    if left:
        return _excluded(subject, left, found)
    failed = reviewed(failure(subject, study, anchors), rulings, study)
    found.append(failed)
    left = leaves(leaves_at_failure(subject, study, anchors, failed))
    if left:
        return _excluded(subject, left, found)
    ready = assessable(study, anchors)
    found.append(ready)
    left = leaves(leaves_at_cut(ready))
    if left:
        return _excluded(subject, left, found)
    years, organs = age(subject, study, anchors), sites(subject, study, anchors)
    return Judgement(
        subject=subject,
        cut=cut,
        eligibility=eligibility((found[0], exposed, indexed, failed), None),
        diagnosis=found[0],
        index=indexed,
        exposure=exposed,
        failure=failed,
        washout=washout(indexed, exposed, study),
        lines=reviewed(lines(subject, study, anchors), rulings, study),
        age=years,
        sites=organs,
        bulk=reviewed(bulk(subject, study, anchors), rulings, study),
        ipi=reviewed(ipi(subject, study, anchors, years, organs), rulings, study),
        ipi_relatives=ipi_relatives(subject, study, anchors, years, organs),
        response=reviewed(response(subject, study, anchors), rulings, study),
        toxicities=tuple(reviewed(one, rulings, study) for one in toxicities(subject, study, anchors)),
        assessable=ready,
    )


def _excluded(subject: Subject, left: Exit, found: list[AnyFinding]) -> Excluded:
    return Excluded(subject=subject, exit=left, findings=tuple(found), eligibility=eligibility(found, left))
