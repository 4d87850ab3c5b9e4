"""R-IPI, age-adjusted IPI and NCCN-IPI, from the same five findings and with the same windows as the IPI."""

from __future__ import annotations

import pytest
from spec.people import patient, relatives_of

_INDEX = """
    2024-01-08 | glofitamab
    2024-03-04 | apheresis
    2024-04-01 | infusion
"""
# Nothing here scores in any of them: 40 years old, LDH at its limit, ECOG 1, stage II, no extranodal site.
_NOTHING = {
    "born": "1983-04-02 | born",
    "ldh": "2024-03-01 | ldh 250 (120-250)",
    "ecog": "2024-03-01 | ECOG 1",
    "stage": "2024-02-20 | stage 2",
    "sites": "2024-02-20 | disease in none",
}
_EVERYTHING = {
    "born": "1948-04-01 | born",
    "ldh": "2024-03-01 | ldh 751 (120-250)",
    "ecog": "2024-03-01 | ECOG 2",
    "stage": "2024-02-20 | stage 3",
    "sites": "2024-02-20 | disease in bone-marrow\n2024-02-20 | disease in lung",
}


def score(rule: str, parts: dict[str, str], **parameters: object) -> tuple[int, int, str] | None:
    """(least points, most points, group); None when the score is not for this person."""
    value = relatives_of(patient(_INDEX + "\n".join(parts.values())), **parameters)[rule].value
    return (value.points.lowest, value.points.highest, value.group) if value else None


def nccn(**parts: str) -> tuple[int, int] | None:
    found = score("nccn_ipi", _NOTHING | parts)
    return found[:2] if found else None


def test_the_least_and_the_most_that_each_of_them_can_be() -> None:
    assert score("r_ipi", _NOTHING) == (0, 0, "very good")
    assert score("r_ipi", _EVERYTHING) == (5, 5, "poor")
    assert score("nccn_ipi", _NOTHING) == (0, 0, "low")
    assert score("nccn_ipi", _EVERYTHING) == (8, 8, "high")
    assert score("aa_ipi", _NOTHING) == (0, 0, "low")
    assert score("aa_ipi", _EVERYTHING | {"born": "1983-04-02 | born"}) == (3, 3, "high")


@pytest.mark.parametrize(
    ("scoring", "group"),
    [((), "very good"), (("ecog",), "good"), (("ecog", "ldh"), "good"), (("ecog", "ldh", "stage"), "poor")],
)
def test_r_ipi_is_very_good_with_0_good_with_1_or_2_and_poor_from_3_points(
    scoring: tuple[str, ...], group: str
) -> None:
    parts = _NOTHING | {name: _EVERYTHING[name] for name in scoring}
    assert score("r_ipi", parts) == (len(scoring), len(scoring), group)


@pytest.mark.parametrize(
    ("born", "points"),
    [("1983-04-02", 0), ("1983-04-01", 1), ("1963-04-02", 1), ("1963-04-01", 2), ("1948-04-02", 2), ("1948-04-01", 3)],
)
def test_nccn_ipi_scores_age_over_40_over_60_and_over_75(born: str, points: int) -> None:
    assert nccn(born=f"{born} | born") == (points, points)


@pytest.mark.parametrize(("ldh", "points"), [("250", 0), ("251", 1), ("750", 1), ("751", 2)])
def test_nccn_ipi_scores_ldh_above_its_limit_and_above_three_times_its_limit(ldh: str, points: int) -> None:
    assert nccn(ldh=f"2024-03-01 | ldh {ldh} (120-250)") == (points, points)


def test_a_bound_of_ldh_bounds_the_points() -> None:
    assert nccn(ldh="2024-03-01 | ldh >300 (120-250)") == (1, 2)
    assert nccn(ldh="2024-03-01 | ldh >800 (120-250)") == (2, 2)
    assert nccn(ldh="2024-03-01 | ldh 800") == (0, 2)


@pytest.mark.parametrize("organ", ["bone-marrow", "cns", "liver", "stomach", "small-intestine", "colon", "lung"])
def test_nccn_ipi_scores_one_organ_of_its_list(organ: str) -> None:
    assert nccn(sites=f"2024-02-20 | disease in {organ}") == (1, 1)


def test_nccn_ipi_does_not_score_other_organs_however_many() -> None:
    """Two organs outside the list are a point of the IPI and none of the NCCN-IPI; the list is a parameter."""
    parts = _NOTHING | {"sites": "2024-02-20 | disease in bone\n2024-02-20 | disease in skin"}
    assert score("nccn_ipi", parts) == (0, 0, "low")
    assert score("r_ipi", parts) == (1, 1, "good")
    assert score("nccn_ipi", parts, nccn_ipi_sites="skin") == (1, 1, "low")


def test_the_age_adjusted_ipi_is_for_people_up_to_60() -> None:
    assert score("aa_ipi", _NOTHING | {"born": "1963-04-02 | born"}) == (0, 0, "low")
    assert score("aa_ipi", _NOTHING | {"born": "1963-04-01 | born"}) is None
    older = relatives_of(patient(_INDEX + "1963-04-01 | born"))["aa_ipi"]
    unsure = relatives_of(patient(_INDEX + "1963 | born"))["aa_ipi"]
    assert (older.verdict, unsure.verdict) == ("not met", "undetermined")


@pytest.mark.parametrize(("part", "most"), [("born", 3), ("ldh", 2), ("ecog", 1), ("stage", 1), ("sites", 1)])
def test_a_missing_component_leaves_a_range_and_never_a_zero(part: str, most: int) -> None:
    assert nccn(**{part: ""}) == (0, most)
    assert score("r_ipi", _NOTHING | {part: ""}) == (0, 1, "")


def test_a_group_that_every_reading_agrees_on_is_settled() -> None:
    """Without a stage the NCCN-IPI is 0 or 1, and low either way."""
    assert score("nccn_ipi", _NOTHING | {"stage": ""}) == (0, 1, "low")
