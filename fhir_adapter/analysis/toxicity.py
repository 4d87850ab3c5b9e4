"""How many people had an adverse event, and how bad it was, one person counted once per term."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from fhir_adapter.analysis.proportions import proportion
from fhir_adapter.analysis.summaries import worst
from fhir_adapter.cohort.case import Case
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.finding import Json
from fhir_adapter.cohort.study import Study

People = Sequence[Case]
Grades = tuple[int, int]
SEVERE = 3  # "grade 3 or higher" is how severe toxicity is reported; the grades themselves come from the scale
_SYNDROMES = {"crs": ("CRS", "crs_scale"), "icans": ("ICANS", "icans_scale")}
_WINDOW = ("data_cut", "ae_window_days", "blood_count_window_days", "ae_end")
_LABS = ("ctcae_version", *_WINDOW, "lab_baseline", "worst_grade", "require_rise", "fibrinogen_fall")


def toxicity(people: People, study: Study) -> Iterator[Estimate]:
    """CRS and ICANS, every laboratory term of the CTCAE version in force, ALT or AST, and elevations.

    The denominator is everybody who was infused. `missing` counts the people whose answer is not known:
    without any report (which is not a grade 0), or with a grade that may lie on either side; the latter are
    also counted as the parameter `undetermined`. They are never counted as events.
    """
    for code, (name, scale) in _SYNDROMES.items():
        grades = [worst_of(person, {code}) for person in people]
        parameters = study.parameters.named(scale, *_WINDOW)
        yield from _rates(code, code, name, grades, study, parameters)
        yield _worst(f"{code}.max", code, f"{name}, worst grade", grades, parameters)
    for code, term in graded_terms(study).items():
        grades = [worst_of(person, {code}) for person in people]
        yield from _rates(f"toxicity.{code}", "toxicity", term, grades, study, study.parameters.named(*_LABS))
    yield from _transaminases(people, study)
    yield from _elevations(people, study)


def graded_terms(study: Study) -> Mapping[str, str]:
    """Code and name of every laboratory term in force, in the order of the grading table."""
    return {clause.term_code: clause.term for clause in study.grading}


def transaminases(study: Study) -> frozenset[str]:
    """The terms of ALT and AST in force: reported together too, because either may have been measured."""
    return frozenset(clause.term_code for clause in study.grading if clause.observable in ("alt", "ast"))


def _transaminases(people: People, study: Study) -> Iterator[Estimate]:
    codes = transaminases(study)
    if not codes:
        return
    grades = [worst_of(person, codes) for person in people]
    parameters = study.parameters.named(*_LABS)
    yield next(_rates("toxicity.alt-ast", "toxicity", "ALT or AST increased", grades, study, parameters))
    label = "ALT or AST increased, worst grade"
    yield _worst("toxicity.alt-ast.max", "toxicity", label, grades, parameters)


def _elevations(people: People, study: Study) -> Iterator[Estimate]:
    """Terms without grades: above the upper limit of the laboratory's own range, or not."""
    first: dict[str, str] = {}
    for observable, term in study.elevated_terms.items():
        first.setdefault(term, observable)
    for term, observable in first.items():
        answers = [_elevated(person, observable) for person in people]
        label = f"{term}, above the upper limit of normal"
        figure = (f"toxicity.{observable}.elevated", "toxicity", label)
        yield proportion(
            figure,
            answers.count(True),
            len(people),
            study,
            missing=answers.count(None),
            assessed=any(answer is not None for answer in answers),
            parameters=study.parameters.named(*_WINDOW),
        )


def _rates(
    name: str,
    endpoint: str,
    label: str,
    grades: Sequence[Grades | None],
    study: Study,
    parameters: dict[str, Json],
) -> Iterator[Estimate]:
    for suffix, words, least in (("any", "any grade", 1), ("grade3", f"grade {SEVERE} or higher", SEVERE)):
        known = [grade for grade in grades if grade is not None]
        undetermined = sum(low < least <= high for low, high in known)
        yield proportion(
            (f"{name}.{suffix}", endpoint, f"{label}, {words}"),
            sum(low >= least for low, _ in known),
            len(grades),
            study,
            missing=len(grades) - len(known) + undetermined,
            parameters={**parameters, "undetermined": undetermined},
            assessed=bool(known),
        )


def _worst(
    name: str, endpoint: str, label: str, grades: Sequence[Grades | None], parameters: dict[str, Json]
) -> Estimate:
    known = [grade for grade in grades if grade is not None]
    return worst((name, endpoint, label), known, missing=len(grades) - len(known), parameters=parameters)


def worst_of(person: Case, codes: Set[str]) -> Grades | None:
    """The smallest and the largest worst grade over some terms; None when none of them was reported."""
    found = [
        (answer.grade_min, answer.grade_max)
        for answer in person.toxicities
        if answer.code in codes and answer.grade_min is not None and answer.grade_max is not None
    ]
    return (max(low for low, _ in found), max(high for _, high in found)) if found else None


def _elevated(person: Case, observable: str) -> bool | None:
    found = [answer.elevated for answer in person.toxicities if answer.code == observable]
    return True if True in found else False if False in found else None
