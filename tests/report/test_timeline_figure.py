"""The figure: every dated record is in it, words do not cover each other, and what is not sure looks so."""

from __future__ import annotations

from itertools import pairwise

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from msgspec.structs import replace
from report.course import WHOLE, person

from fhir_adapter.cohort.events import RecordedScore
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.report.timeline.facts import facts_of
from fhir_adapter.report.timeline.figure import LABELS, WIDTH, Figure, figure_of
from fhir_adapter.report.timeline.laboratory import HEIGHT, Panel, short
from fhir_adapter.report.timeline.lettering import Rows, fitted, width
from fhir_adapter.report.timeline.person import Person
from fhir_adapter.report.timeline.placing import Placed
from fhir_adapter.rules.judge import judge


def figure(table: str = WHOLE, **parameters: object) -> Figure:
    one = person(table, **parameters)
    return figure_of(one, facts_of(one.subject, one.study))


def lane(name: str, table: str = WHOLE) -> tuple[Placed, ...]:
    [found] = [row.marks for row in figure(table).rows if row.name == name]
    return found


def panel(name: str, table: str = WHOLE) -> Panel:
    [found] = [row.panel for row in figure(table).rows if row.panel and row.name == name]
    return found


def test_the_lanes_tell_the_course_from_the_diagnosis_to_the_laboratory() -> None:
    drawn = figure()
    assert [one.text for one in drawn.labels if one.kind == "section"] == [
        *("Course", "Treatment", "Disease", "Toxicity", "Lengths", "Laboratory")
    ]
    names = [row.name for row in drawn.rows]
    assert names[:4] == ["Diagnosis, death", "Known alive", "Lines of therapy", "Earlier drugs"]
    assert {"Glofitamab", "Fludarabine", "Cells", "Response", "Washout", "OS", "PFS", "Neutrophils"} <= set(names)


def test_every_dated_record_can_be_pointed_at() -> None:
    one = person()
    facts = facts_of(one.subject, one.study)
    drawn = figure_of(one, facts)
    told = " | ".join(
        [mark.mark.tells for row in drawn.rows for mark in row.marks]
        + [point.tells for row in drawn.rows if row.panel for point in row.panel.points]
    )
    assert [fact.tells for fact in facts if fact.tells not in told] == []


def test_nothing_is_drawn_outside_the_figure() -> None:
    drawn = figure()
    for row in drawn.rows:
        assert row.top + row.height <= drawn.height
        for mark in row.marks:
            assert LABELS <= mark.left <= mark.right <= WIDTH
            assert row.top < mark.y < row.top + row.height


def test_rows_follow_upon_one_another() -> None:
    for one, following in pairwise(figure().rows):
        assert one.top + one.height <= following.top


def test_chips_of_one_lane_do_not_cover_each_other() -> None:
    crowded = WHOLE + "\n".join(f"2023-06-{day:02} | {said}" for day, said in ((8, "SD"), (9, "PR"), (10, "SD")))
    marks = lane("Response", crowded)
    for number, one in enumerate(marks):
        for other in marks[number + 1 :]:
            assert one.y != other.y or one.right < other.left or other.right < one.left


def test_a_response_says_its_category_and_not_by_colour_alone() -> None:
    assert [(one.mark.text, one.mark.tone) for one in lane("Response")] == [
        *(("CR", "complete"), ("SD", "stable"), ("PD", "progression"), ("PR", "response"), ("PD", "progression"))
    ]


def test_a_death_known_to_a_month_covers_the_month() -> None:
    died = lane("Diagnosis, death")[-1]
    [(left, right)] = died.vague
    assert left < died.x < right


def test_only_the_sure_part_of_a_length_is_filled() -> None:
    [washout] = lane("Washout", WHOLE.replace("2023-04-10 | apheresis", "2023-04 | apheresis"))
    assert washout.sure
    assert washout.left < washout.sure[0] < washout.sure[1] < washout.right
    [survival] = lane("OS")
    assert survival.sure
    assert survival.left == survival.sure[0] < survival.sure[1] < survival.right


def test_a_length_of_which_nothing_is_sure_has_no_filled_part() -> None:
    [vein] = lane("Vein to vein", WHOLE.replace("2023-04-10 | apheresis", "2023 | apheresis"))
    assert vein.sure is None


def test_a_day_that_is_known_covers_nothing_more() -> None:
    assert all(not mark.vague for mark in lane("Response"))


