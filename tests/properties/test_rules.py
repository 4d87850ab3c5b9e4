"""What is always true of the rules, whatever a record looks like.

The order of resources and their ids do not matter; a more exact date may settle a doubt but never overturns an answer;
a worse value never improves a grade.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from properties.vague_tables import (
    BASELINE_ROWS,
    BSAB_ROWS,
    DRUG_ROWS,
    EVERYTHING,
    INDEX,
    SCAN_ROWS,
    WHOLE,
    Row,
    rows,
    tables,
)
from pydantic import BaseModel
from spec.people import (
    age_of,
    bulk_of,
    failure_of,
    grades_of,
    ipi_of,
    judged,
    lines_of,
    patient,
    response_of,
    study,
    washout_of,
)

from fhir_adapter.cohort.events import Event, Lab, Source
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.study import GradeClause
from fhir_adapter.cohort.subject import EVENT_FIELDS, Subject, in_order
from fhir_adapter.rules.grading import Interval, _worst, grade


def within(inner: Any, outer: Any) -> bool:
    """Whether one interval lies in another; both have two whole numbers."""
    (low, high), (lowest, highest) = (list(one.model_dump().values())[:2] for one in (inner, outer))
    return bool(lowest <= low <= high <= highest)


# ---------------------------------------------------------------------------------------------- more exact dates


@given(tables(BSAB_ROWS, rows("apheresis", spread=300), fixed="2023-06-10 | glofitamab\n2024-04-01 | infusion"))
def test_a_more_exact_date_never_leads_out_of_the_interval_of_the_washout(table: tuple[str, str]) -> None:
    written, exact = (washout_of(patient(one)).value for one in table)
    if written and exact:
        assert within(exact, written)


@given(
    tables(BSAB_ROWS, SCAN_ROWS, rows("polatuzumab-vedotin"), fixed=INDEX),
    st.sampled_from(("best_response", "best_response_or_pd_within", "pd_within")),
    st.sampled_from((28, 84, 183)),
)
def test_a_more_exact_date_never_overturns_a_settled_failure(table: tuple[str, str], rule: str, limit: int) -> None:
    written, exact = (failure_of(patient(one), bsab_status_rule=rule, interval_days=limit).verdict for one in table)
    if written != "undetermined":
        assert exact == written


@given(tables(BSAB_ROWS, DRUG_ROWS, fixed=INDEX), st.sampled_from((30, 90, 180)))
def test_a_more_exact_date_never_leads_out_of_the_range_of_lines(table: tuple[str, str], gap: int) -> None:
    written, exact = (lines_of(patient(one), gap_days=gap).value for one in table)
    assert written is not None
    assert exact is not None
    assert within(exact.count, written.count)


@given(st.dates(date(1930, 1, 1), date(2005, 12, 31)), st.sampled_from((4, 7)), st.sampled_from((7, 10)))
def test_a_more_exact_date_never_leads_out_of_the_ages(born: date, kept: int, infused: int) -> None:
    infusion = "2024-04-01"
    written = age_of(patient(f"{born.isoformat()[:kept]} | born\n{infusion[:infused]} | infusion")).value
    exact = age_of(patient(f"{born.isoformat()} | born\n{infusion} | infusion")).value
    assert written is not None
    assert exact is not None
    assert exact.days is not None
    assert within(exact, written)


@given(tables(BASELINE_ROWS.map(lambda row: Row(row.day + timedelta(days=150), row.precision, row.what)), fixed=INDEX))
def test_a_more_exact_date_never_leads_out_of_the_range_of_the_ipi_nor_overturns_bulk(table: tuple[str, str]) -> None:
    written, exact = (ipi_of(patient(one)).value for one in table)
    assert written is not None
    assert exact is not None
    assert within(exact.points, written.points)
    bulky, exactly = (bulk_of(patient(one)).value for one in table)
    if bulky is not None:
        assert exactly is not None
        assert exactly.bulky == bulky.bulky


@given(
    tables(SCAN_ROWS, rows("polatuzumab-vedotin"), fixed="2023-07-05 | infusion", most=5),
    st.sampled_from(("nonevent_until_confirmed", "as_pd", "as_sd")),
)
def test_a_more_exact_date_never_overturns_a_settled_best_response(table: tuple[str, str], policy: str) -> None:
    written, exact = (response_of(patient(one), ir_policy=policy).value for one in table)
    assert written is not None
    assert exact is not None
    if written.best:
        assert exact.best == written.best
    if written.progressed_on:
        assert exact.progressed_on is not None
        assert written.progressed_on.earliest <= exact.progressed_on.earliest
        assert exact.progressed_on.latest <= written.progressed_on.latest


@given(
    tables(
        rows(
            "platelets 20 (125-350)",
            "platelets 60 (125-350)",
            "platelets 200 (125-350)",
            "CRS 1",
            "CRS 3",
            "CRS ?",
            "epcoritamab",
            spread=120,
        ),
        fixed="2023-07-05 | infusion",
    ),
    st.sampled_from(("absolute", "treatment_emergent")),
)
def test_a_more_exact_date_never_leads_out_of_the_grades(table: tuple[str, str], worst: str) -> None:
    for term in ("platelet-count-decreased", "crs"):
        written, exact = (grades_of(term, patient(one), worst_grade=worst) for one in table)
        if written and exact:
            assert written[0] is not None
            assert exact[0] is not None
            assert written[0] <= exact[0] <= (exact[1] or 0) <= (written[1] or 0)


# ------------------------------------------------------------------------------------------------ order and ids


def _lines() -> st.SearchStrategy[list[str]]:
    late = EVERYTHING.map(lambda row: Row(row.day + timedelta(days=250), row.precision, row.what))
    return st.lists(st.one_of(EVERYTHING, late).map(lambda row: row.written(False)), max_size=10)


@given(_lines(), st.randoms(use_true_random=False))
def test_the_order_of_the_records_does_not_matter(some: list[str], chance: Any) -> None:
    shuffled = [*WHOLE.strip().splitlines(), *some]
    chance.shuffle(shuffled)
    assert judged(patient(WHOLE + "\n".join(some))) == judged(patient("\n".join(shuffled)))


def _renamed(person: Subject, chance: Any) -> Subject:
    """The same person on a server that gave every resource another id."""

    def rename(event: Event) -> Event:
        return replace(event, source=Source(reference=f"R/{chance.random()}", version="1"))

    return person.model_copy(
        update={name: in_order([rename(one) for one in getattr(person, name)]) for name in EVENT_FIELDS}
    )


def _answers(found: object) -> object:
    """Verdicts and values of a judgement without the names of the records."""
    if not isinstance(found, Judgement):
        return getattr(found, "exit", None)
    return [(one.rule, one.verdict, _bare(one.value)) for one in found.findings()]


def _bare(value: object) -> object:
    if isinstance(value, BaseModel):
        return _bare(value.model_dump())
    if isinstance(value, Mapping):
        return {name: _bare(one) for name, one in value.items() if "source" not in str(name)}
    if isinstance(value, list | tuple):
        return [_bare(one) for one in value]
    return value


@given(_lines(), st.randoms(use_true_random=False))
def test_the_ids_of_the_resources_do_not_matter(some: list[str], chance: Any) -> None:
    person = patient(WHOLE + "\n".join(some))
    assert _answers(judged(person)) == _answers(judged(_renamed(person, chance)))


@given(_lines())
def test_a_rule_asked_twice_answers_the_same_and_no_record_makes_a_rule_fail(some: list[str]) -> None:
    person = patient(WHOLE + "\n".join(some))
    assert judged(person) == judged(person)


# ------------------------------------------------------------------------------------------------------- grades


_VERSIONS = st.sampled_from(("5.0", "6.0"))
_TERMS = sorted({(clause.term_code, clause.observable) for clause in study().grading})
_VALUES = st.decimals(min_value="0", max_value="2000", places=2)
_LIMITS = st.tuples(
    st.one_of(st.none(), st.decimals(min_value="0.5", max_value="150", places=1)),
    st.one_of(st.none(), st.decimals(min_value="1", max_value="500", places=1)),
)
_UPWARDS = {"alt", "ast", "alp", "ggt", "bilirubin", "creatinine", "aptt", "inr", "ldh"}


def _lab(observable: str, value: Decimal, limits: tuple[Decimal | None, Decimal | None], sign: Any = "") -> Lab:
    return Lab(
        on=None,
        source=Source(reference="R/1", version="1"),
        observable=observable,
        value=value,
        comparator=sign,
        unit="1",
        lower_limit=limits[0],
        upper_limit=limits[1],
    )


@dataclass(frozen=True)
class Asked:
    """One term of one version, with the laboratory's limits and a baseline."""

    term: str
    observable: str
    version: str
    limits: tuple[Decimal | None, Decimal | None]
    baseline: Decimal | None

    def clauses(self) -> list[GradeClause]:
        return [clause for clause in study(ctcae_version=self.version).grading if clause.term_code == self.term]

    def grades(self, value: Decimal, sign: str = "") -> tuple[int, int]:
        asked, clauses = study(ctcae_version=self.version), self.clauses()
        before = None if self.baseline is None else _lab(self.observable, self.baseline, self.limits)
        return grade(_lab(self.observable, value, self.limits, sign), before, clauses, asked.parameters)


