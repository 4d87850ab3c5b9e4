"""Who belongs to the cohort: the steps of the attrition, in order. A person leaves at the first step not met."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fhir_adapter.cohort.events import Diagnosis
from fhir_adapter.cohort.finding import AnyFinding, Exposures, Failure, Finding, Index, Step, rests_on, step
from fhir_adapter.cohort.judgement import Exit
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.rules.failure import stopped_for_intolerance
from fhir_adapter.rules.index import bsab_doses, index_infusion, start, undated_bsab_doses, when


def diagnosis(subject: Subject, study: Study) -> AnyFinding:
    """Has the person the study's disease?"""
    wanted = study.roles.disease
    if study.parameters.transformed == "include":
        wanted = wanted | study.roles.transformed_disease
    matching = [one for one in subject.diagnoses if one.disease in wanted]
    others = [one for one in subject.diagnoses if one.disease not in wanted]
    parameters = study.parameters.named("transformed")
    if matching:
        names = ", ".join(dict.fromkeys(study.display(one.disease) for one in matching))
        return Finding(
            rule="diagnosis",
            verdict="met",
            value=matching[0].disease,
            sentence=f"Has {names}.",
            steps=tuple(_diagnosis_step(one, study) for one in matching),
            sources=rests_on(matching),
            parameters=parameters,
        )
    names = ", ".join(dict.fromkeys(study.display(one.disease) for one in others))
    return Finding(
        rule="diagnosis",
        verdict="not met",
        value="other_disease" if others else "no_diagnosis",
        sentence=f"Has {names}, not the study's disease." if others else "No diagnosis of the study's disease.",
        steps=tuple(_diagnosis_step(one, study) for one in others),
        sources=rests_on(others),
        parameters=parameters,
    )


def leaves_at_diagnosis(found: AnyFinding) -> Exit | None:
    if found.verdict == "met":
        return None
    return Exit(step="diagnosis", reason=str(found.value), sentence=found.sentence)


def leaves_without_drug(subject: Subject, study: Study) -> Exit | None:
    if not (bsab_doses(subject, study) or undated_bsab_doses(subject, study)):
        return Exit(step="bsab", reason="no_bsab", sentence="No bispecific antibody was given.")
    return None


def leaves_without_cells(subject: Subject, study: Study) -> Exit | None:
    if not index_infusion(subject, study):
        collected = any(one.succeeded for one in subject.collections)
        reason = "collected_not_infused" if collected else "no_infusion"
        says = "Cells were collected but no CAR-T infusion" if collected else "No CAR-T infusion"
        return Exit(step="car_t", reason=reason, sentence=f"{says} is recorded.")
    return None


def leaves_before_failure(subject: Subject, study: Study, index: Index, exposure: Finding[Exposures]) -> Exit | None:
    """The exit of people whose BsAb did not come before the collection."""
    if exposure.verdict == "met":
        return None
    if exposure.verdict == "undetermined":
        return Exit(step="bsab_before_apheresis", reason="undetermined", sentence=exposure.sentence)
    infusion = start(index_infusion(subject, study))
    after = all(infusion.surely_before(when(dose)) for dose in bsab_doses(subject, study))
    if after:
        says = "The bispecific antibody was given only after CAR-T."
        return Exit(step="bsab_before_apheresis", reason="bsab_only_after_car_t", sentence=says)
    says = "No dose of a bispecific antibody precedes the collection."
    return Exit(step="bsab_before_apheresis", reason="no_bsab_before_apheresis", sentence=says)


def leaves_at_failure(subject: Subject, study: Study, index: Index, failure: Finding[Failure]) -> Exit | None:
    """The exit of people whose BsAb did not fail, or, by parameter, of those for whom it cannot be told."""
    value = failure.value
    if failure.verdict != "undetermined":
        return None
    progressed = value is not None and value.progression is not None
    stable = value is not None and value.best_response in study.responses.stable
    if stopped_for_intolerance(subject, study, index) and not progressed and not stable:
        if study.parameters.include_intolerance:
            return None
        says = "The bispecific antibody was stopped for intolerance, without a documented progression."
        return Exit(step="failure", reason="stopped_for_intolerance", sentence=says)
    if not study.parameters.include_undetermined_failure:
        return Exit(step="failure", reason="undetermined", sentence=failure.sentence)
    return None


def assessable(study: Study, index: Index) -> AnyFinding:
    """Was the infusion long enough before the data cut for a first assessment?"""
    cut, days = study.parameters.data_cut, study.parameters.assessable_after_days
    parameters = study.parameters.named("assessable_after_days", "data_cut")
    if cut is None:
        return Finding(rule="assessable", verdict="met", sentence="There is no data cut.", parameters=parameters)
    shortest, longest = (cut - index.infusion.latest).days, (cut - index.infusion.earliest).days
    verdict = "met" if shortest >= days else "undetermined" if longest >= days else "not met"
    return Finding(
        rule="assessable",
        verdict=verdict,
        sentence=f"Infused {shortest} days before the data cut; {days} are needed for a first assessment.",
        steps=(
            step(
                "days from infusion to the cut",
                value=str(shortest),
                unit="d",
                parameter="assessable_after_days",
            ),
        ),
        parameters=parameters,
    )


def eligibility(deciding: Sequence[AnyFinding], left: Exit | None) -> AnyFinding:
    """Why the person is in the cohort, or at which step they left. `deciding` are the findings that it rests on."""
    told = Finding[Any](
        rule="eligibility",
        verdict="met",
        sentence="In the cohort: " + " ".join(finding.sentence for finding in deciding),
        sources=tuple(dict.fromkeys(source for finding in deciding for source in finding.sources)),
        parameters={name: value for finding in deciding for name, value in finding.parameters.items()},
    )
    if left is None:
        return told
    return told.model_copy(
        update={
            "verdict": "undetermined" if left.reason == "undetermined" else "not met",
            "value": {"step": left.step, "reason": left.reason},
            "sentence": f"Not in the cohort: {left.sentence}",
        }
    )


def leaves_at_cut(found: AnyFinding) -> Exit | None:
    if found.verdict == "met":
        return None
    return Exit(step="assessable", reason="not_yet_assessable", sentence=found.sentence)


def _diagnosis_step(one: Diagnosis, study: Study) -> Step:
    return step(f"{study.display(one.disease)} recorded", one, value=one.disease)
