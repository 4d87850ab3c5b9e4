"""Scores and counts that somebody wrote down, beside what their components give."""

from __future__ import annotations

from typing import Any

import pytest
from mapping.hospital import LOINC, SNOMED, Json, concept, study
from spec.edge_cases.chart import chart, given, mapped, member, resource, says

from fhir_adapter.cohort.finding import IpiScore
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.rules.judge import judge

BSAB = given("glofitamab", "2024-01-22")
SCAN = "2024-02-20"


def asked(name: str | Json, on: str = SCAN, **answer: Any) -> Json:
    code = name if isinstance(name, dict) else {"text": name}
    return resource(
        "Observation", f"obs {name} {on} {answer}", status="final", code=code, effectiveDateTime=on, **answer
    )


# ECOG, stage and one organ: two points of the IPI, and age and LDH are not known.
KNOWN = [
    asked(concept((LOINC, "89247-1")), valueInteger=2),
    asked(concept((SNOMED, "385388004")), valueString="IV"),
    asked("Extranodal site", valueString="liver"),
]


def judged(*resources: Json, **parameters: str) -> Judgement:
    return member(chart(BSAB, *KNOWN, *resources), **parameters)


def ipi(one: Judgement) -> IpiScore:
    assert one.ipi.value is not None
    return one.ipi.value


def points(one: Judgement) -> tuple[int, int]:
    return ipi(one).points.lowest, ipi(one).points.highest


def test_without_a_record_the_ipi_is_what_its_components_leave() -> None:
    assert points(judged()) == (2, 4)


def test_a_recorded_ipi_counts_when_it_was_recorded_in_the_window() -> None:
    one = judged(asked("IPI score", valueInteger=3))
    assert points(one) == (3, 3)
    assert (ipi(one).computed, ipi(one).contradicts) == (ipi(judged()).points, False)
    assert says(one.ipi, "IPI 3 was recorded")


@pytest.mark.parametrize("on", ["2023-12-01", "2024-03-20"])
def test_a_recorded_ipi_outside_the_window_decides_nothing(on: str) -> None:
    """The window ends on the day of the collection."""
    assert points(judged(asked("IPI", on, valueInteger=3))) == (2, 4)


def test_a_recorded_ipi_that_its_components_cannot_have_is_reported() -> None:
    """The record counts, and the contradiction goes to the work-list."""
    one = judged(asked("IPI", valueInteger=5))
    assert points(one) == (5, 5)
    assert ipi(one).contradicts


@pytest.mark.parametrize(("policy", "expected"), [("fills", (3, 3)), ("ignored", (2, 4))])
def test_a_study_may_let_a_record_only_fill_a_gap_or_ignore_it(policy: str, expected: tuple[int, int]) -> None:
    assert points(judged(asked("IPI", valueInteger=3), ipi_recorded=policy)) == expected


def test_a_record_that_only_fills_does_not_displace_a_computed_score() -> None:
    ldh = asked(
        concept((LOINC, "2532-0")),
        valueQuantity={"value": 200, "unit": "U/L"},
        referenceRange=[{"high": {"value": 250, "unit": "U/L"}}],
    )
    young = {"resourceType": "Patient", "id": "p1", "meta": {"versionId": "2"}, "birthDate": "1990-01-01"}
    subject = mapped([*chart(BSAB, *KNOWN, ldh, asked("IPI", valueInteger=4)), young]).subject
    assert subject is not None
    for policy, expected in (("fills", 2), ("wins", 4)):
        one = judge(subject, study(data_cut="none", ipi_recorded=policy).study)
        assert isinstance(one, Judgement)
        assert points(one) == (expected, expected)


@pytest.mark.parametrize(
    ("name", "value"), [("NCCN-IPI", 3), ("IPI", 7), ("CNS-IPI", 3), ("R-IPI", 3), ("aaIPI", 2), ("IPI risk group", 2)]
)
def test_another_score_of_the_family_is_never_taken_for_the_ipi(name: str, value: int) -> None:
    """Points above 5 are those of an NCCN-IPI, whatever the record calls it."""
    assert points(judged(asked(name, valueInteger=value))) == (2, 4)


def test_a_number_of_sites_counts_where_no_site_is_named() -> None:
    """More than one site scores a point of the IPI; which organs they are is not known."""
    told = asked("Extranodal sites", valueInteger=2)
    one = member(chart(BSAB, told))
    assert one.sites.value is not None
    assert one.sites.value.count.settled == 2
    assert points(one) == (1, 5)


def test_sites_that_are_named_and_sites_that_are_counted_may_leave_the_number_open() -> None:
    """One organ named and three counted: between one and three."""
    one = judged(asked("Number of extranodal sites", valueInteger=3))
    assert one.sites.value is not None
    assert (one.sites.value.count.lowest, one.sites.value.count.highest) == (1, 3)


# ------------------------------------------------------------------------------------------ Karnofsky status


def performance(*resources: Json, **parameters: str) -> tuple[int, int]:
    """The least and the most points of somebody of whom stage and organs score one, and nothing else is known."""
    points = ipi(member(chart(BSAB, *KNOWN[1:], *resources), **parameters)).points
    return points.lowest, points.highest


KARNOFSKY = concept((LOINC, "89243-0"))


@pytest.mark.parametrize(
    ("answer", "points"),
    [
        ({"valueInteger": 60}, (2, 4)),
        ({"valueInteger": 70}, (1, 3)),
        ({"valueQuantity": {"value": 50, "unit": "%"}}, (2, 4)),
        ({"valueString": "80%"}, (1, 3)),
        ({"valueInteger": 2}, (1, 4)),
    ],
)
def test_a_karnofsky_status_stands_for_a_missing_ecog_where_the_study_says_so(
    answer: dict[str, Any], points: tuple[int, int]
) -> None:
    """Up to 60 % scores as ECOG from 2 does; what is no number of tens is no Karnofsky status."""
    assert performance(asked(KARNOFSKY, **answer), ipi_karnofsky_to="60") == points


def test_a_karnofsky_status_says_nothing_of_the_ipi_by_default() -> None:
    assert performance(asked(KARNOFSKY, valueInteger=60)) == (1, 4)


def test_a_recorded_ecog_counts_over_a_karnofsky_status() -> None:
    ecog = asked(concept((LOINC, "89247-1")), valueInteger=1)
    assert performance(ecog, asked(KARNOFSKY, valueInteger=60), ipi_karnofsky_to="60") == (1, 3)
