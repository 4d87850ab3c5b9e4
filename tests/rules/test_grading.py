"""CTCAE 5.0 and 6.0, laboratory terms: the limits as printed, value by value, with the arithmetic done by hand.

The lower end of a printed range belongs to the milder grade: "<1.0 - 0.5" makes 0.5 grade 3 and 0.49 grade 4.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from spec.people import anchors, grades_of, patient, study, toxicity_of

from fhir_adapter.rules.toxicity import toxicities


def grade(term: str, value: str, baseline: str = "", **parameters: object) -> tuple[int | None, int | None] | None:
    """(lowest, highest) grade of one value on day 7, after a baseline a week before the infusion."""
    observable = _OBSERVABLE[term]
    before = f"2023-12-25 | {observable} {baseline}\n" if baseline else ""
    person = patient(f"2024-01-01 | infusion\n{before}2024-01-08 | {observable} {value}")
    return grades_of(term, person, **parameters)


_OBSERVABLE = {
    "anemia": "hemoglobin",
    "neutrophil-count-decreased": "neutrophils",
    "platelet-count-decreased": "platelets",
    "white-blood-cell-decreased": "leukocytes",
    "lymphocyte-count-decreased": "lymphocytes",
    "alt-increased": "alt",
    "ast-increased": "ast",
    "alp-increased": "alp",
    "ggt-increased": "ggt",
    "bilirubin-increased": "bilirubin",
    "creatinine-increased": "creatinine",
    "fibrinogen-decreased": "fibrinogen",
    "aptt-prolonged": "aptt",
    "inr-increased": "inr",
    "hypoalbuminemia": "albumin",
    "ldh-increased": "ldh",
}

# term | normal range | value: grade in 5.0, grade in 6.0. The baseline is normal or missing.
_NORMAL_BASELINE = """
anemia | 130-175 | 130: 0 0 | 129: 1 1 | 100: 1 1 | 99.9: 2 2 | 80: 2 2 | 79.9: 3 3 | 40: 3 3
neutrophil-count-decreased | 1.8-6.3 | 1.8: 0 0 | 1.79: 1 0 | 1.5: 1 0 | 1.49: 2 1 | 1.0: 2 1 | 0.99: 3 2 | 0.5: 3 2
neutrophil-count-decreased | 1.8-6.3 | 0.49: 4 3 | 0.1: 4 3 | 0.09: 4 4 | 0: 4 4
platelet-count-decreased | 125-350 | 125: 0 0 | 124: 1 1 | 75: 1 1 | 74: 2 2 | 50: 2 2 | 49: 3 3 | 25: 3 3 | 24: 4 3
platelet-count-decreased | 125-350 | 10: 4 3 | 9: 4 4
white-blood-cell-decreased | 3.5-9.5 | 3.5: 0 0 | 3.4: 1 1 | 3.0: 1 1 | 2.9: 2 2 | 2.0: 2 2 | 1.9: 3 3 | 1.0: 3 3
white-blood-cell-decreased | 3.5-9.5 | 0.9: 4 4
lymphocyte-count-decreased | 1.1-3.2 | 1.1: 0 0 | 1.0: 1 1 | 0.8: 1 1 | 0.79: 2 1 | 0.5: 2 1 | 0.49: 3 1 | 0.2: 3 1
lymphocyte-count-decreased | 1.1-3.2 | 0.19: 4 1
alt-increased | 0-50 | 50: 0 0 | 51: 1 1 | 150: 1 1 | 151: 2 2 | 250: 2 2 | 251: 3 3 | 1000: 3 3 | 1001: 4 4
ast-increased | 0-40 | 40: 0 0 | 41: 1 1 | 120: 1 1 | 121: 2 2 | 200: 2 2 | 201: 3 3 | 800: 3 3 | 801: 4 4
alp-increased | 0-120 | 120: 0 0 | 121: 1 1 | 300: 1 1 | 301: 2 1 | 600: 2 1 | 601: 3 1 | 2400: 3 1 | 2401: 4 1
ggt-increased | 0-60 | 60: 0 0 | 61: 1 1 | 150: 1 1 | 151: 2 2 | 300: 2 2 | 301: 3 3 | 1200: 3 3 | 1201: 4 4
bilirubin-increased | 0-20 | 20: 0 0 | 21: 1 1 | 30: 1 1 | 31: 2 2 | 60: 2 2 | 61: 3 3 | 200: 3 3 | 201: 4 4
creatinine-increased | 0-100 | 100: 0 0 | 101: 1 1 | 150: 1 1 | 151: 2 2 | 300: 2 2 | 301: 3 3 | 600: 3 3 | 601: 4 4
fibrinogen-decreased | 2.0-4.0 | 2.0: 0 0 | 1.99: 1 1 | 1.5: 1 1 | 1.49: 2 2 | 1.0: 2 2 | 0.99: 3 3 | 0.5: 3 3
fibrinogen-decreased | 2.0-4.0 | 0.49: 4 4
fibrinogen-decreased | 1.6-4.0 | 0.8: 2 2 | 0.79: 3 3 | 0.5: 3 3 | 0.49: 4 4 | 0.4: 4 4
fibrinogen-decreased | 2.4-4.0 | 0.6: 3 3 | 0.59: 4 4
aptt-prolonged | 20-40 | 40: 0 0 | 41: 1 1 | 60: 1 1 | 61: 2 2 | 100: 2 2 | 101: 3 3 | 300: 3 3
inr-increased | 0.8-1.2 | 1.2: 0 0 | 1.21: 1 1 | 1.5: 1 1 | 1.51: 2 2 | 2.5: 2 2 | 2.51: 3 3
hypoalbuminemia | 40-55 | 40: 0 0 | 39: 1 1 | 30: 1 1 | 29: 2 2 | 20: 2 2 | 19: 3 3
ldh-increased | 120-250 | 250: 0 0 | 251: 1 1 | 5000: 1 1
"""


def _cases(table: str) -> Iterator[tuple[str, str, str, str, int]]:
    for line in table.strip().splitlines():
        term, limits, *values = (cell.strip() for cell in line.split("|"))
        for value, grades in (cell.split(":") for cell in values):
            for version, expected in zip(("5.0", "6.0"), grades.split(), strict=True):
                yield term, limits, value, version, int(expected)


@pytest.mark.parametrize(("term", "limits", "value", "version", "expected"), list(_cases(_NORMAL_BASELINE)))
def test_every_limit_with_a_normal_baseline(term: str, limits: str, value: str, version: str, expected: int) -> None:
    assert grade(term, f"{value} ({limits})", ctcae_version=version) == (expected, expected)


def test_every_term_of_both_versions_is_in_the_table_above() -> None:
    for version in ("5.0", "6.0"):
        terms = {clause.term_code for clause in study(ctcae_version=version).grading}
        assert terms == set(_OBSERVABLE) == {line.split(" |")[0] for line in _NORMAL_BASELINE.strip().splitlines()}


def test_the_terms_are_named_as_in_the_version_in_force() -> None:
    person = patient("2024-01-01 | infusion\n2024-01-05 | platelets 60\n2024-01-05 | lymphocytes 0.3 (1.1-3.2)")
    names = {}
    for version in ("5.0", "6.0"):
        asked = study(ctcae_version=version)

        found = toxicities(person, asked, anchors(person))
        names[version] = sorted(one.value.term for one in found if one.value)
        assert {one.value.scale_version for one in found if one.value} == {version}
    assert names == {
        "5.0": ["Lymphocyte count decreased", "Platelet count decreased"],
        "6.0": ["Lymphopenia", "Thrombocytopenia"],
    }


# ------------------------------------------------------------------------------------------ abnormal baseline


@pytest.mark.parametrize(
    ("term", "baseline", "value", "in_5", "in_6"),
    [
        # Baseline 80 with a limit of 50. 5.0: 1.5 to 3 x 80 = 120 to 240 is grade 1, to 400 grade 2, to 1600 grade 3.
        # 6.0: above 80 is grade 1, above 120 grade 2, above 160 grade 3, above 320 grade 4.
        ("alt-increased", "80 (0-50)", "80", 0, 0),
        ("alt-increased", "80 (0-50)", "81", 0, 1),
        ("alt-increased", "80 (0-50)", "119", 0, 1),
        ("alt-increased", "80 (0-50)", "120", 1, 1),
        ("alt-increased", "80 (0-50)", "121", 1, 2),
        ("alt-increased", "80 (0-50)", "160", 1, 2),
        ("alt-increased", "80 (0-50)", "161", 1, 3),
        ("alt-increased", "80 (0-50)", "240", 1, 3),
        ("alt-increased", "80 (0-50)", "241", 2, 3),
        ("alt-increased", "80 (0-50)", "320", 2, 3),
        ("alt-increased", "80 (0-50)", "321", 2, 4),
        ("alt-increased", "80 (0-50)", "400", 2, 4),
        ("alt-increased", "80 (0-50)", "401", 3, 4),
        ("alt-increased", "80 (0-50)", "1600", 3, 4),
        ("alt-increased", "80 (0-50)", "1601", 4, 4),
        ("ast-increased", "80 (0-50)", "120", 1, 1),
        ("ast-increased", "80 (0-50)", "161", 1, 3),
        # "Up to 5 x ULN" does not cap grade 3: 4 x 80 = 320 is above 250.
        ("ast-increased", "80 (0-50)", "300", 2, 3),
        # Exactly at the limit the baseline is normal.
        ("alt-increased", "50 (0-50)", "60", 1, 1),
        # Bilirubin 30 with a limit of 20. 5.0: to 45 grade 1, to 90 grade 2, to 300 grade 3. 6.0: to 45, to 75, to 300.
        ("bilirubin-increased", "30 (0-20)", "30", 0, 0),
        ("bilirubin-increased", "30 (0-20)", "31", 1, 1),
        ("bilirubin-increased", "30 (0-20)", "45", 1, 1),
        ("bilirubin-increased", "30 (0-20)", "46", 2, 2),
        ("bilirubin-increased", "30 (0-20)", "75", 2, 2),
        ("bilirubin-increased", "30 (0-20)", "76", 2, 3),
        ("bilirubin-increased", "30 (0-20)", "91", 3, 3),
        ("bilirubin-increased", "30 (0-20)", "300", 3, 3),
        ("bilirubin-increased", "30 (0-20)", "301", 4, 4),
        # Alkaline phosphatase 200 with a limit of 120. 5.0: 2 to 2.5 x = 400 to 500 grade 1, to 1000 2. 6.0: any rise.
        ("alp-increased", "200 (0-120)", "200", 0, 0),
        ("alp-increased", "200 (0-120)", "201", 0, 1),
        ("alp-increased", "200 (0-120)", "400", 1, 1),
        ("alp-increased", "200 (0-120)", "501", 2, 1),
        ("alp-increased", "200 (0-120)", "1001", 3, 1),
        # GGT 100 with a limit of 60. 6.0: to 150 grade 1, to 300 grade 2, to 1000 grade 3.
        ("ggt-increased", "100 (0-60)", "101", 0, 1),
        ("ggt-increased", "100 (0-60)", "151", 0, 2),
        ("ggt-increased", "100 (0-60)", "200", 1, 2),
        ("ggt-increased", "100 (0-60)", "251", 2, 2),
        ("ggt-increased", "100 (0-60)", "301", 2, 3),
        ("ggt-increased", "100 (0-60)", "1001", 3, 4),
    ],
)
def test_an_abnormal_baseline_is_the_measure_of_liver_values(
    term: str, baseline: str, value: str, in_5: int, in_6: int
) -> None:
    limits = baseline.partition(" ")[2]
    assert grade(term, f"{value} {limits}", baseline, ctcae_version="5.0") == (in_5, in_5)
    assert grade(term, f"{value} {limits}", baseline, ctcae_version="6.0") == (in_6, in_6)


@pytest.mark.parametrize(
    ("baseline", "value", "in_5", "in_6"),
    [
        # In 5.0 any rise over the baseline counts; in 6.0 only when the baseline was below normal.
        ("60 (50-100)", "90 (50-100)", 0, 0),
        ("60 (50-100)", "91 (50-100)", 2, 0),
        ("60 (50-100)", "180 (50-100)", 2, 2),
        ("60 (50-100)", "181 (50-100)", 3, 2),
        ("40 (50-100)", "60 (50-100)", 0, 0),
        ("40 (50-100)", "61 (50-100)", 2, 2),
        ("40 (50-100)", "120 (50-100)", 2, 2),
        ("40 (50-100)", "121 (50-100)", 3, 3),
    ],
)
def test_creatinine_is_also_measured_against_the_baseline(baseline: str, value: str, in_5: int, in_6: int) -> None:
    assert grade("creatinine-increased", value, baseline, ctcae_version="5.0") == (in_5, in_5)
    assert grade("creatinine-increased", value, baseline, ctcae_version="6.0") == (in_6, in_6)


@pytest.mark.parametrize("version", ["5.0", "6.0"])
@pytest.mark.parametrize(
    ("baseline", "value", "expected"),
    [
        # Lower limit 2.0, baseline 1.8: below normal, so the fall counts too and the worse of both is the grade.
        ("1.8 (2.0-4.0)", "1.8 (2.0-4.0)", 1),
        ("1.8 (2.0-4.0)", "1.36 (2.0-4.0)", 2),  # -24 %: grade 1 by the fall; 0.68 x the limit: grade 2
        ("1.8 (2.0-4.0)", "1.35 (2.0-4.0)", 2),  # exactly -25 %
        ("1.8 (2.0-4.0)", "0.90 (2.0-4.0)", 3),  # exactly -50 %
        ("1.8 (2.0-4.0)", "0.46 (2.0-4.0)", 4),  # below 0.5 g/L
        # A low limit keeps the multiples quiet: baseline 1.5 below 1.6: -50 % to 0.47 x the limit.
        ("1.5 (1.6-4.0)", "0.75 (1.6-4.0)", 3),
        # Baseline normal: a fall of 60 % to 1.6 is only 0.8 x the limit.
        ("4.0 (2.0-4.0)", "1.6 (2.0-4.0)", 1),
        ("4.0 (2.0-4.0)", "2.0 (2.0-4.0)", 0),
    ],
)
def test_the_fall_of_fibrinogen_counts_only_from_a_baseline_below_normal(
    version: str, baseline: str, value: str, expected: int
) -> None:
    assert grade("fibrinogen-decreased", value, baseline, ctcae_version=version) == (expected, expected)


def test_the_fall_of_fibrinogen_can_be_switched_off_or_read_literally() -> None:
    """From 4.0 to 1.6 is a fall of 60 %; from 1.5 to 0.75 one of 50 %, 0.94 x a limit of 0.8."""
    assert grade("fibrinogen-decreased", "1.6 (2.0-4.0)", "4.0 (2.0-4.0)", fibrinogen_fall="abnormal_value") == (3, 3)
    assert grade("fibrinogen-decreased", "1.36 (2.0-4.0)", "1.9 (2.0-4.0)", fibrinogen_fall="off") == (2, 2)
    assert grade("fibrinogen-decreased", "0.9 (2.0-4.0)", "1.8 (2.0-4.0)", fibrinogen_fall="off") == (3, 3)
    assert grade("fibrinogen-decreased", "1.1 (2.0-4.0)", "2.2 (2.3-4.0)", fibrinogen_fall="off") == (2, 2)
    assert grade("fibrinogen-decreased", "1.1 (2.0-4.0)", "2.2 (2.3-4.0)") == (3, 3)


def test_a_low_baseline_counts_as_normal_for_liver_values() -> None:
    assert grade("alt-increased", "60 (10-50)", "5 (10-50)", ctcae_version="6.0") == (1, 1)


def test_a_missing_baseline_is_graded_as_normal_and_flagged() -> None:

    found = toxicity_of("alt-increased", patient("2024-01-01 | infusion\n2024-01-08 | alt 151 (0-50)"))
    assert found is not None
    assert found.grade == 2
    assert "baseline-missing" in found.flags


@pytest.mark.parametrize(
    ("version", "term", "baseline", "rise_required", "literal"),
    [
        ("6.0", "alt-increased", "80 (0-50)", 0, 1),  # "1.0 - 1.5 x baseline"
        ("6.0", "bilirubin-increased", "30 (0-20)", 0, 1),
        ("5.0", "bilirubin-increased", "30 (0-20)", 0, 0),  # "> 1.0 - 1.5 x baseline"
        ("6.0", "alp-increased", "200 (0-120)", 0, 0),  # "> Baseline and ULN"
        ("5.0", "alt-increased", "80 (0-50)", 0, 0),
    ],
)
def test_an_unchanged_abnormal_baseline_is_grade_1_only_when_read_literally(
    version: str, term: str, baseline: str, rise_required: int, literal: int
) -> None:
    assert grade(term, baseline, baseline, ctcae_version=version) == (rise_required, rise_required)
    assert grade(term, baseline, baseline, ctcae_version=version, require_rise=False) == (literal, literal)


# ----------------------------------------------------------------------------------- what the record leaves open


@pytest.mark.parametrize(
    ("term", "value", "expected"),
    [
        ("anemia", "150", (0, 1)),
        ("anemia", "95", (2, 2)),
        ("anemia", "80", (2, 2)),
        ("anemia", "79", (3, 3)),
        ("neutrophil-count-decreased", "1.6", (0, 1)),
        ("neutrophil-count-decreased", "0.4", (4, 4)),
        ("platelet-count-decreased", "100", (0, 1)),
        ("platelet-count-decreased", "50", (2, 2)),
        ("fibrinogen-decreased", "0.4", (4, 4)),
        ("fibrinogen-decreased", "1.2", (0, 4)),
        ("alt-increased", "100", (0, 4)),
        ("ldh-increased", "400", (0, 1)),
        ("inr-increased", "1.3", (1, 1)),
    ],
)
def test_without_the_limits_of_the_laboratory_only_absolute_clauses_are_certain(
    term: str, value: str, expected: tuple[int, int]
) -> None:
    assert grade(term, value, ctcae_version="5.0") == expected


def test_in_version_6_neutrophils_need_no_lower_limit() -> None:
    assert grade("neutrophil-count-decreased", "1.6", ctcae_version="6.0") == (0, 0)


@pytest.mark.parametrize(
    ("term", "value", "in_5", "in_6"),
    [
        ("neutrophil-count-decreased", "<0.1 (1.8-6.3)", (4, 4), (4, 4)),
        ("neutrophil-count-decreased", "<=0.1 (1.8-6.3)", (4, 4), (3, 4)),
        ("neutrophil-count-decreased", "<0.5 (1.8-6.3)", (4, 4), (3, 4)),
        ("neutrophil-count-decreased", "<=0.5 (1.8-6.3)", (3, 4), (2, 4)),
        ("neutrophil-count-decreased", "<1.0 (1.8-6.3)", (3, 4), (2, 4)),
        ("neutrophil-count-decreased", ">1.0 (1.8-6.3)", (0, 2), (0, 1)),
        ("neutrophil-count-decreased", ">=1.8 (1.8-6.3)", (0, 0), (0, 0)),
        ("platelet-count-decreased", "<10 (125-350)", (4, 4), (4, 4)),
        ("platelet-count-decreased", "<20 (125-350)", (4, 4), (3, 4)),
        ("platelet-count-decreased", "<50 (125-350)", (3, 4), (3, 4)),
        ("alt-increased", ">1000 (0-50)", (4, 4), (4, 4)),
        ("alt-increased", ">=1000 (0-50)", (3, 4), (3, 4)),
        ("alt-increased", "<50 (0-50)", (0, 0), (0, 0)),
        ("alt-increased", "<60 (0-50)", (0, 1), (0, 1)),
        ("fibrinogen-decreased", "<0.5 (2.0-4.0)", (4, 4), (4, 4)),
        ("fibrinogen-decreased", "<0.6 (2.0-4.0)", (3, 4), (3, 4)),
    ],
)
def test_a_comparator_bounds_the_grade(term: str, value: str, in_5: tuple[int, int], in_6: tuple[int, int]) -> None:
    assert grade(term, value, ctcae_version="5.0") == in_5
    assert grade(term, value, ctcae_version="6.0") == in_6


def test_grade_4_anemia_cannot_come_from_a_laboratory() -> None:
    assert grade("anemia", "<50 (130-175)") == (3, 3)