_ASKED = st.builds(
    lambda term, version, limits, baseline: Asked(*term, version, limits, baseline),
    st.sampled_from(_TERMS),
    _VERSIONS,
    _LIMITS,
    st.one_of(st.none(), _VALUES),
)


@given(_ASKED, _VALUES, st.sampled_from(("", "<", "<=", ">", ">=")), st.data())
def test_a_value_on_the_good_side_of_every_limit_is_graded_as_clause_by_clause(
    asked: Asked, value: Decimal, sign: str, data: st.DataObject
) -> None:
    clauses, parameters = asked.clauses(), study(ctcae_version=asked.version).parameters
    references = {"absolute": Decimal(1), "LLN": asked.limits[0], "ULN": asked.limits[1], "baseline": asked.baseline}
    limits = [one.limit * reference for one in clauses if (reference := references[one.of]) is not None]
    lab = _lab(asked.observable, data.draw(st.sampled_from([value, *limits])), asked.limits, sign)
    before = None if asked.baseline is None else _lab(asked.observable, asked.baseline, asked.limits)
    expected = _worst(lab, Interval.of(lab), before, clauses, parameters)
    assert grade(lab, before, clauses, parameters) == expected


@given(_ASKED, _VALUES, _VALUES)
def test_a_worse_value_never_has_a_better_grade(asked: Asked, one: Decimal, other: Decimal) -> None:
    low, high = sorted((one, other))
    better, worse = (low, high) if asked.observable in _UPWARDS else (high, low)
    first, second = asked.grades(better), asked.grades(worse)
    assert first[0] <= second[0]
    assert first[1] <= second[1]