def test_a_dose_given_perhaps_is_drawn_hollow() -> None:
    assert [one.mark.faint for one in lane("Glofitamab")] == [False, False, True]


def test_the_earlier_drugs_share_a_lane() -> None:
    assert [one.mark.tells for one in lane("Earlier drugs")] == ["2021-03-01, Doxorubicin", "2021-03-01, Rituximab"]


def test_a_length_runs_from_its_first_to_its_last_day() -> None:
    [vein] = lane("Vein to vein")
    assert vein.lettering.text == "29 days"
    collected, infused = lane("Cells")
    assert (vein.left, vein.right) == pytest.approx((collected.x, infused.x))


def test_an_endpoint_says_how_it_ended() -> None:
    assert [(one.mark.text, one.mark.end) for one in lane("PFS")] == [("126 days, progression", "event")]
    alive = WHOLE.replace("2024-02    | death", "").replace("2023-09-12 | PD", "2023-09-12 | PR")
    assert [one.mark.end for one in lane("PFS", alive)] == ["censored"]


def test_findings_of_one_day_and_kind_share_a_chip() -> None:
    more = "\n2023-03-20 | lesion 90.5\n2023-03-20 | disease in lung\n2023-03-20 | disease in spleen"
    found = {one.mark.text: one.mark.tells for one in lane("State of disease", WHOLE + more)}
    assert list(found) == ["ECOG 1", "2 extranodal", "90.5 mm", "stage 4"]
    assert found["90.5 mm"].count("Longest diameter") == 2


def test_scores_that_somebody_wrote_down_are_shown_by_their_name() -> None:
    one = person()
    at = one.subject.stagings[0]
    scores = tuple(
        RecordedScore(on=at.on, source=at.source, score=name, points=points)
        for name, points in (("ipi", 3), ("nccn_ipi", 5))
    )
    whole = one.subject.model_copy(update={"recorded_scores": scores})
    drawn = figure_of(one, facts_of(whole, one.study))
    assert "IPI 3, NCCN-IPI 5" in [mark.mark.text for row in drawn.rows for mark in row.marks]


def test_two_records_of_one_infusion_are_one_sign() -> None:
    signs = [one for one in lane("Cells", WHOLE + "\n2023-05-09 | infusion") if one.mark.shape == "infusion"]
    assert len(signs) == 1
    assert signs[0].mark.tells.count("CD19 CAR-T cells") == 2


def test_the_collection_the_infusion_and_the_cut_go_through_all_lanes() -> None:
    assert [one.text for one in figure().rules] == ["collection", "infusion", "data cut 2024-06-01"]


def test_a_laboratory_value_outside_its_limits_has_another_shape() -> None:
    assert [(one.place, one.bounded) for one in panel("Neutrophils").points] == [
        *(("normal", False), ("low", False), ("low", True), ("normal", False))
    ]
    assert [one.place for one in panel("Aspartate aminotransferase").points] == ["high"]


def test_a_lower_bound_does_not_prove_that_a_value_is_low() -> None:
    table = "2020-01-01 | dlbcl\n2023-05-12 | neutrophils >1.0 (1.8-6.3)\n2023-05-13 | neutrophils >7 (1.8-6.3)"
    assert [one.place for one in panel("Neutrophils", table).points] == ["normal", "high"]


def test_the_value_that_a_grade_rests_on_is_ringed_and_named() -> None:
    drawn = panel("Neutrophils")
    assert drawn.worst == "worst <0.1, grade 4"
    assert [one.worst for one in drawn.points] == [False, False, True, False]


def test_low_counts_are_legible_beside_high_ones() -> None:
    table = "2020-01-01 | dlbcl\n2023-05-01 | ferritin 90000\n2023-05-02 | ferritin 200\n2023-05-03 | ferritin 100"
    first, second, third = (one.y for one in panel("Ferritin", table).points)
    assert first < second - 10
    assert second < third - 2
    assert 0 < first < third < HEIGHT


def test_a_single_value_without_limits_is_drawn_in_the_middle() -> None:
    drawn = panel("Ferritin", "2020-01-01 | dlbcl\n2023-05-01 | ferritin 90")
    assert [one.y for one in drawn.points] == [HEIGHT / 2]
    assert drawn.bands == ()
    assert "limits not told" in drawn.note


