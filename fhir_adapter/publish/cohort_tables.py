"""The tables of `cohort/`: people, attrition, events, findings, and what was set aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from fhir_adapter.cohort.estimate import NotInEndpoint
from fhir_adapter.cohort.events import Dose, Event, Lab
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import in_order
from fhir_adapter.cohort.tallies import Code, NotUsed, Seen, Tallies
from fhir_adapter.publish.csv_table import Cell, Row, write_table
from fhir_adapter.publish.work_list import for_review
from fhir_adapter.rules.revision import by_rule

SUBJECTS = (
    *("subject_id", "patient_ids", "sex", "birth_date", "age_years", "index_date", "apheresis_date"),
    *("bsab_agents", "bsab_targets", "bsab_last_dose_date", "bsab_best_response", "bsab_progression_date"),
    *("bsab_failure", "washout_days", "washout_days_min", "washout_days_max"),
    *("washout_flags", "prior_lines", "prior_cells"),
    *("ipi", "ipi_min", "ipi_max", "r_ipi", "aa_ipi", "aa_ipi_min", "aa_ipi_max"),
    *("nccn_ipi", "nccn_ipi_min", "nccn_ipi_max", "extranodal_sites", "bulky", "longest_diameter_mm", "cart_product"),
    *("cart_targets", "best_response", "progression_date", "last_assessment_date", "death_date", "last_contact_date"),
    *("adjudicated", "bsab_failure_by_rule", "best_response_by_rule", "prior_lines_by_rule", "ipi_by_rule"),
    *("bulky_by_rule", "adjudication_flags"),
)
FLOW = ("step", "reason", "n_in", "n_out", "n_left")
DOSES = (
    *("subject_id", "date", "end_date", "agent", "label", "targets", "amount", "unit", "given", "evidence"),
    *("flags", "source"),
)
RESPONSES = ("subject_id", "date", "category", "method", "flags", "source")
LABS = (
    *("subject_id", "date", "observable", "value", "comparator", "unit", "lower_limit", "upper_limit"),
    *("as_reported", "flags", "source"),
)
TOXICITIES = (
    *("subject_id", "term", "grade", "grade_min", "grade_max", "elevated", "scale", "scale_version", "onset_date"),
    *("value", "unit", "lower_limit", "upper_limit", "baseline", "flags", "verdict_by_rule", "source"),
)
REJECTS = ("reason", "type", "count", "example")
UNMAPPED = ("reason", "table", "system", "code", "text", "count", "example")
CONTRADICTIONS = ("reason", "count", "example", "subject_id", "endpoints")


BY_PERSON: Mapping[str, Sequence[str]] = {
    "subjects.csv": SUBJECTS,
    "doses.csv": DOSES,
    "responses.csv": RESPONSES,
    "labs.csv": LABS,
    "toxicities.csv": TOXICITIES,
    "contradictions.csv": CONTRADICTIONS,
}
"""The tables that people are added to one after the other, in order of their id, and their columns."""


def person_rows(one: Judgement, left: Iterable[NotInEndpoint], study: Study) -> dict[str, list[Row]]:
    """What stands in each table of `BY_PERSON` about one person of the cohort, events in order of their day.

    `left` are the endpoints that the person leaves.
    """
    key, subject = one.subject.subject_id, one.subject
    return {
        "subjects.csv": [_subject(one)],
        "doses.csv": [_dose(key, dose, study) for dose in in_order([*subject.doses, *subject.outranked])],
        "responses.csv": [
            {**_event(key, seen), "category": seen.category, "method": seen.method} for seen in subject.assessments
        ],
        "labs.csv": [_lab(key, lab) for lab in subject.labs],
        "toxicities.csv": list(_toxicities(one)),
        "contradictions.csv": list(_contradictions(one, left)),
    }


def whole_tables(flow: Sequence[FlowRow], tallies: Tallies) -> dict[str, bytes]:
    """The tables that are about everybody together, by name."""
    return {
        "flow.csv": write_table(FLOW, (row.model_dump() for row in flow)),
        "rejects.csv": write_table(REJECTS, _rejects(tallies.not_used)),
        "unmapped.csv": write_table(UNMAPPED, _unmapped(tallies.unknown)),
    }


def _subject(one: Judgement) -> Row:
    subject, index, exposed = one.subject, one.index.value, one.exposure.value
    failed, washout, lines, ipi = one.failure.value, one.washout.value, one.lines.value, one.ipi.value
    response, bulk, sites = one.response.value, one.bulk.value, one.sites.value
    exposures = exposed.exposures if exposed else ()
    deaths = [death.on for death in subject.deaths]
    contacts = [contact.on for contact in subject.contacts if contact.on]
    return {
        "subject_id": subject.subject_id,
        "patient_ids": subject.patient_ids,
        "sex": subject.sex,
        "birth_date": subject.birth,
        "age_years": one.age.value.days if one.age.value else None,
        "index_date": index.infusion if index else None,
        "apheresis_date": index.apheresis if index else None,
        "bsab_agents": [each.agent for each in exposures],
        "bsab_targets": list(dict.fromkeys("x".join(each.targets) for each in exposures)),
        "bsab_last_dose_date": exposed.last_dose if exposed else None,
        "bsab_best_response": failed.best_response if failed else None,
        "bsab_progression_date": failed.progression if failed else None,
        "bsab_failure": failed.status if failed else "undetermined",
        "washout_days": washout.days if washout else None,
        "washout_days_min": washout.shortest if washout else None,
        "washout_days_max": washout.longest if washout else None,
        "washout_flags": exposed.flags if exposed else (),
        "prior_lines": lines.count.settled if lines else None,
        "prior_cells": lines.cells if lines else None,
        "ipi": ipi.points.settled if ipi else None,
        "ipi_min": ipi.points.lowest if ipi else None,
        "ipi_max": ipi.points.highest if ipi else None,
        **_ipi_relatives(one),
        "extranodal_sites": sites.count.settled if sites else None,
        "bulky": bulk.bulky if bulk else None,
        "longest_diameter_mm": bulk.longest_mm if bulk else None,
        "cart_product": index.product if index else None,
        "cart_targets": index.targets if index else None,
        "best_response": response.best if response else None,
        "progression_date": response.progressed_on if response else None,
        "last_assessment_date": response.last_assessed_on if response else None,
        "death_date": deaths[0] if deaths else None,
        "last_contact_date": max(contacts, default=None),
        **_adjudication(one),
    }


def _adjudication(one: Judgement) -> dict[str, Cell]:
    """What people have decided otherwise, beside what the rules say of everything that can be decided."""
    reviews = [(found.rule, found.review) for found in (one.eligibility, *one.findings()) if found.review]
    ruled = (("bsab_failure", one.failure), ("best_response", one.response), ("prior_lines", one.lines))
    return {
        "adjudicated": [rule for rule, review in reviews if review.applied],
        **{f"{name}_by_rule": by_rule(found) for name, found in (*ruled, ("ipi", one.ipi), ("bulky", one.bulk))},
        "adjudication_flags": [f"{rule}:{flag}" for rule, review in reviews for flag in review.flags],
    }


def _ipi_relatives(one: Judgement) -> dict[str, Cell]:
    """The group of the R-IPI, and the points of aaIPI and NCCN-IPI."""
    found = {finding.rule: finding.value for finding in one.ipi_relatives if finding.value}
    revised = found.pop("r_ipi", None)
    cells: dict[str, Cell] = {"r_ipi": revised.group if revised else None}
    for name, score in found.items():
        cells[name] = score.points.settled
        cells[f"{name}_min"] = score.points.lowest
        cells[f"{name}_max"] = score.points.highest
    return cells


def _event(subject_id: str, event: Event) -> dict[str, Cell]:
    return {"subject_id": subject_id, "date": event.on, "flags": event.flags, "source": str(event.source)}


def _dose(subject_id: str, dose: Dose, study: Study) -> Row:
    return {
        **_event(subject_id, dose),
        "end_date": dose.ended,
        "agent": dose.agent,
        "label": dose.label,
        "targets": "x".join(study.targets(dose.agent)),
        "amount": dose.amount,
        "unit": dose.unit,
        "given": dose.given,
        "evidence": dose.evidence,
    }


def _lab(subject_id: str, lab: Lab) -> Row:
    return {
        **_event(subject_id, lab),
        "observable": lab.observable,
        "value": lab.value,
        "comparator": lab.comparator,
        "unit": lab.unit,
        "lower_limit": lab.lower_limit,
        "upper_limit": lab.upper_limit,
        "as_reported": lab.as_reported,
    }


def _toxicities(one: Judgement) -> Iterator[Row]:
    for finding in one.toxicities:
        if finding.value:
            found = finding.value
            yield {
                "subject_id": one.subject.subject_id,
                "term": found.term,
                "grade": found.grade,
                "grade_min": found.grade_min,
                "grade_max": found.grade_max,
                "elevated": found.elevated,
                "scale": found.scale,
                "scale_version": found.scale_version,
                "onset_date": found.onset,
                "value": found.value,
                "unit": found.unit,
                "lower_limit": found.lower_limit,
                "upper_limit": found.upper_limit,
                "baseline": found.baseline,
                "flags": found.flags,
                "verdict_by_rule": finding.review.by_rule if finding.review else None,
                "source": found.source,
            }


def _rejects(not_used: Mapping[NotUsed, Seen]) -> Iterator[Row]:
    for (reason, kind), seen in sorted(not_used.items()):
        yield {"reason": reason, "type": kind, "count": seen.records, "example": seen.example}


def _unmapped(unknown: Mapping[Code, Seen]) -> Iterator[Row]:
    for (table, system, code, text), seen in sorted(unknown.items(), key=lambda item: (-item[1].records, item[0])):
        reason = "code_not_known" if code else "text_not_known"
        named = {"table": table, "system": system, "code": code, "text": text}
        yield {"reason": reason, **named, "count": seen.records, "example": seen.example}


def _contradictions(judgement: Judgement, left: Iterable[NotInEndpoint]) -> Iterator[Row]:
    """Records that cannot both be true or want a look, by reason, with the endpoints that the person leaves."""
    together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for one in left:
        together.setdefault((one.reason, one.sources), []).append(one.endpoint)
    for key in for_review(judgement):
        together.setdefault(key, [])
    for (reason, sources), endpoints in sorted(together.items()):
        yield {
            "reason": reason,
            "count": len(sources),
            "example": next(iter(sources), ""),
            "subject_id": judgement.subject.subject_id,
            "endpoints": endpoints,
        }
