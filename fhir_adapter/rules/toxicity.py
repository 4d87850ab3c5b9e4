"""The worst grade of every term after the infusion: laboratory terms by CTCAE, everything else as documented.

Columns and meaning of `toxicities.csv`: docs/reference/outputs.md.
"""

from __future__ import annotations

from itertools import groupby

from fhir_adapter.cohort.finding import Finding, Index, Toxicity
from fhir_adapter.cohort.study import Study
from fhir_adapter.cohort.subject import Subject
from fhir_adapter.rules.elevation import elevation
from fhir_adapter.rules.icaht import icaht
from fhir_adapter.rules.laboratory_toxicity import laboratory_toxicity
from fhir_adapter.rules.recorded_toxicity import with_recorded
from fhir_adapter.rules.syndromes import CRS, ICANS, episode


def toxicities(subject: Subject, study: Study, index: Index) -> tuple[Finding[Toxicity], ...]:
    """One finding per term that was assessed in the window; a term that nobody assessed has none."""
    found: list[Finding[Toxicity] | None] = [episode(term, subject, study, index) for term in (CRS, ICANS)]
    by_term = groupby(study.grading, key=lambda clause: clause.term_code)
    measured = (laboratory_toxicity(tuple(clauses), subject, study, index) for _, clauses in by_term)
    found += with_recorded([one for one in measured if one], subject, study, index)
    by_name: dict[str, list[str]] = {}
    for observable, term in study.elevated_terms.items():
        by_name.setdefault(term, []).append(observable)
    found += [elevation(term, observables, subject, study, index) for term, observables in by_name.items()]
    found += icaht(subject, study, index)
    return tuple(one for one in found if one)
