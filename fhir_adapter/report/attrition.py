"""Who left where, and why: as steps that a table and a diagram tell alike, with few people withheld."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from fhir_adapter.analysis import wording
from fhir_adapter.analysis.disclosure import hidden_cells, hidden_steps, is_small
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.cohort.study import Study
from fhir_adapter.report.table import DASH, FAULT, Table

RECEIVED = "Patients of the source"
STEPS = {
    "person": "People in the records",
    "diagnosis": "with the disease of the study",
    "bsab": "who received a bispecific antibody",
    "car_t": "who were infused with CAR-T",
    "bsab_before_apheresis": "whose antibody came before the index apheresis",
    "failure": "whose antibody had failed",
    "assessable": "who were assessable at the data cut: the cohort",
}
REASONS = {
    "merged_into_another": "merged into another record",
    "patient_unusable": "Patient resource that cannot be used",
    "no_treatment_of_the_study": "nothing on record is known as the antibody or as CAR-T: nothing else was read",
    "other_disease": "another disease",
    "no_diagnosis": "no diagnosis of the disease",
    "no_bsab": "no bispecific antibody",
    "no_infusion": "no CAR-T infusion",
    "collected_not_infused": "cells collected, not infused",
    "bsab_only_after_car_t": "antibody only after CAR-T",
    "no_bsab_before_apheresis": "no dose before the apheresis",
    "stopped_for_intolerance": "stopped for intolerance, without progression",
    "not_yet_assessable": "infused too shortly before the data cut",
    "not_the_disease_on_review": "not the disease, as decided on review",
    "excluded_on_review": "excluded on review",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why people left a step, and how many: in words, for few may be withheld."""

    words: str
    people: str


@dataclass(frozen=True, slots=True)
class Attrition:
    """One step: what remains is called, who came, who left, and who remains."""

    name: str
    came: str
    left: tuple[Reason, ...]
    remain: str


def steps_of(flow: Sequence[FlowRow], study: Study) -> tuple[Attrition, ...]:
    """The steps in order, as they may be told."""
    names = list(dict.fromkeys(row.step for row in flow))
    least = study.parameters.min_cell
    told = _told_totals(flow, names, least)
    return tuple(
        Attrition(
            name=STEPS.get(name, _words(name, study)),
            came=told[place] if least else str(max(row.n_in for row in flow if row.step == name)),
            left=_reasons([row for row in flow if row.step == name and row.n_out], study),
            remain=told[place + 1],
        )
        for place, name in enumerate(names)
    )


def adds_up(flow: Sequence[FlowRow]) -> bool:
    """Whether everybody who came to a step left it with a reason or came to the next."""
    here = {name: [row for row in flow if row.step == name] for name in dict.fromkeys(row.step for row in flow)}
    ends = [
        (max(row.n_in for row in rows), sum(row.n_out for row in rows), min(row.n_left for row in rows))
        for rows in here.values()
    ]
    within = all(came - gone == left for came, gone, left in ends)
    return within and all(before[2] == after[0] for before, after in pairwise(ends))


def attrition(flow: Sequence[FlowRow], study: Study) -> Table:
    """Who is left after each step, and why the others left; the note says whether it all adds up."""
    rows = tuple(
        (step.name, step.came, "; ".join(f"{one.words}: {one.people}" for one in step.left) or DASH, step.remain)
        for step in steps_of(flow, study)
    )
    note = "Every person is accounted for." if adds_up(flow) else FAULT
    return Table(("Step", "Came", "Left, and why", "Remain"), rows, note if rows else "")


def _reasons(gone: Sequence[FlowRow], study: Study) -> tuple[Reason, ...]:
    few = hidden_cells([row.n_out for row in gone], study.parameters.min_cell)
    return tuple(
        Reason(REASONS.get(row.reason) or _words(row.reason, study), wording.WITHHELD if at in few else str(row.n_out))
        for at, row in enumerate(gone)
    )


def _told_totals(flow: Sequence[FlowRow], steps: Sequence[str], least: int) -> list[str]:
    """How many came to the first step, and how many were left after each; withheld where few left."""
    if not steps:
        return []
    first = max(row.n_in for row in flow if row.step == steps[0])
    totals = [first, *(min(row.n_left for row in flow if row.step == step) for step in steps)]
    hidden = hidden_steps(totals, least)
    return [
        wording.WITHHELD if place in hidden or is_small(total, least) else str(total)
        for place, total in enumerate(totals)
    ]


def _words(code: str, study: Study) -> str:
    return study.display(code).replace("_", " ")
