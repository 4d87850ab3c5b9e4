"""Every figure shows what the tables of the run hold: boxes, lanes, states and grades that add up."""

from __future__ import annotations

import re
import xml.dom.minidom
from typing import Any

import pytest
from analysis.judged_people import CUT_2, person, study, toxicity, twelve
from report.materials import copies, material, named, of_the_study, times_of
from study12_estimates import FLOW, row

from fhir_adapter.cohort.case import case_of, course_of
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.report.attrition import RECEIVED, steps_of
from fhir_adapter.report.drawing import Picture
from fhir_adapter.report.flow_diagram import boxes_of, flow_diagram
from fhir_adapter.report.gallery import gallery
from fhir_adapter.report.grades import by_grade, grade_rows, rates
from fhir_adapter.report.page import render
from fhir_adapter.report.states import STATES, states_by_month
from fhir_adapter.report.swimmer import MOST_LANES, Lane, lanes_of, swimmer

HOSTILE = "<script>alert('1')</script>&\"$x_1$[/x]"


def texts(drawn: Picture) -> list[str]:
    """Everything written in a figure."""
    root = xml.dom.minidom.parseString(drawn.svg)
    assert not root.getElementsByTagName("script")
    return [one.firstChild.nodeValue or "" for one in root.getElementsByTagName("text") if one.firstChild]


def lanes(*people: Judgement, **parameters: Any) -> tuple[Lane, ...]:
    asked = study(**parameters)
    courses = [course for one in people if (course := course_of(one))]
    return lanes_of(courses, times_of(people, asked), asked)


def test_the_boxes_of_the_flow_diagram_are_the_rows_of_the_attrition() -> None:
    said = texts(flow_diagram(FLOW, study()))
    remaining = [int(text.removeprefix("n = ")) for text in said if text.startswith("n = ")]
    assert remaining == [60, 60, 30, 20, 15, 12, 12, 12]
    gone = [int(text.rpartition(": ")[2]) for text in said if re.search(r": \d+$", text)]
    assert sorted(gone) == sorted(one.n_out for one in FLOW if one.n_out)
    assert remaining[0] - sum(gone) == remaining[-1]
    assert RECEIVED in said


def test_few_who_left_are_withheld_in_the_diagram_as_in_the_table() -> None:
    flow = (
        row("diagnosis", "other_disease", 40, 10, 30),
        row("bsab", "no_bsab", 30, 2, 28),
        row("car_t", "no_infusion", 28, 8, 20),
    )
    drawn = flow_diagram(flow, study(min_cell=5))
    assert [text for text in texts(drawn) if text.startswith("n = ")] == ["n = 40", "n = withheld", "n = 28", "n = 20"]
    assert "no bispecific antibody: withheld" in texts(drawn)
    assert "no bispecific antibody: withheld" in drawn.description
    assert " 2." not in drawn.description


@pytest.mark.parametrize("flow", [(), (row("person", "", 0, 0, 0),)])
def test_a_diagram_of_nobody_says_so(flow: tuple[FlowRow, ...]) -> None:
    assert {"Nobody was examined.", "n = 0"} & set(texts(flow_diagram(flow, study())))


def test_long_and_hostile_reasons_stay_within_their_box() -> None:
    (box,) = boxes_of(steps_of((row("person", HOSTILE * 40, 2, 1, 1),), study()))[1:]
    assert len(box.left) <= 4
    assert all(len(line) <= 50 for line in box.left)


def test_everybody_has_a_lane_and_the_longest_followed_is_on_top() -> None:
    asked = study()
    people = twelve(CUT_2, asked)
    found = lanes(*people)
    assert len(found) == len(people)
    ends = [lane.ended or 0 for lane in found]
    assert ends == sorted(ends, reverse=True)
    assert sum(lane.died for lane in found) == 3
    said = texts(swimmer(found))
    assert {str(number) for number in range(1, 13)} <= set(said)
    assert {"died", "alive when last seen", "progression", "complete response", "apheresis"} <= set(said)


def test_a_lane_is_in_months_from_the_infusion() -> None:
    (lane,) = lanes(person("PR 2024-01-31", "PD 2024-03-01", "death 2024-07-01", infusion="2024-01-01"))
    assert lane.apheresis == pytest.approx(-31 / 30.4375)
    assert lane.seen == ((30 / 30.4375, "response"), (60 / 30.4375, "progression"))
    assert (lane.ended, lane.died) == (pytest.approx(182 / 30.4375), True)


def test_a_month_alone_is_drawn_in_its_middle() -> None:
    (lane,) = lanes(person("PR 2024-03", "visit 2024-09-01"))
    assert lane.seen == ((75 / 30.4375, "response"),)


def test_somebody_without_any_contact_has_a_lane_that_has_no_end() -> None:
    (lane,) = lanes(person("death"), undated_death="exclude")
    assert (lane.ended, lane.died) == (None, False)
    assert "undetermined" in texts(swimmer((lane,)))


def test_no_lane_says_whose_it_is() -> None:
    one = named(person("CR 2024-02-01", "visit 2024-09-01"), "MRN-4711")
    assert b"MRN-4711" not in swimmer(lanes(one)).svg