def test_a_curve_never_crosses_a_change_of_scale() -> None:
    values = "2023-05-12 | albumin 40 (35-55)\n2023-05-20 | albumin 41 (35-55)\n2023-12-20 | albumin 42 (35-55)"
    drawn = panel("Albumin", WHOLE + values)
    assert [len(curve.split()) for curve in drawn.curves] == [2]


def test_a_value_whose_day_is_not_known_is_on_no_curve() -> None:
    values = "2023-05 | albumin 30 (35-55)\n2023-05-12 | albumin 40 (35-55)\n2023-05-20 | albumin 41 (35-55)"
    drawn = panel("Albumin", WHOLE + values)
    assert len(drawn.points) == 3
    assert [len(curve.split()) for curve in drawn.curves] == [2]


def test_ranges_that_change_stand_side_by_side() -> None:
    values = "2023-05 | albumin 30 (35-55)\n2023-05-02 | albumin 40 (30-50)\n2023-05-20 | albumin 41 (30-50)"
    first, second, third = panel("Albumin", WHOLE + values).bands
    assert first.x + first.width == pytest.approx(second.x)
    assert second.x + second.width == pytest.approx(third.x)
    assert min(first.width, second.width, third.width) > 0


def test_people_without_any_dated_record_have_an_empty_figure() -> None:
    assert figure("? | dlbcl").rows == ()


@pytest.mark.parametrize("table", ["2020 | dlbcl", "2023-01-09 | glofitamab", "2024-03 | death"])
def test_a_single_record_makes_a_figure(table: str) -> None:
    assert len(figure(table, cut=None).rows) >= 1


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (0.02, "0.02"), (1.234, "1.23"), (97.24, "97.2"), (980.0, "980"), (12345.0, "12345"), (56.0, "56")],
)
def test_the_scale_is_written_with_three_digits(value: float, said: str) -> None:
    assert short(value) == said


def test_a_name_that_is_too_long_is_cut_with_an_ellipsis() -> None:
    long = "CD3xCD20 bispecific antibody, investigational, number 1"
    assert fitted(long, 12, 120).endswith("…")
    assert width(fitted(long, 12, 120), 12) <= 120
    assert fitted("Rituximab", 12, 120) == "Rituximab"
    assert fitted("Rituximab", 12, 3) == ""


@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        *("PD", "ICANS 0", "Aspartate aminotransferase", "Cyclophosphamide", "330 days, last contact", "10 to 38 days"),
        *("MMMM", "illicit", "responded", "Rituximab + Doxorubicin + Vincristine", "data cut 2025-08-01", "stage 4"),
    ],
)
def test_the_room_that_words_take_is_never_taken_for_less(text: str, bold: bool) -> None:
    measured = TextPath((0, 0), text, size=12, prop=FontProperties(family="DejaVu Sans", weight=700 if bold else 400))
    needed = measured.get_extents().width
    assert needed <= width(text, 12, bold) <= 1.35 * needed + 4


def test_full_width_signs_take_more_room() -> None:
    assert width("利妥昔单抗", 12) == 60


def test_what_does_not_fit_beside_goes_below() -> None:
    rows = Rows(gap=2)
    assert [rows.place(0, 10), rows.place(5, 15), rows.place(13, 20), rows.place(14, 30)] == [0, 1, 0, 2]
    assert len(rows) == 3


def test_two_values_of_one_record_are_graded_each_by_its_own_rule() -> None:
    one = person(WHOLE + "2023-05-16 | platelets 9 (125-350)")
    blood_count = next(lab.source for lab in one.subject.labs if lab.observable == "platelets")
    labs = tuple(
        replace(lab, source=blood_count) if lab.on and lab.on.iso == "2023-05-16" else lab for lab in one.subject.labs
    )
    found = judge(one.subject.model_copy(update={"labs": labs}), one.study)
    assert isinstance(found, Judgement)
    counted = Person(one.study, found.subject, tuple(found.findings()))
    worst = {name: tox.code for (name, _), tox in counted.graded.items()}
    assert worst == {
        "neutrophils": "neutrophil-count-decreased",
        "platelets": "platelet-count-decreased",
        "ast": "ast-increased",
    }
    drawn = {
        row.name: row.panel.worst for row in figure_of(counted, facts_of(found.subject, one.study)).rows if row.panel
    }
    assert drawn["Platelets"] == "worst 9, grade 4"
    assert drawn["Neutrophils"] == "worst <0.1, grade 4"
