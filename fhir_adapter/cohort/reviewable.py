"""Which findings a reviewer may decide otherwise, and in which words.

What is a class or a count may be: its verdict is all that is needed to count the person otherwise. What rests on days
(the infusion, the washout, an endpoint) may not: another verdict without another day would leave nothing to count from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from fhir_adapter.cohort.review import UNDETERMINED
from fhir_adapter.cohort.study import Study

TOXICITY = "toxicity."
ALIASES = {"bsab_failure": "failure", "best_response": "response", "prior_lines": "lines", "bulk": "bulky"}
"""The names of the columns in subjects.csv lead to the rule, too."""

_YES_NO = ("met", "not met")
_MOST_LINES = 30  # nobody had more; a larger number is a slip
_GRADE = re.compile(r"(?:grade )?([0-5])")


def reviewable(study: Study) -> Mapping[str, tuple[str, ...]]:
    """The words in which each rule may be answered by a reviewer, by rule."""
    categories = (one.code for one in study.responses.categories if one.kind != "indeterminate")
    return {
        "eligibility": _YES_NO,
        "diagnosis": _YES_NO,
        "failure": ("relapsed", "refractory", UNDETERMINED),
        "response": (*categories, UNDETERMINED),
        "lines": (*map(str, range(_MOST_LINES + 1)), UNDETERMINED),
        "ipi": (*map(str, range(6)), UNDETERMINED),
        "bulky": (*_YES_NO, UNDETERMINED),
        **{f"{TOXICITY}{code}": _grades() for code in _graded(study)},
        **{f"{TOXICITY}{code}": (*_YES_NO, UNDETERMINED) for code in _elevated(study)},
    }


def canonical_rule(written: str) -> str:
    """The name of a rule, given as the rule or as a column of subjects.csv is called."""
    name = written.strip().casefold()
    return ALIASES.get(name, name)


def canonical_verdict(written: str, words: tuple[str, ...]) -> str:
    """One of the words, however its letters and spaces are written (`3` is `grade 3`); empty for another."""
    said = " ".join(written.casefold().replace("_", " ").split())
    grade = _GRADE.fullmatch(said)
    if grade and f"grade {grade[1]}" in words:
        return f"grade {grade[1]}"
    return next((word for word in words if word.casefold() == said), "")


def _grades() -> tuple[str, ...]:
    return (*(f"grade {grade}" for grade in range(6)), UNDETERMINED)


def _graded(study: Study) -> dict[str, None]:
    """Codes of the terms that have grades: what may be recorded, what a laboratory shows, and spells of low counts."""
    laboratory = [clause.term_code for clause in study.grading]
    return dict.fromkeys((*study.adverse_events, *laboratory, *(clause.term_code for clause in study.durations)))


def _elevated(study: Study) -> dict[str, None]:
    """Codes of the terms without grades: the first observable of each."""
    first: dict[str, str] = {}
    for observable, term in study.elevated_terms.items():
        first.setdefault(term, observable)
    return dict.fromkeys(first.values())