def test_the_page_calls_itself_patient_data_and_names_nobody() -> None:
    page = render(material([named(person("CR 2024-02-01", "visit 2024-09-01"), "MRN-4711")], study()))["index.html"]
    assert b"shows the courses of single people, without their ids: it is patient data" in page
    assert b"MRN-4711" not in page


def test_many_people_are_shown_together_and_never_a_part_of_them() -> None:
    asked = study()
    few, many = (gallery(material(copies(number, asked), asked)) for number in (MOST_LANES, MOST_LANES + 1))
    assert few.courses
    assert not few.states
    assert many.states
    assert not many.courses
    assert "P-00000" not in " ".join(text for drawn in many.all for text in texts(drawn))


def test_states_add_up_to_everybody_at_every_month() -> None:
    asked = study()
    rows = states_by_month(times_of(twelve(CUT_2, asked), asked), asked)
    assert {sum(one) for one in rows} == {12}
    assert rows[0] == (12, 0, 0, 0)
    assert rows[-1][STATES.index("died")] == 3
    assert rows[12][STATES.index("no longer followed")] == 7


def test_where_small_numbers_are_withheld_no_single_person_is_shown() -> None:
    shown = gallery(of_the_study(min_cell=5))
    assert shown.courses is None
    assert shown.states is None
    assert shown.courses_withheld


def test_grades_of_a_term_add_up_to_everybody_and_to_its_estimates() -> None:
    whole = of_the_study()
    found = {row.name: row for row in grade_rows(whole.people, whole.study)}
    by_id = whole.by_id
    for name, one in found.items():
        assert sum(one.cells) == 12
        any_grade, severe = by_id[f"{name}.any"], by_id.get(f"{name}.grade3")
        assert (any_grade.numerator, any_grade.missing) == (sum(one.grades[1:]), one.unknown + one.open)
        assert severe is None or severe.numerator == sum(one.grades[3:])
    assert found["crs"].grades == (2, 6, 4, 0, 0, 0)


def test_a_grade_that_is_open_and_no_report_stand_in_columns_of_their_own() -> None:
    people = [
        person(toxicities=[toxicity("crs", 2)]),
        person(toxicities=[toxicity("crs", (1, 3))]),
        person(toxicities=[toxicity("icans", 0)]),
    ]
    lines = {line[0]: line[1:] for line in by_grade(grade_rows(list(map(case_of, people)), study()), study()).rows}
    assert lines["CRS"] == ("0", "0", "1", "0", "0", "0", "1", "1")
    assert lines["ICANS"] == ("1", "0", "0", "0", "0", "0", "0", "2")


def test_what_nobody_was_assessed_for_is_named_and_is_no_row_of_zeros() -> None:
    table = by_grade(grade_rows([case_of(person(toxicities=[toxicity("crs", 2)]))], study()), study())
    assert [line[0] for line in table.rows] == ["CRS"]
    assert "Nobody was assessed for: ICANS" in table.note


def test_a_term_beyond_the_usual_has_a_row_too() -> None:
    people = [person(toxicities=[toxicity("febrile-neutropenia", 3)])]
    assert [line[0] for line in by_grade(grade_rows(list(map(case_of, people)), study()), study()).rows] == [
        "febrile-neutropenia"
    ]


def test_rates_of_toxicity_stand_beside_the_term_and_elevations_below() -> None:
    whole = of_the_study()
    lines = {line[0]: line[1:] for line in rates(grade_rows(whole.people, whole.study), whole.by_id, whole.study).rows}
    assert lines["CRS"] == ("10/12 83.3% (51.6 to 97.9)", "0/12 0% (0 to 26.5)", "–")
    assert lines["D-dimer increased, above the upper limit of normal"] == ("5/12 41.7% (15.2 to 72.3)", "–", "–")


def test_few_people_with_a_grade_are_withheld_with_as_many_as_it_takes() -> None:
    asked = study(min_cell=5)
    people = [person(toxicities=[toxicity("crs", grade)]) for grade in (0,) * 9 + (1,) * 8 + (2,) * 2]
    (line,) = by_grade(grade_rows(list(map(case_of, people)), asked), asked).rows
    assert line == ("CRS", "9", "withheld", "withheld", "0", "0", "0", "0", "0")


def test_groups_of_the_study_have_curves_of_their_own() -> None:
    asked = study(subgroups=["bsab_failure=relapsed|refractory"])
    ((label, (progression, survival)),) = gallery(material(twelve(CUT_2, asked), asked)).subgroups
    assert label == "BsAb failure"
    assert (progression.name, survival.name) == ("km-pfs-by-bsab-failure", "km-os-by-bsab-failure")
    said = texts(survival)
    assert said[said.index("relapsed") + 1] == "4"
    assert said[said.index("refractory") + 1] == "8"


def test_of_groups_none_is_drawn_when_one_is_too_small() -> None:
    asked = study(subgroups=["bsab_failure=relapsed|refractory"], min_cell=5)
    ((_, pictures),) = gallery(material(copies(12, asked), asked)).subgroups
    for drawn in pictures:
        assert "Withheld: it would tell of too few people." in texts(drawn)
        below = texts(drawn)[texts(drawn).index("Number at risk") :]
        assert below == ["Number at risk", "relapsed", "refractory"]
