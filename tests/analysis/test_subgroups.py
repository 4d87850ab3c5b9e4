"""Groups that a study asks about apart: who is in them, what is told of them, and how they are compared."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from judged_people import CUT_2, person, study, twelve

from fhir_adapter.analysis import wording
from fhir_adapter.analysis.endpoints import event_times
from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.analysis.subgroups import members
from fhir_adapter.cohort.case import case_of
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.finding import Bulk, Exposure, Exposures, Failure, Lines, Range, Span
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.subgroup import subgroup
from fhir_adapter.errors import StudyError
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.mapping.study import read_parameters

FAILURE = "bsab_failure=relapsed|refractory"


def estimates(*people: Judgement, subgroups: str = FAILURE, **parameters: Any) -> dict[str, Estimate]:
    asked = study(subgroups=subgroups, **parameters)
    times = [time for one in people for time in event_times(one, asked)[0]]
    return {one.id: one for one in estimate(list(map(case_of, people)), times, (), asked)}


def failed(status: str, *records: str, name: str = "P") -> Judgement:
    return person(*records, name=name, failure=Failure(status=status, best_response=""))  # type: ignore[arg-type]


def washed(days: int | None, name: str = "P") -> Judgement:
    return person(name=name, washout=None if days is None else Span(shortest=days, longest=days))


def levels(asked: str, *people: Judgement) -> list[tuple[str, ...]]:
    return [member.levels for member in members(list(map(case_of, people)), subgroup(asked))]


# Who is in them


def test_a_column_of_texts_has_its_values_as_levels() -> None:
    people = [failed(status) for status in ("relapsed", "undetermined", "refractory")]
    assert levels(FAILURE, *people) == [("relapsed",), (), ("refractory",)]


def test_below_the_median_and_from_it() -> None:
    """The median of 10, 20 and 30 is 20: who has it is not below. Who has no settled washout is in neither."""
    people = [washed(days) for days in (30, 20, 10, None)]
    found = levels("washout_days=below-median|from-median", *people)
    assert found == [("from-median",), ("from-median",), ("below-median",), ()]


def test_bounds_can_be_numbers_and_overlap() -> None:
    asked = "prior_lines=below-3|from-3|from-5"
    people = [person(lines=Lines(count=Range(lowest=n, highest=n), lines=())) for n in (2, 3, 5)]
    assert levels(asked, *people) == [("below-3",), ("from-3",), ("from-3", "from-5")]


def test_a_washout_that_is_an_interval_is_in_no_group() -> None:
    vague = person(washout=Span(shortest=10, longest=40))
    assert levels("washout_days=below-20|from-20", vague) == [()]


def test_without_anybody_there_is_no_median_and_nobody_in_a_group() -> None:
    assert levels("washout_days=below-median|from-median", washed(None)) == [()]
    assert levels("washout_days=below-median|from-median") == []


def test_a_person_exposed_to_two_target_pairs_is_in_both_groups() -> None:
    day = PartialDate.on(date(2023, 6, 1))
    doses = tuple(
        Exposure(agent=targets[1], targets=targets, first=day, last=day, doses=1)
        for targets in (("CD20", "CD3"), ("CD3", "CD19"))
    )
    one = person(exposure=Exposures(exposures=doses, last_dose=day))
    assert levels("bsab_targets=CD3xCD20|CD3xCD19", one) == [("CD3xCD20", "CD3xCD19")]
    assert levels("bsab_agents=CD3|CD19", one) == [("CD3", "CD19")]


def test_other_columns() -> None:
    one = person(sex="female", targets=("CD22", "CD19"), bulk=Bulk(longest_mm=80, bulky=True))
    assert levels("sex=male|female", one) == [("female",)]
    assert levels("cart_targets=CD19|CD19xCD22", one) == [("CD19xCD22",)]
    assert levels("bulky=true|false", one, person()) == [("true",), ()]
    assert levels("cart_product=x|y", one) == [("x",)]
    assert levels("ipi=below-3|from-3", one) == [()]


# What is told of them


def test_the_statistics_of_a_level_have_the_id_of_the_whole_cohort_s_and_its_population() -> None:
    found = estimates(*twelve(CUT_2, study()))
    one, whole = found["pfs.6m[bsab_failure=refractory]"], found["pfs.6m"]
    assert (one.population, one.n, one.events) == ("bsab_failure=refractory", 8, 5)
    assert (one.label, one.method, one.unit, one.endpoint) == (whole.label, whole.method, whole.unit, whole.endpoint)
    assert found["baseline.n[bsab_failure=relapsed]"].value == 4
    assert found["response.cr[bsab_failure=relapsed]"].denominator == 4


def test_people_of_the_levels_add_up_when_everybody_has_one() -> None:
    found = estimates(*twelve(CUT_2, study()), subgroups="washout_days=below-median|from-median")
    parts = [found[f"pfs.6m[washout_days={level}]"] for level in ("below-median", "from-median")]
    assert sum(part.n for part in parts) == found["pfs.6m"].n
    assert sum(part.events or 0 for part in parts) == found["pfs.6m"].events


def test_the_statistics_and_their_order_do_not_depend_on_the_people() -> None:
    asked = f"{FAILURE},washout_days=below-median|from-median"
    one = failed("relapsed", "CR 2024-02-01", "visit 2024-09-01")
    everybody = twelve(CUT_2, study())
    assert list(estimates(subgroups=asked)) == list(estimates(one, subgroups=asked))
    assert list(estimates(subgroups=asked)) == list(estimates(*everybody, subgroups=asked))


def test_without_people_every_statistic_of_a_subgroup_says_why_it_has_no_value() -> None:
    found = {name: one for name, one in estimates().items() if "[" in name or ".hr." in name or ".logrank." in name}
    assert {one.value for name, one in found.items() if "baseline.n" not in name} == {None}
    assert all(one.not_estimable for name, one in found.items() if "baseline.n" not in name)
    assert found["pfs.logrank.bsab_failure"].not_estimable == "fewer than two groups with people and times"


def test_one_person_is_compared_with_nobody() -> None:
    found = estimates(failed("refractory", "PD 2024-02-01"))
    for name in ("pfs.logrank.bsab_failure", "pfs.hr.bsab_failure.refractory"):
        assert found[name].not_estimable == "fewer than two groups with people and times"
    assert found["pfs.median[bsab_failure=refractory]"].value is not None


# How they are compared


def pair(count: int, **parameters: Any) -> dict[str, Estimate]:
    """So many of each, all with an event: the relapsed later than the refractory, some on one day."""
    people = [
        failed(status, f"PD 2024-{month + later:02}-{1 + number:02}", name=f"{status}{number}{month}")
        for status, later in (("relapsed", 1), ("refractory", 0))
        for month in (2, 4)
        for number in range(count // 2)
    ]
    return estimates(*people, **parameters)


def test_a_hazard_ratio_is_never_without_its_caveat() -> None:
    for found in (pair(4), pair(20), pair(4, cox_fit="plain"), estimates()):
        for one in found.values():
            if one.method.startswith("cox-"):
                assert "not adjusted" in one.label
                assert "not adjusted" in str(one.parameters["caveat"])
                assert one.parameters["reference"] == "relapsed"


def test_few_events_are_said_and_the_fit_is_penalised() -> None:
    few, many = pair(4)["pfs.hr.bsab_failure.refractory"], pair(20)["pfs.hr.bsab_failure.refractory"]
    assert (few.method, many.method) == ("cox-firth", "cox-efron")
    assert "few events, penalised" in few.label
    assert "few events" not in many.label
    assert "fewer than 10 events" in str(few.parameters["caveat"])


def test_the_number_of_few_events_and_the_fit_are_parameters() -> None:
    name = "pfs.hr.bsab_failure.refractory"
    assert pair(4, cox_few_events=4)[name].method == "cox-efron"
    assert pair(4, cox_fit="plain")[name].method == "cox-efron"
    assert "few events" in pair(4, cox_fit="plain")[name].label
    assert pair(20, cox_fit="penalised")[name].method == "cox-firth"


def test_a_ratio_without_limit_is_penalised_or_not_estimable_and_never_a_number() -> None:
    """In the reference study nobody whose antibody worked first has an event."""
    everybody, name = twelve(CUT_2, study()), "pfs.hr.bsab_failure.refractory"
    default = estimates(*everybody, cox_few_events=0)[name]
    assert default.method == "cox-firth"
    assert default.value is not None
    plain = estimates(*everybody, cox_fit="plain")[name]
    assert plain.value is None
    assert "no event while others are at risk" in plain.not_estimable


def test_a_level_with_nobody_leaves_the_comparison_of_the_others() -> None:
    asked = "bsab_failure=relapsed|refractory|undetermined"
    found = {**pair(4, subgroups=asked)}
    assert found["pfs.hr.bsab_failure.undetermined"].not_estimable == "nobody in this group"
    assert found["pfs.hr.bsab_failure.refractory"].value == pytest.approx(
        pair(4)["pfs.hr.bsab_failure.refractory"].value
    )


def test_nobody_in_the_first_level_leaves_nothing_to_compare_with() -> None:
    found = pair(4, subgroups="bsab_failure=undetermined|relapsed|refractory")
    for level in ("relapsed", "refractory"):
        assert found[f"pfs.hr.bsab_failure.{level}"].not_estimable == "nobody in the group to compare with"
    assert found["pfs.logrank.bsab_failure"].value is not None


def test_who_is_in_no_group_or_in_two_is_missing_from_the_comparison() -> None:
    people = [failed("undetermined", "PD 2024-03-01", name="u"), failed("relapsed", "PD 2024-03-01", name="r")]
    found = estimates(*people, failed("refractory", "PD 2024-02-01", name="f"))["pfs.logrank.bsab_failure"]
    assert (found.n, found.events, found.missing) == (2, 2, 1)
    lines = [
        person("PD 2024-03-01", name=str(n), lines=Lines(count=Range(lowest=n, highest=n), lines=())) for n in (2, 4, 6)
    ]
    both = estimates(*lines, subgroups="prior_lines=below-3|from-3|from-5")["pfs.logrank.prior_lines"]
    assert (both.n, both.missing) == (2, 1)


def test_no_event_in_any_group_is_said() -> None:
    people = [failed("relapsed", "visit 2024-03-01", name="a"), failed("refractory", "visit 2024-04-01", name="b")]
    found = estimates(*people)
    assert found["os.logrank.bsab_failure"].not_estimable == "no event in any group"
    assert found["os.hr.bsab_failure.refractory"].not_estimable == "no event in any group"


@pytest.mark.parametrize(
    ("value", "said"), [(0.0653, "p = 0.065"), (0.00004, "p < 0.001"), (0.9996, "p = 1.000"), (0.001, "p = 0.001")]
)
def test_a_p_value_is_said_as_one(value: float, said: str) -> None:
    found = pair(4)["pfs.logrank.bsab_failure"].model_copy(update={"value": value})
    assert wording.result(found, 1) == said


def test_a_hazard_ratio_has_one_digit_more_than_other_numbers() -> None:
    found = pair(4)["pfs.hr.bsab_failure.refractory"].model_copy(update={"value": 2.346, "ci_low": 0.9, "ci_high": 7.0})
    assert (wording.result(found, 1), wording.interval(found, 1)) == ("2.35", "0.90 to 7")


# How they are written


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("washout=below-3|from-3", "`washout` is not a column for subgroups"),
        ("bsab_failure=relapsed", "two levels or more"),
        ("bsab_failure", "two levels or more"),
        ("bsab_failure=relapsed|relapsed", "each once"),
        ("washout_days=short|long", "`short` is not a level of `washout_days`: below-X or from-X"),
        ("sex=male|not female", "`not female` is not a level of `sex`"),
        ("sex=male|fe[male", "is not a level of `sex`"),
        ("sex=male|female,sex=female|male", "`sex` is there twice"),
    ],
)
def test_a_subgroup_that_cannot_be_read_is_refused_with_a_sentence(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("[", r"\[").replace("|", r"\|")):
        study(subgroups=text)


def test_a_mistake_in_a_subgroup_names_its_parameter_and_where_it_was_set() -> None:
    with pytest.raises(StudyError, match=r"--set: `subgroups`: .*`washout` is not a column for subgroups"):
        read_parameters("bsab-cart-dlbcl", {"subgroups": "washout=short|long"})


def test_subgroups_are_a_list_in_the_file_and_joined_by_commas_on_the_command_line() -> None:
    told = (FAILURE, "sex=male|female")
    assert study(subgroups=list(told)).parameters.subgroups == told
    assert study(subgroups=", ".join(told)).subgroups == tuple(subgroup(text) for text in told)
    assert study(subgroups="").subgroups == ()


# Other endpoints


def test_relapse_and_death_without_it_make_up_what_is_not_free_of_progression() -> None:
    people = (
        person("PD 2024-02-01", name="a"),
        person("SD 2024-02-15", "death 2024-03-01", name="b"),
        person("SD 2024-12-01", "visit 2025-01-01", name="c"),
    )
    found = estimates(*people)
    assert [found[f"{name}.6m"].value for name in ("relapse", "nrm", "pfs")] == pytest.approx([1 / 3] * 3)
    assert [found[f"{name}.6m"].events for name in ("relapse", "nrm")] == [1, 1]
    assert found["relapse.6m"].method == "aalen-johansen"


def test_a_death_after_progression_is_no_death_without_it() -> None:
    people = (person("PD 2024-02-01", "death 2024-03-01", name="a"), person("SD 2024-12-01", name="b"))
    found = estimates(*people)
    assert (found["relapse.6m"].value, found["nrm.6m"].value) == (0.5, 0.0)
    assert found["nrm.6m"].no_interval == "no event so far"


def test_another_event_of_pfs_competes_with_both() -> None:
    treated = person("SD 2024-02-01", next_therapy="2024-03-01", name="a")
    found = estimates(treated, person("SD 2024-12-01", name="b"), new_therapy="event")
    assert [found[f"{name}.6m"].value for name in ("relapse", "nrm", "pfs")] == [0.0, 0.0, 0.5]


def test_every_endpoint_has_its_timepoints_median_and_restricted_mean() -> None:
    found = estimates(person("CR 2024-02-01", "PD 2024-05-01", "visit 2025-02-01"), rmst_months=(3, 6))
    for name in ("pfs", "os", "dor", "docr", "efs", "ttnt", "ttp"):
        assert {f"{name}.6m", f"{name}.12m", f"{name}.median", f"{name}.rmst.3m", f"{name}.rmst.6m"} <= set(found)
    assert found["dor.median"].population == "responders"
    assert found["docr.median"].population == "complete-responders"
    assert found["os.rmst.6m"].value == pytest.approx(6.0)
    assert (found["pfs.rmst.6m"].value or 0) * 30.4375 == pytest.approx(121)


def test_a_restricted_mean_reaches_no_further_than_the_people_were_followed() -> None:
    people = (person("death 2024-02-01"), person("visit 2024-03-01"))
    assert estimates(*people, rmst_months=(6,))["os.rmst.6m"].not_estimable == "nobody was followed that long"
    assert estimates(*people, rmst_months=(6,), beyond_last_time="carry")["os.rmst.6m"].value is not None
