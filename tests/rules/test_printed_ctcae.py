"""Every laboratory term of CTCAE 5.0 and 6.0, graded twice: by the rules, and by reading the printed sentences."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules.printed_ctcae import FILES, Known, printed_grade
from spec.people import study

from fhir_adapter.cohort.events import Lab, Source
from fhir_adapter.rules.grading import grade

TERMS = [
    (version, term)
    for version in FILES
    for term in dict.fromkeys(clause.term_code for clause in study(ctcae_version=version).grading)
]
# Limits of a laboratory, and values around every multiple of them that CTCAE names.
LIMITS = {
    "hemoglobin": ("130", "175"),
    "neutrophils": ("1.8", "6.3"),
    "platelets": ("125", "350"),
    "leukocytes": ("3.5", "9.5"),
    "lymphocytes": ("1.1", "3.2"),
    "alt": ("7", "50"),
    "ast": ("8", "40"),
    "alp": ("45", "120"),
    "ggt": ("10", "60"),
    "bilirubin": ("3.4", "20"),
    "creatinine": ("57", "104"),
    "fibrinogen": ("1.8", "4.0"),
    "aptt": ("25", "38"),
    "inr": ("0.8", "1.2"),
    "albumin": ("40", "55"),
    "ldh": ("120", "250"),
}
TIMES = (
    [Decimal(part) / 100 for part in (0, 2, 5, 10, 24, 25, 26, 49, 50, 51, 74, 75, 76, 99)]
    + [
        Decimal(part) / 100
        for part in (100, 101, 119, 120, 149, 150, 151, 200, 201, 249, 250, 251, 299, 300, 301, 400, 401, 500, 501, 600)
    ]
    + [Decimal(part) / 100 for part in (601, 999, 1000, 1001, 1999, 2000, 2001, 3000)]
)
ABSOLUTE = [Decimal(part) / 100 for part in (5, 10, 20, 49, 50, 80, 100, 120, 150, 200, 250, 300, 990)] + [
    Decimal(part) for part in (10, 20, 24, 25, 30, 49, 50, 75, 80, 100)
]
BASELINES = [None, *(Decimal(part) / 100 for part in (40, 90, 100, 110, 160, 300))]


def both(version: str, term: str, value: Decimal, low: Decimal, high: Decimal, baseline: Decimal | None) -> None:
    """The rules and the printed sentences agree about one value."""
    asked = study(ctcae_version=version)
    clauses = [clause for clause in asked.grading if clause.term_code == term]

    def lab(number: Decimal) -> Lab:
        source = Source(reference="R/1", version="1")
        limits = {"lower_limit": low, "upper_limit": high}
        return Lab(on=None, source=source, observable=clauses[0].observable, value=number, unit="1", **limits)

    known = Known(*map(Fraction, (value, low, high)), baseline=None if baseline is None else Fraction(baseline))
    expected = printed_grade(version, term, known)
    before = None if baseline is None else lab(baseline)
    assert grade(lab(value), before, clauses, asked.parameters) == (expected, expected), (term, value, baseline)


@pytest.mark.parametrize(("version", "term"), TERMS)
def test_values_around_every_limit_have_the_printed_grade(version: str, term: str) -> None:
    """Multiples of the limits and of the baseline, from baselines that were low, normal, at the limit and high."""
    observable = next(one.observable for one in study(ctcae_version=version).grading if one.term_code == term)
    low, high = map(Decimal, LIMITS[observable])
    for factor in BASELINES:
        baseline = None if factor is None else factor * high
        for unit in {low, high, baseline or high}:
            for times in TIMES:
                both(version, term, times * unit, low, high, baseline)
        for value in ABSOLUTE:
            both(version, term, value, low, high, baseline)


_NUMBERS = st.decimals(min_value="0.01", max_value="2000", places=2)


@given(
    st.sampled_from(TERMS),
    _NUMBERS,
    st.decimals(min_value="0.5", max_value="150", places=1),
    st.decimals(min_value="0", max_value="300", places=1),
    st.one_of(st.none(), _NUMBERS),
)
def test_any_value_has_the_printed_grade(
    asked: tuple[str, str], value: Decimal, low: Decimal, width: Decimal, baseline: Decimal | None
) -> None:
    both(*asked, value, low, low + width, baseline)


def test_the_oracle_reads_what_is_printed() -> None:
    """A few sentences by hand, so that two wrongs do not make a right."""
    alt = {"lower": Fraction(7), "upper": Fraction(50)}
    assert printed_grade("5.0", "alt-increased", Known(Fraction(151), **alt)) == 2
    assert printed_grade("5.0", "alt-increased", Known(Fraction(119), **alt, baseline=Fraction(80))) == 0
    assert printed_grade("5.0", "alt-increased", Known(Fraction(120), **alt, baseline=Fraction(80))) == 1
    assert printed_grade("6.0", "alt-increased", Known(Fraction(121), **alt, baseline=Fraction(80))) == 2
    count = {"lower": Fraction("1.8"), "upper": Fraction("6.3")}
    assert [
        printed_grade(version, "neutrophil-count-decreased", Known(Fraction("0.49"), **count)) for version in FILES
    ] == [4, 3]
    fibrinogen = {"lower": Fraction(2), "upper": Fraction(4)}
    assert (
        printed_grade("5.0", "fibrinogen-decreased", Known(Fraction("0.9"), **fibrinogen, baseline=Fraction("1.8")))
        == 3
    )
    assert printed_grade("5.0", "inr-increased", Known(Fraction("1.3"), Fraction("0.8"), Fraction("1.2"))) == 1
