"""The tables of `cohort/`: people, attrition, events, findings, and what was set aside."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel

from fhir_adapter.cohort.estimate import NotInEndpoint
from fhir_adapter.cohort.events import Dose, Event, Lab
from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.cohort.fingerprint import fingerprint
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import in_order
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.publish.csv_table import Cell, Row, write_table
from fhir_adapter.publish.parquet_tables import parquet_table
from fhir_adapter.publish.work_list import for_review
from fhir_adapter.rules.revision import by_rule

K = TypeVar("K", bound=tuple[str, ...])

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


def cohort_tables(
    judgements: Sequence[Judgement],
    flow: Sequence[FlowRow],
    contradictions: Sequence[NotInEndpoint],
    rejects: Mapping[tuple[str, str], tuple[int, str]],
    unmapped: Mapping[tuple[str, str, str, str], tuple[int, str]],
    findings: Iterable[tuple[str, Iterable[AnyFinding]]],
    study: Study,
) -> dict[str, bytes]:
    """Every file of `cohort/` by name. People are in order of their id, events in order of their day.

    `findings` are those of everybody, by subject id; people outside the cohort have those up to where they left.
    """
    people = [(one.subject.subject_id, one.subject) for one in judgements]
    subjects = [_subject(one) for one in judgements]
    return {
        "subjects.csv": write_table(SUBJECTS, subjects),
        "subjects.parquet": parquet_table("subjects", subjects),
        "flow.csv": write_table(FLOW, (row.model_dump() for row in flow)),
        "doses.csv": write_table(
            DOSES, (_dose(key, dose, study) for key, one in people for dose in in_order([*one.doses, *one.outranked]))
        ),
        "responses.csv": write_table(
            RESPONSES,
            (
                {**_event(key, seen), "category": seen.category, "method": seen.method}
                for key, one in people
                for seen in one.assessments
            ),
        ),
        "labs.csv": write_table(LABS, (_lab(key, lab) for key, one in people for lab in one.labs)),
        "toxicities.csv": write_table(TOXICITIES, (row for one in judgements for row in _toxicities(one))),
        "findings.ndjson": _findings(findings),
        "rejects.csv": write_table(REJECTS, _rejects(rejects)),
        "unmapped.csv": write_table(UNMAPPED, _unmapped(unmapped)),
        "contradictions.csv": write_table(CONTRADICTIONS, _contradictions(judgements, contradictions)),
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


def _findings(findings: Iterable[tuple[str, Iterable[AnyFinding]]]) -> bytes:
    """One line per rule and person."""
    lines = ({"subject_id": subject_id, **tell(one)} for subject_id, found in findings for one in found)
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def tell(finding: AnyFinding) -> dict[str, object]:
    """A finding as JSON; dates as exact as known."""
    return {
        "rule": finding.rule,
        "verdict": finding.verdict,
        "value": _plain(finding.value),
        "sentence": finding.sentence,
        "steps": [step.model_dump() for step in finding.steps],
        "sources": list(finding.sources),
        "parameters": dict(finding.parameters),
        "evidence": str(fingerprint(finding)),
        "review": finding.review.model_dump(mode="json") if finding.review else None,
    }


def _plain(value: object) -> object:
    match value:
        case PartialDate():
            return value.iso
        case BaseModel():
            return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case tuple() | list():
            return [_plain(inner) for inner in value]
        case _:
            return value


def _rejects(rejects: Mapping[tuple[str, str], tuple[int, str]]) -> Iterator[Row]:
    for (reason, kind), (count, example) in sorted(rejects.items()):
        yield {"reason": reason, "type": kind, "count": count, "example": example}


def _unmapped(unmapped: Mapping[tuple[str, str, str, str], tuple[int, str]]) -> Iterator[Row]:
    for (table, system, code, text), (count, example) in sorted(
        unmapped.items(), key=lambda item: (-item[1][0], item[0])
    ):
        reason = "code_not_known" if code else "text_not_known"
        named = {"table": table, "system": system, "code": code, "text": text}
        yield {"reason": reason, **named, "count": count, "example": example}


def _contradictions(judgements: Sequence[Judgement], left: Sequence[NotInEndpoint]) -> Iterator[Row]:
    """Records that cannot both be true or want a look, by person and reason, with the endpoints the person leaves."""
    together: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for one in left:
        together.setdefault((one.subject_id, one.reason, one.sources), []).append(one.endpoint)
    for judgement in judgements:
        for reason, sources in for_review(judgement):
            together.setdefault((judgement.subject.subject_id, reason, sources), [])
    for (subject_id, reason, sources), endpoints in sorted(together.items()):
        yield {
            "reason": reason,
            "count": len(sources),
            "example": next(iter(sources), ""),
            "subject_id": subject_id,
            "endpoints": endpoints,
        }


def count_by(keys: Iterable[K], examples: Iterable[str]) -> dict[K, tuple[int, str]]:
    """How often each key occurs, and the first example of it in order."""
    pairs = sorted(zip(keys, examples, strict=True))
    counts = Counter(key for key, _ in pairs)
    first: dict[K, str] = {}
    for key, example in pairs:
        first.setdefault(key, example)
    return {key: (counts[key], first[key]) for key in counts}