@given(_ASKED, _VALUES, _VALUES, st.sampled_from(("<", "<=", ">", ">=")))
def test_the_grades_of_a_comparator_contain_the_grades_of_every_value_it_may_stand_for(
    asked: Asked, bound: Decimal, value: Decimal, sign: str
) -> None:
    meant = {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}[sign]
    if not meant:
        value, bound = (bound, value) if value != bound else (value, value + (1 if sign == "<" else -1))
    if bound < 0 or not {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}[sign]:
        return
    lowest, highest = asked.grades(bound, sign)
    low, high = asked.grades(value)
    assert lowest <= low
    assert high <= highest


@given(_ASKED, _VALUES, st.decimals(min_value="0.001", max_value="1000", places=3))
def test_a_grade_is_free_of_units_where_its_clauses_are(asked: Asked, value: Decimal, factor: Decimal) -> None:
    """Terms whose every clause is a multiple of a limit or of the baseline have the same grade in any unit."""
    clauses = [clause for clause in study(ctcae_version=asked.version).grading if clause.term_code == asked.term]
    if any(clause.of == "absolute" for clause in clauses):
        return
    low, high = ((None if limit is None else limit * factor) for limit in asked.limits)
    baseline = None if asked.baseline is None else asked.baseline * factor
    scaled = Asked(asked.term, asked.observable, asked.version, (low, high), baseline)
    assert scaled.grades(value * factor) == asked.grades(value)


_COUNTS = st.lists(
    st.builds("2024-01-{:02} | platelets {} (125-350)".format, st.integers(1, 31), st.integers(0, 400)), max_size=5
)


@given(_COUNTS, st.integers(1, 31), st.integers(0, 400), st.sampled_from(("absolute", "treatment_emergent")))
def test_another_value_in_the_window_never_lowers_the_grade(some: list[str], on: int, value: int, worst: str) -> None:
    known = "2024-01-01 | infusion\n2023-12-20 | platelets 70 (125-350)\n" + "\n".join(some)
    term = "platelet-count-decreased"
    before = grades_of(term, patient(known), worst_grade=worst) or (0, 0)
    after = grades_of(term, patient(f"{known}\n2024-01-{on:02} | platelets {value} (125-350)"), worst_grade=worst)
    assert after is not None
    assert (before[0] or 0) <= (after[0] or 0)
    assert (before[1] or 0) <= (after[1] or 0)
