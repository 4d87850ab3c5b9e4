"""What the statistics say when people, values or reports are missing, and what they rest on."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from judged_people import CUT_2, person, study, toxicity, twelve

from fhir_adapter.analysis.endpoints import event_times
from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.cohort.case import case_of
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.finding import Bulk, Exposure, Exposures, Lines, Range, Response, Span
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.fhir.dates import PartialDate


def estimates(*people: Judgement, flow: Any = (), **parameters: Any) -> dict[str, Estimate]:
    asked = study(**parameters)
    times = [time for one in people for time in event_times(one, asked)[0]]
    return {one.id: one for one in estimate(list(map(case_of, people)), times, flow, asked)}


def test_the_statistics_and_their_order_do_not_depend_on_the_people() -> None:
    asked = study()
    everybody = [person("CR 2024-02-01", "visit 2024-09-01"), *twelve(CUT_2, asked)]
    assert list(estimates()) == list(estimates(*everybody))
    assert len(list(estimates())) == len(estimate((), (), (), asked))


def test_an_empty_cohort_says_of_every_statistic_that_it_cannot_be_estimated() -> None:
    found = estimates()
    assert found.pop("baseline.n").value == 0
    assert all(one.value is None and one.not_estimable and not one.not_reached for one in found.values())
    assert found["pfs.12m"].not_estimable == "nobody with a follow-up time in days"
    assert found["response.orr"].not_estimable == "nobody in the population"


def test_one_person_alive_gives_estimates_without_a_crash() -> None:
    found = estimates(person("CR 2024-02-01", "visit 2024-09-01"))
    assert found["os.6m"].value == 1.0
    assert found["os.12m"].not_estimable == "nobody was followed that long"
    assert found["os.median"].not_reached
    assert found["response.cr"].numerator == 1


def test_a_median_that_is_reached_is_in_months_of_the_length_given() -> None:
    found = estimates(person("death 2024-03-01"), month_days="30")
    assert (found["os.median"].value, found["os.median"].unit) == (2.0, "mo")
    assert not found["os.median"].not_reached
    assert found["os.6m"].value == 0.0


@pytest.mark.parametrize("kind", ["loglog", "log", "plain"])
def test_a_probability_of_one_or_of_nought_has_no_interval_and_says_why(kind: str) -> None:
    """Its variance is 0. R by log and plain gives limits without width, which a reader would take for certainty."""
    alive = estimates(person("CR 2024-09-01", "visit 2024-09-01"), km_ci=kind, rmst_months=(6,))
    dead = estimates(person("death 2024-03-01"), km_ci=kind, rmst_months=(6,))
    none_left, no_event = "nobody is left without the event", "no event so far"
    for one, value, why in (
        (alive["os.6m"], 1.0, no_event),
        (alive["nrm.6m"], 0.0, no_event),
        (alive["os.rmst.6m"], pytest.approx(6.0), no_event),
        (dead["os.6m"], 0.0, none_left),
        (dead["nrm.6m"], 1.0, none_left),
        (dead["os.rmst.6m"], pytest.approx(60 / 30.4375), none_left),
    ):
        assert (one.value, one.ci_level, one.ci_low, one.ci_high) == (value, 0.95, None, None)
        assert (one.no_interval, one.not_estimable) == (why, "")


def test_a_curve_that_stays_at_one_half_tells_the_other_median_too() -> None:
    """Events on days 30 and 90 of two people: at one half from the first to the second."""
    people = (person("death 2024-01-31"), person("death 2024-03-31"))
    found = estimates(*people, month_days="30")["os.median"]
    assert (found.value, found.parameters["middle_of_flat_stretch"]) == (1.0, 2.0)
    as_r = estimates(*people, month_days="30", km_median_tie="midpoint")["os.median"]
    assert as_r.value == 2.0
    assert "middle_of_flat_stretch" not in as_r.parameters


def test_the_timepoints_are_a_parameter() -> None:
    found = estimates(person("visit 2024-09-01"), timepoints_months=(3, 24))
    assert [name for name in found if name.startswith("pfs.")] == ["pfs.3m", "pfs.24m", "pfs.median", "pfs.rmst.12m"]
    assert found["os.3m"].timepoint_months == 3


def test_beyond_the_last_time_the_value_can_be_carried_on() -> None:
    found = estimates(person("death 2024-02-01"), person("visit 2024-03-01"), beyond_last_time="carry")
    assert (found["os.12m"].value, found["os.12m"].at_risk, found["os.12m"].events) == (0.5, 0, 1)


def test_people_who_leave_an_endpoint_are_missing_from_it() -> None:
    found = estimates(person("death 2024-02-01", "visit 2024-03-01"), person("visit 2025-03-01"))
    assert (found["os.12m"].n, found["os.12m"].missing) == (1, 1)
    assert (found["followup.median"].n, found["followup.median"].missing) == (1, 1)


def test_times_that_are_only_bounded_are_missing_from_the_curve() -> None:
    found = estimates(person("death 2024-02"), person("visit 2025-03-01"), partial_date_policy="bounds")
    assert (found["os.12m"].n, found["os.12m"].missing) == (1, 1)


def test_follow_up_counts_the_dead_in_the_simple_median_and_not_as_ends_in_the_reverse_one() -> None:
    people = (person("death 2024-01-31"), person("visit 2024-03-31"), person("visit 2024-06-29"))
    found = estimates(*people, month_days="30")
    assert [found["followup.median"].value, found["followup.median"].range_low] == [3.0, 1.0]
    assert found["followup.reverse_km"].value == 3.0
    assert found["followup.reverse_km"].method == "reverse-kaplan-meier"


def test_follow_up_may_be_that_of_the_survivors() -> None:
    died = person("death 2024-01-31", name="D")
    people = (died, person("visit 2024-03-31"), person("visit 2024-06-29"))
    found = estimates(*people, month_days="30", followup_of="survivors")["followup.median"]
    assert (found.value, found.range_low, found.n, found.missing) == (4.5, 3.0, 2, 0)
    assert (found.population, found.label) == ("survivors", "Follow-up of survivors, simple median")


def test_duration_of_response_rests_on_the_responders() -> None:
    found = estimates(person("PR 2024-02-01", "PD 2024-03-02"), person("SD 2024-02-01"), month_days="30")
    assert (found["dor.median"].value, found["dor.median"].n, found["dor.median"].missing) == (1.0, 1, 0)
    assert found["dor.median"].population == "responders"


def test_a_response_after_the_end_of_the_best_response_window_has_no_duration() -> None:
    late = Response(best="SD", responded_on=PartialDate.on(date(2024, 5, 1)))
    assert not [time for time in event_times(person(response=late), study())[0] if time.endpoint == "DOR"]


# Denominators


def test_everybody_infused_is_in_the_denominator_of_the_response() -> None:
    people = (person("CR 2024-02-01"), person(), person("PD 2024-02-01"))
    found = estimates(*people)
    assert (found["response.orr"].numerator, found["response.orr"].denominator) == (1, 3)
    assert (found["response.ne"].numerator, found["response.pd"].numerator) == (1, 1)


def test_the_response_can_be_counted_among_the_evaluable() -> None:
    people = (person("CR 2024-02-01"), person(), person("PD 2024-02-01"))
    found = estimates(*people, orr_denominator="evaluable")["response.orr"]
    assert (found.numerator, found.denominator, found.population) == (1, 2, "evaluable")


def test_a_response_of_unknown_depth_is_a_response_and_missing_from_cr_and_pr() -> None:
    found = estimates(person(response=Response(best="responded-unspecified")))
    assert [found[f"response.{name}"].numerator for name in ("orr", "cr", "pr")] == [1, 0, 0]
    assert [found[f"response.{name}"].missing for name in ("orr", "cr", "pr")] == [0, 1, 1]


def test_an_undetermined_best_response_is_missing() -> None:
    found = estimates(person(response=Response(best="", contradiction="CR and PD")))
    assert (found["response.orr"].numerator, found["response.orr"].missing) == (0, 1)


def test_baseline_values_that_are_not_settled_are_missing_and_not_in_the_denominator() -> None:
    bulky, unknown = person(bulk=Bulk(longest_mm=80, bulky=True)), person()
    found = estimates(bulky, unknown)
    assert (found["baseline.bulky"].value, found["baseline.bulky"].denominator) == (1.0, 1)
    assert found["baseline.bulky"].missing == 1


def test_an_age_or_a_washout_that_is_an_interval_is_missing_from_the_median() -> None:
    exact, vague = Span(shortest=60, longest=60), Span(shortest=60, longest=61)
    found = estimates(person(age=exact, washout=exact), person(age=vague, washout=vague))
    for name in ("baseline.age", "washout.median"):
        assert (found[name].value, found[name].n, found[name].missing) == (60, 1, 1)


def test_the_sex_ratio_is_among_the_known() -> None:
    found = estimates(*(person(sex=sex) for sex in ("male", "female", "female", "other", "unknown")))
    assert (found["baseline.male"].numerator, found["baseline.female"].numerator) == (1, 2)
    assert (found["baseline.male"].denominator, found["baseline.male"].missing) == (4, 1)


def test_the_median_of_an_even_number_may_lie_between() -> None:
    found = estimates(*(person(lines=_lines(count)) for count in (2, 5)))
    assert found["baseline.prior_lines"].value == 3.5


def _lines(count: int) -> Lines:
    return Lines(count=Range(lowest=count, highest=count), lines=())


def test_a_person_exposed_to_two_target_pairs_counts_in_both() -> None:
    day = PartialDate.on(date(2023, 6, 1))
    doses = [
        Exposure(agent=agent, targets=targets, first=day, last=day, doses=1)
        for agent, targets in (("glofitamab", ("CD20", "CD3")), ("cd3xcd19-investigational-1", ("CD3", "CD19")))
    ]
    found = estimates(person(exposure=Exposures(exposures=tuple(doses), last_dose=day)))
    assert found["baseline.bsab.CD3xCD20"].numerator == found["baseline.bsab.CD3xCD19"].numerator == 1
    assert "ever exposed" in found["baseline.bsab.CD3xCD20"].label


def test_a_failure_without_a_class_counts_as_undetermined() -> None:
    found = estimates(person())
    assert (found["failure.undetermined"].numerator, found["failure.refractory"].denominator) == (1, 1)


# Toxicity


def test_no_report_is_missing_and_not_a_grade_0() -> None:
    found = estimates(person(), person(toxicities=[toxicity("crs", 0)]), person(toxicities=[toxicity("crs", 2)]))
    assert (found["crs.any"].numerator, found["crs.any"].denominator, found["crs.any"].missing) == (1, 3, 1)
    assert (found["crs.max"].value, found["crs.max"].n, found["crs.max"].missing) == (2, 2, 1)


def test_an_event_without_a_grade_counts_as_any_grade_and_is_undetermined_for_grade_3() -> None:
    """Edge case 46: no default to grade 1."""
    found = estimates(person(toxicities=[toxicity("crs", (1, 5))]), person(toxicities=[toxicity("crs", 1)]))
    assert found["crs.any"].numerator == 2
    assert (found["crs.grade3"].numerator, found["crs.grade3"].missing) == (0, 1)
    assert found["crs.grade3"].parameters["undetermined"] == 1
    assert (found["crs.max"].value, found["crs.max"].range_low, found["crs.max"].range_high) == (None, 1, 5)
    assert found["crs.max"].not_estimable == "the worst grade lies between 1 and 5"


def test_a_grade_of_at_least_3_is_settled_for_grade_3() -> None:
    found = estimates(person(toxicities=[toxicity("anemia", (3, 4))]))
    assert (found["toxicity.anemia.grade3"].numerator, found["toxicity.anemia.grade3"].missing) == (1, 0)


def test_alt_and_ast_together_count_a_person_once_by_the_worse() -> None:
    both = person(toxicities=[toxicity("alt-increased", 1), toxicity("ast-increased", 3)])
    neither = person(toxicities=[toxicity("alt-increased", 0)])
    found = estimates(both, neither)
    assert (found["toxicity.alt-ast.any"].numerator, found["toxicity.alt-ast.any"].missing) == (1, 0)
    assert found["toxicity.alt-ast.max"].value == 3


@pytest.mark.parametrize(("elevated", "numerator", "missing"), [(True, 1, 0), (False, 0, 0), (None, 0, 1)])
def test_an_elevation_is_yes_no_or_not_known(elevated: bool | None, numerator: int, missing: int) -> None:
    found = estimates(person(toxicities=[toxicity("d-dimer", None, elevated)]))["toxicity.d-dimer.elevated"]
    assert (found.numerator, found.missing) == (numerator, missing)


def test_every_laboratory_statistic_names_its_ctcae_version() -> None:
    found = estimates(ctcae_version="6.0")
    names = [name for name in found if name.startswith("toxicity.") and not name.endswith("elevated")]
    assert {found[name].parameters["ctcae_version"] for name in names} == {"6.0"}


# Attrition and parameters


class FlowRow:
    """A row of the attrition as the pipeline has it."""

    def __init__(self, step: str, n_left: int) -> None:
        self.step, self.n_left = step, n_left


def test_the_attrition_has_one_statistic_a_step_whatever_the_number_of_reasons() -> None:
    rows = [FlowRow("person", 60), FlowRow("diagnosis", 30), FlowRow("diagnosis", 30)]
    pairs = [("person", 60), ("diagnosis", 30)]
    for flow in (rows, pairs):
        found = estimates(flow=flow)
        assert [(name, found[name].value) for name in list(found)[:3]] == [
            ("attrition.person", 60),
            ("attrition.diagnosis", 30),
            ("baseline.n", 0),
        ]


def test_every_statistic_names_the_parameters_it_depends_on() -> None:
    found = estimates(pfs_censor="last_contact")
    assert found["pfs.12m"].parameters["pfs_censor"] == "last_contact"
    assert found["pfs.12m"].parameters["data_cut"] == "2025-08-01"
    assert "pfs_censor" not in found["os.12m"].parameters


def test_the_interval_of_a_proportion_is_a_parameter() -> None:
    one = estimates(person("CR 2024-02-01"), proportion_ci="wilson", ci_level=0.9)["response.cr"]
    assert (one.method, one.ci_level) == ("wilson", 0.9)
    assert one.ci_low == pytest.approx(1 / (1 + 1.6448536269514722**2))


def test_the_order_of_people_does_not_matter() -> None:
    people = twelve(CUT_2, study())
    assert estimates(*people) == estimates(*reversed(people))
