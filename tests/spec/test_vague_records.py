"""Records that are vaguer than others: they may leave an answer open, they never change a settled one."""

from __future__ import annotations

from spec.people import judged, patient, study

from fhir_adapter.analysis.endpoints import event_times
from fhir_adapter.cohort.judgement import Judgement

_COURSE = """
2022-01-01 | dlbcl
2024-01-01 | glofitamab
2024-02-01 | PD
2024-03-04 | apheresis
2024-04-01 | infusion
2024-04-20 | neutrophils 0.02 (1.8-6.3)
2024-05-01 | PR
2024-06-01 | PD
2024-09-01 | visit
"""


def included(table: str) -> Judgement:
    """The judgement of a person who is in the cohort."""
    found = judged(patient(table))
    assert isinstance(found, Judgement)
    return found


def endpoints(table: str) -> tuple[dict[str, int | None], set[str]]:
    """Days by endpoint, and the endpoints that are left open."""
    times, left = event_times(included(table), study())
    return {time.endpoint: time.days for time in times}, {one.endpoint for one in left}


def test_a_drug_of_the_month_of_the_infusion_may_be_bridging_or_a_new_therapy() -> None:
    """Polatuzumab in April, infusion on 1 April: EFS and TTNT are open, PFS and OS are not touched."""
    days, left = endpoints(_COURSE + "2024-04 | polatuzumab-vedotin")
    assert left == {"EFS", "TTNT"}
    assert (days["PFS"], days["OS"]) == (61, 153)


def test_a_drug_of_the_month_of_the_infusion_leaves_the_grade_open() -> None:
    """The neutrophils of 20 April count only if the drug was not given before them."""
    found = included(_COURSE + "2024-04 | polatuzumab-vedotin").toxicities
    (grades,) = [(one.value.grade_min, one.value.grade_max) for one in found if one.value and "neutrophil" in one.rule]
    assert grades == (0, 4)


def test_a_vaguer_record_of_the_same_infusion_says_nothing_against_the_exact_one() -> None:
    plain, vague = included(_COURSE), included(_COURSE + "2024-04 | infusion")
    assert vague.index.value is not None
    assert vague.index.value.infusion.iso == "2024-04-01"
    assert [one.verdict for one in vague.findings()] == [one.verdict for one in plain.findings()]


def test_a_collection_known_to_the_month_is_held_against_the_doses_of_that_month() -> None:
    """Doses on 20 February and 10 March, collected in March: 10 to 18 days after the one, 0 to 21 after the other."""
    person = included(
        """
        2022-01-01 | dlbcl
        2024-02-20 | glofitamab
        2024-03-10 | glofitamab
        2024-03 | apheresis
        2024-04-15 | infusion
        """
    )
    span = person.washout.value
    assert span is not None
    assert (span.shortest, span.longest) == (0, 21)


def test_without_a_recorded_collection_baseline_scores_are_not_settled_by_later_values() -> None:
    """LDH after the last BsAb dose may lie before or after the collection that nobody recorded."""
    person = included(
        """
        2022-01-01 | dlbcl
        2024-01-01 | glofitamab
        2024-02-01 | PD
        2024-03-20 | ldh 400 (120-250)
        2024-03-20 | ecog 1
        2024-04-01 | infusion
        """
    )
    found = person.ipi.value
    assert found is None or found.points.settled is None


def test_a_progression_without_a_date_leaves_progression_free_survival_open() -> None:
    table = _COURSE.replace("2024-06-01 | PD", "? | PD")
    days, left = endpoints(table)
    assert "PFS" in left
    assert days["OS"] == 153
