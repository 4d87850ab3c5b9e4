"""Laboratory toxicity, CRS and ICANS as hospitals really write them down."""

from __future__ import annotations

from typing import Any

import pytest
from mapping.hospital import AE_GRADE, MEDDRA, NCIT, SNOMED, Json, about, concept, read, reasons
from spec.edge_cases.infused import (
    CRS,
    adverse_event,
    condition,
    found,
    given,
    graded,
    grades,
    lab,
)

TIME = "2024-06-09T06:00:00+08:00"
ANC, PLT, WBC = "neutrophil-count-decreased", "platelet-count-decreased", "white-blood-cell-decreased"


@pytest.mark.parametrize(
    ("value", "in_5", "in_6"),
    [("<0.1", (4, 4), (4, 4)), ("<0.5", (4, 4), (3, 4)), ("<1.0", (3, 4), (2, 4)), ("<=0.5", (3, 4), (2, 4))],
)
def test_edge_32_a_value_below_the_limit_of_detection_is_a_bound(
    value: str, in_5: tuple[int, int], in_6: tuple[int, int]
) -> None:
    """ "<0.1" neutrophils are certainly grade 4; "<1.0" are grade 3 at least (CTCAE 5.0), an interval and no number."""
    counted = lab("neutrophils", value, "10*9/L", limits=(1.8, 6.3))
    assert grades(ANC, counted) == in_5
    assert grades(ANC, counted, ctcae_version="6.0") == in_6


def test_edge_32_a_value_sent_as_text_with_its_sign_is_the_same_bound() -> None:
    """A comparator counts wherever it stands: in the quantity, or in a result that was sent as text."""
    words = lab("neutrophils", 0, "10*9/L", limits=(1.8, 6.3))
    del words["valueQuantity"]
    assert grades(ANC, words | {"valueString": "<0.1"}) == (4, 4)
    assert grades(ANC, words | {"valueString": "＜ 0.1"}) == (4, 4)


def test_edge_33_neutrophils_are_white_cells_times_their_share() -> None:
    """White cells 2.0 with 20 % neutrophils are 0.4 neutrophils: grade 4 (CTCAE 5.0)."""
    white, share = lab("leukocytes", 2.0, "10*9/L", TIME), lab("neutrophil-percent", 20, "%", TIME)
    one = found(ANC, white, share)
    assert one is not None
    assert (one.grade, one.value, "derived-from-differential" in one.flags) == (4, "0.4", True)
    assert len(one.source.split(";")) == 2


def test_edge_33_segments_and_bands_make_the_share_together() -> None:
    """2.0 x (15 % + 5 %) = 0.4; the segments alone are not the share."""
    white, segments = lab("leukocytes", 2.0, "10*9/L", TIME), lab("segments", 15, "%", TIME)
    assert grades(ANC, white, segments, lab("bands", 5, "%", TIME)) == (4, 4)
    assert found(ANC, white, segments, missing_neutrophils="derived") is None


def test_edge_33_only_results_of_one_sample_belong_together() -> None:
    """One panel, one specimen or one time; the share of another blood count is never used."""
    white = lab("leukocytes", 2.0, "10*9/L", TIME)
    other = lab("neutrophil-percent", 20, "%", "2024-06-09T17:00:00+08:00")
    assert found(ANC, white, other, missing_neutrophils="derived") is None
    tubes = [{"specimen": {"reference": f"Specimen/{number}"}} for number in (1, 2)]
    share = lab("neutrophil-percent", 20, "%", "2024-06-09T06:05:00+08:00", **tubes[0])
    assert grades(ANC, white | tubes[0], share) == (4, 4)
    assert found(ANC, white | tubes[1], share, missing_neutrophils="derived") is None
    parts = [{key: one[key] for key in ("code", "valueQuantity")} for one in (white, other)]
    panel = lab("leukocytes", 1, code={"text": "CBC with differential"}, component=parts)
    del panel["valueQuantity"]
    assert grades(ANC, panel) == (4, 4)


def test_edge_33_a_share_alone_is_never_used() -> None:
    """3 % neutrophils of an unknown number of white cells are no count."""
    assert found(ANC, lab("neutrophil-percent", 3, "%", TIME)) is None


@pytest.mark.parametrize(
    ("white", "in_5", "in_6"),
    [(0.05, (4, 4), (4, 4)), (0.3, (4, 4), (3, 4)), ("<0.1", (4, 4), (4, 4)), (0.9, (3, 4), (2, 4)), (4.0, None, None)],
)
def test_edge_33_white_cells_without_a_differential_bound_the_neutrophils(
    white: Any, in_5: tuple[int, int] | None, in_6: tuple[int, int] | None
) -> None:
    """Neutrophils are white cells: where these are below 0.5, so are those. Many white cells prove nothing."""
    without = lab("leukocytes", white, "10*9/L", limits=(3.5, 9.5))
    assert grades(ANC, without) == in_5
    assert grades(ANC, without, ctcae_version="6.0") == in_6
    assert found(ANC, without, missing_neutrophils="derived") is None


def test_edge_33_a_counted_value_needs_no_bound() -> None:
    """Where neutrophils were counted, the count decides, even above what the white cells of another time allow."""
    counted = lab("neutrophils", 0.6, "10*9/L", TIME, (1.8, 6.3))
    assert grades(ANC, counted, lab("leukocytes", 0.9, "10*9/L", TIME)) == (3, 3)
    assert grades(ANC, counted, lab("leukocytes", 0.3, "10*9/L", "2024-06-11")) == (4, 4)


def test_edge_33_no_neutrophils_is_a_value() -> None:
    """A count of 0, or a share of 0 %, is a measurement and not a missing one."""
    assert grades(ANC, lab("neutrophils", 0, "10*9/L", limits=(1.8, 6.3)), ctcae_version="6.0") == (4, 4)
    empty = lab("leukocytes", 0.6, "10*9/L", TIME), lab("neutrophil-percent", 0, "%", TIME)
    assert grades(ANC, *empty, ctcae_version="6.0") == (4, 4)


def test_edge_34_the_same_count_in_every_unit_is_the_same_grade() -> None:
    """2.1, 2100 /mm3, 2.1 K/uL and 2.1 ×10⁹/L are one and the same white cell count."""
    for value, unit, limits in [
        (2.1, "10^9/L", (3.5, 9.5)),
        (2.1, "×10⁹/L", (3.5, 9.5)),
        (2.1, "G/L", (3.5, 9.5)),
        (2.1, "K/uL", (3.5, 9.5)),
        (2100, "/mm3", (3500, 9500)),
        (2100, "个/uL", (3500, 9500)),
    ]:
        one = found(WBC, lab("leukocytes", value, unit, limits=limits))
        assert one is not None, unit
        assert (one.grade, one.value, one.unit) == (2, "2.1", "10*9/L"), unit


@pytest.mark.parametrize(
    ("value", "limits", "grade"), [(2.1, (3.5, 9.5), 2), (2100, (3500, 9500), 2), (0.4, (3.5, 9.5), 4)]
)
def test_edge_34_a_missing_unit_is_inferred_when_range_and_magnitude_agree(
    value: float, limits: tuple[float, float], grade: int
) -> None:
    """Without a unit only one reading of the laboratory's own normal range may be possible; the value is flagged."""
    one = found(WBC, lab("leukocytes", value, limits=limits))
    assert one is not None
    assert (one.grade, "unit-inferred" in one.flags) == (grade, True)


@pytest.mark.parametrize("limits", [None, (0, 500), (12, 14)])
def test_edge_34_a_missing_unit_is_never_guessed(limits: tuple[float, float] | None) -> None:
    """Nothing, or a range that no unit explains, leaves the value out, with its reason."""
    without = lab("leukocytes", 2.1, limits=limits)
    assert found(WBC, without) is None
    assert "unit-missing" in reasons(read(without))


@pytest.mark.parametrize(("value", "limits"), [(0.9, (0, 0.5)), (900, (0, 500)), (550, (0, 550))])
def test_edge_34_a_d_dimer_without_a_unit_is_never_guessed(value: float, limits: tuple[float, float]) -> None:
    """mg/L or ug/L, FEU or DDU: of D-dimer any reading may be true, so none is taken."""
    assert found("d-dimer", lab("d-dimer", value, limits=limits)) is None


@pytest.mark.parametrize(
    ("name", "value", "unit", "upper", "elevated"),
    [
        ("d-dimer", 0.6, "mg/L{FEU}", 0.5, True),
        ("d-dimer", 0.5, "mg/L{FEU}", 0.5, False),
        ("d-dimer", 540, "ng/mL{FEU}", 550, False),
        ("d-dimer", 0.6, "ug/mL FEU", 0.5, True),
        ("d-dimer-ddu", 0.3, "mg/L{DDU}", 0.25, True),
        ("d-dimer-ddu", 240, "ng/mL{DDU}", 250, False),
        ("d-dimer", 0.9, "mg/L{FEU}", None, None),
    ],
)
def test_edge_35_d_dimer_is_held_against_the_limit_of_its_own_report(
    name: str, value: float, unit: str, upper: float | None, elevated: bool | None
) -> None:
    """FEU or DDU, mg/L or ng/mL: elevated means above the upper limit that the same report gives, and nothing else."""
    one = found("d-dimer", lab(name, value, unit, limits=(None, upper) if upper else None))
    assert one is not None
    assert (one.elevated, one.scale, one.grade) == (elevated, "ULN", None)


@pytest.mark.parametrize(("value", "elevated"), [(0.51, False), (0.52, False), (0.53, True)])
def test_edge_35_a_study_may_adjust_the_limit_to_the_age(value: float, elevated: bool) -> None:
    """At 52 years it is 0.52 mg/L; the limit of the report is 0.5 mg/L."""
    dimer = lab("d-dimer", value, "mg/L FEU", limits=(None, 0.5))
    plain, adjusted = found("d-dimer", dimer), found("d-dimer", dimer, d_dimer_limit="age_adjusted")
    assert plain
    assert adjusted
    assert (plain.elevated, adjusted.elevated) == (True, elevated)
    young = found("d-dimer", dimer, d_dimer_limit="age_adjusted", d_dimer_age_over="52")
    assert young
    assert young.elevated


def test_edge_35_a_limit_in_another_kind_of_unit_is_no_limit() -> None:
    """A DDU limit says nothing about an FEU value, and a second report's limit is not borrowed."""
    other = {"referenceRange": [{"high": {"value": 0.25, "unit": "mg/L{DDU}"}}]}
    foreign = lab("d-dimer", 0.4, "mg/L{FEU}", **other)
    normal = lab("d-dimer", 0.3, "mg/L{FEU}", on="2024-06-08", limits=(None, 0.5))
    one = found("d-dimer", foreign, normal)
    assert one is not None
    assert one.elevated is None


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error"])
def test_edge_36_a_cancelled_result_is_no_result(status: str) -> None:
    """Cancelled and wrong results count for nothing."""
    assert found(PLT, lab("platelets", 12, "10*9/L", limits=(125, 350), status=status)) is None


@pytest.mark.parametrize("status", ["final", "corrected", "amended"])
def test_edge_36_a_final_result_displaces_the_preliminary_one(status: str) -> None:
    """A preliminary value gives way to the final, amended or corrected one of its day."""
    early = lab("platelets", 12, "10*9/L", limits=(125, 350), status="preliminary")
    late = lab("platelets", 120, "10*9/L", limits=(125, 350), status=status)
    assert grades(PLT, early, late) == (1, 1)
    assert grades(PLT, early) == (4, 4)


@pytest.mark.parametrize(
    "doubt",
    [
        {"code": concept(("http://loinc.org", "30313-1"))},
        {"code": concept(("http://loinc.org", "20509-6"))},
        {"method": {"text": "血气分析"}},
        {"method": {"text": "Blood gas analyser"}},
        {"specimen": {"display": "Capillary blood"}},
        {"specimen": {"display": "末梢血"}},
    ],
)
def test_edge_36_haemoglobin_of_a_blood_gas_gives_way_to_the_laboratorys(doubt: Json) -> None:
    """A blood gas analyser or a capillary sample counts only on a day without a proper blood count."""
    gas = lab("hemoglobin", 70, "g/L", limits=(130, 175), **doubt)
    assert grades("anemia", gas, lab("hemoglobin", 95, "g/L", limits=(130, 175))) == (2, 2)
    assert grades("anemia", gas, lab("hemoglobin", 95, "g/L", "2024-06-10", limits=(130, 175))) == (3, 3)


@pytest.mark.parametrize(
    "doubt",
    [
        {"note": [{"text": "Platelets clumped, count unreliable"}]},
        {"note": [{"text": "EDTA-dependent pseudothrombocytopenia"}]},
        {"note": [{"text": "血小板聚集，建议枸橼酸钠抗凝复查"}]},
        {"interpretation": [{"text": "Platelet clumps present"}]},
    ],
)
def test_edge_36_clumped_platelets_are_no_thrombocytopenia(doubt: Json) -> None:
    """Clumped platelets were not counted: the value is left out, with its reason."""
    clumped = lab("platelets", 12, "10*9/L", limits=(125, 350), **doubt)
    assert found(PLT, clumped) is None
    assert "sample-clumped" in reasons(read(clumped))


def test_edge_36_an_estimate_gives_way_to_a_count() -> None:
    """Platelets estimated from a smear count only on a day without a count."""
    estimate = lab("platelets", 20, "10*9/L", limits=(125, 350), code=concept(("http://loinc.org", "49497-1")))
    assert grades(PLT, estimate, lab("platelets", 60, "10*9/L", limits=(125, 350))) == (2, 2)
    assert grades(PLT, estimate) == (4, 4)


def transfused(text: str, on: str = "2024-06-09") -> Json:
    return about("Procedure", id="t1", status="completed", code={"text": text}, performedDateTime=on)


@pytest.mark.parametrize("text", ["Platelet transfusion", "输注血小板", "单采血小板输注"])
def test_edge_37_a_transfusion_makes_thrombocytopenia_grade_3_in_ctcae_6(text: str) -> None:
    """CTCAE 6.0 has "transfusion indicated" in grade 3: a transfusion at 60 is grade 3. CTCAE 5.0 has not."""
    low = lab("platelets", 60, "10*9/L", limits=(125, 350))
    assert grades(PLT, low, transfused(text)) == (2, 2)
    assert grades(PLT, low, transfused(text), ctcae_version="6.0") == (3, 3)
    assert grades(PLT, low, transfused(text, "2024-05-30"), ctcae_version="6.0") == (2, 2)
    assert grades(PLT, low, transfused(text), ctcae_version="6.0", transfusion="ignored") == (2, 2)


@pytest.mark.parametrize("version", ["5.0", "6.0"])
def test_edge_37_a_transfusion_of_red_cells_makes_anemia_grade_3(version: str) -> None:
    """Both versions say "transfusion indicated" in grade 3 of anemia."""
    low = lab("hemoglobin", 85, "g/L", limits=(115, 150))
    assert grades("anemia", low, ctcae_version=version) == (2, 2)
    assert grades("anemia", low, transfused("Transfusion of packed red cells"), ctcae_version=version) == (3, 3)
    assert grades("anemia", low, transfused("Platelet transfusion"), ctcae_version=version) == (2, 2)


def test_edge_37_platelets_risen_after_a_transfusion_do_not_take_the_grade_back() -> None:
    """The nadir is before the transfusion; the grade stays."""
    nadir = lab("platelets", 8, "10*9/L", "2024-06-08", (125, 350))
    risen = lab("platelets", 90, "10*9/L", limits=(125, 350))
    assert grades(PLT, nadir, transfused("Platelet transfusion"), risen) == (4, 4)


def test_edge_38_a_range_written_as_text_is_read() -> None:
    """ "3.5-9.5" in words is the laboratory's range as much as two numbers are."""
    for text in ("3.5-9.5", "3.5～9.5", "(3.5 – 9.5)", "3.5-9.5 10^9/L"):
        written = lab("leukocytes", 3.2, "10^9/L", referenceRange=[{"text": text}])
        assert grades(WBC, written) == (1, 1), text


def _range(low: float, high: float, **elements: Any) -> Json:
    return {"low": {"value": low, "unit": "g/L"}, "high": {"value": high, "unit": "g/L"}, **elements}


MEANING = "http://terminology.hl7.org/CodeSystem/referencerange-meaning"


@pytest.mark.parametrize(
    "ranges",
    [
        [_range(115, 150, type=concept((MEANING, "normal"))), _range(70, 90, type=concept((MEANING, "treatment")))],
        [_range(130, 175, appliesTo=[{"text": "male"}]), _range(115, 150, appliesTo=[{"text": "female"}])],
        [
            _range(130, 175, appliesTo=[concept((SNOMED, "248153007", "Male"))]),
            _range(115, 150, appliesTo=[concept((SNOMED, "248152002", "Female"))]),
        ],
        [_range(130, 175, text="男"), _range(115, 150, text="女")],
        [
            _range(105, 140, age={"high": {"value": 12, "unit": "a"}}),
            _range(115, 150, age={"low": {"value": 18, "unit": "a"}}),
        ],
    ],
)
def test_edge_38_of_several_ranges_the_one_for_this_person_counts(ranges: list[Json]) -> None:
    """The normal range of this woman of 52 years; a range for men, for children or for treatment is not hers."""
    assert grades("anemia", lab("hemoglobin", 118, "g/L", referenceRange=ranges)) == (0, 0)
    assert grades("anemia", lab("hemoglobin", 114, "g/L", referenceRange=ranges)) == (1, 1)


@pytest.mark.parametrize("ranges", [[], [{"text": "see report"}], [_range(130, 175), _range(115, 150)]])
def test_edge_38_without_a_usable_range_grade_1_cannot_be_told_from_0(ranges: list[Json]) -> None:
    """No range, or two that nobody tells apart: grade 1 is open, higher grades are not."""
    assert grades("anemia", lab("hemoglobin", 118, "g/L", referenceRange=ranges)) == (0, 1)
    assert grades("anemia", lab("hemoglobin", 79, "g/L", referenceRange=ranges)) == (3, 3)


def test_edge_39_an_abnormal_baseline_is_the_measure_of_liver_values() -> None:
    """ALT 100 before lymphodepletion (limit 50), 160 after: 1.6 times the baseline. The versions differ."""
    before, after = lab("alt", 100, "U/L", "2024-05-27", (7, 50)), lab("alt", 160, "U/L", limits=(7, 50))
    assert grades("alt-increased", before, after) == (1, 1)
    assert grades("alt-increased", before, after, ctcae_version="6.0") == (2, 2)
    assert grades("alt-increased", after) == (2, 2)


def test_edge_39_a_baseline_without_a_range_is_held_against_the_range_of_the_value() -> None:
    """ALT 100 was sent without its limit; the limit of 50 of the later value says that it was abnormal."""
    before = lab("alt", 100, "U/L", "2024-05-27")
    assert grades("alt-increased", before, lab("alt", 160, "U/L", limits=(7, 50))) == (1, 1)


def test_edge_39_a_value_during_lymphodepletion_is_no_baseline() -> None:
    """The baseline is the last value before lymphodepletion, not the last before the infusion."""
    before, during = lab("alt", 100, "U/L", "2024-05-27", (7, 50)), lab("alt", 40, "U/L", "2024-05-30", (7, 50))
    one = found("alt-increased", before, during, lab("alt", 160, "U/L", limits=(7, 50)))
    assert one is not None
    assert (one.baseline, one.grade) == ("100", 1)


def test_edge_40_fibrinogen_in_grams_and_in_milligrams_is_the_same() -> None:
    """1.2 g/L is 120 mg/dL; below half of the lower limit is grade 3."""
    assert grades("fibrinogen-decreased", lab("fibrinogen", 1.2, "g/L", limits=(2.0, 4.0))) == (2, 2)
    assert grades("fibrinogen-decreased", lab("fibrinogen", 120, "mg/dL", limits=(200, 400))) == (2, 2)
    assert grades("fibrinogen-decreased", lab("fibrinogen", 99, "mg/dL", limits=(200, 400))) == (3, 3)
    assert found("fibrinogen-decreased", lab("fibrinogen", 1.2, limits=(2.0, 400))) is None


def test_edge_40_the_lowest_fibrinogen_counts_whatever_was_given_after_it() -> None:
    """The nadir is before the cryoprecipitate; a risen value afterwards does not take the grade back."""
    nadir = lab("fibrinogen", 0.9, "g/L", "2024-06-08", (2.0, 4.0))
    assert grades("fibrinogen-decreased", nadir, lab("fibrinogen", 2.4, "g/L", "2024-06-09", (2.0, 4.0))) == (3, 3)


@pytest.mark.parametrize("method", [{"method": {"text": "PT-derived"}}, {"method": {"text": "PT演算法"}}])
def test_edge_40_fibrinogen_derived_from_the_clotting_curve_gives_way_to_clauss(method: Json) -> None:
    """A derived fibrinogen counts only on a day on which it was not measured after Clauss."""
    derived = lab("fibrinogen", 0.9, "g/L", limits=(2.0, 4.0), **method)
    assert grades("fibrinogen-decreased", derived, lab("fibrinogen", 1.2, "g/L", limits=(2.0, 4.0))) == (2, 2)
    assert grades("fibrinogen-decreased", derived) == (3, 3)


def test_edge_41_of_several_values_of_one_day_the_worst_counts() -> None:
    """Never the mean: 90 and 20 on one day are a nadir of 20."""
    morning = lab("platelets", 90, "10*9/L", "2024-06-09T06:00:00+08:00", (125, 350))
    assert grades(PLT, morning, lab("platelets", 20, "10*9/L", "2024-06-09T18:00:00+08:00", (125, 350))) == (4, 4)


def test_edge_41_the_baseline_is_the_last_value_and_not_the_mean() -> None:
    """ALT 100 and then 40 before lymphodepletion: the baseline is 40, which is normal."""
    one = found(
        "alt-increased",
        lab("alt", 100, "U/L", "2024-05-20", (7, 50)),
        lab("alt", 40, "U/L", "2024-05-27", (7, 50)),
        lab("alt", 160, "U/L", limits=(7, 50)),
    )
    assert one is not None
    assert (one.baseline, one.grade) == ("40", 2)


def test_edge_42_neutropenia_before_the_infusion_is_not_after_it() -> None:
    """Lymphodepletion begins before day 0: what it does by then is outside the window."""
    low = lab("neutrophils", 0.2, "10*9/L", "2024-05-30", (1.8, 6.3))
    assert found(ANC, low) is None
    assert grades(ANC, low, lab("neutrophils", 1.2, "10*9/L", limits=(1.8, 6.3))) == (2, 2)


def _grade(code: str) -> list[Json]:
    return [{"url": AE_GRADE, "valueCodeableConcept": concept((NCIT, code))}]


def test_edge_43_one_episode_in_several_records_is_one_with_its_worst_grade() -> None:
    """A condition (1), an adverse event (2) and a scored observation (2) of one CRS are one episode of grade 2."""
    one = found(
        "crs",
        condition("CRS grade 1", "2024-06-04"),
        adverse_event(CRS, "2024-06-05", extension=_grade("C41339")),
        graded("CRS grade", 2, "2024-06-05"),
    )
    assert one is not None
    assert one.onset is not None
    assert (one.grade, one.onset.iso) == (2, "2024-06-04")


def test_edge_43_crs_after_a_later_antibody_is_not_of_the_cells() -> None:
    """The window ends with the next therapy: a CRS after epcoritamab for relapse belongs to epcoritamab."""
    first = adverse_event(CRS, "2024-06-04", extension=_grade("C41338"))
    second = adverse_event(CRS, "2024-06-21", extension=_grade("C41340"))
    assert grades("crs", first, second) == (3, 3)
    assert grades("crs", first, given("L01FX27", "epcoritamab", "2024-06-20"), second) == (1, 1)
    assert grades("crs", first, adverse_event(CRS, "2024-07-20", extension=_grade("C41340"))) == (1, 1)


def test_edge_44_crs_of_the_step_up_doses_is_not_of_the_cells() -> None:
    """CRS after the first doses of the bispecific antibody, before the apheresis, does not count as CRS of CAR-T."""
    step_up = [given("L01FX28", "glofitamab", "2024-01-10"), condition("CRS grade 3", "2024-01-11")]
    assert found("crs", *step_up) is None
    assert grades("crs", *step_up, condition("CRS grade 1")) == (1, 1)


@pytest.mark.parametrize("text", ["无CRS", "CRS: none", "No CRS observed", "未发生CRS"])
def test_edge_45_a_denied_event_is_grade_0_and_no_event(text: str) -> None:
    """Assessed, and none: grade 0."""
    assert grades("crs", adverse_event({"text": text})) == (0, 0)
    assert grades("crs", graded("CRS grade", text)) == (0, 0)


@pytest.mark.parametrize("text", ["rule out ICANS", "r/o ICANS", "?ICANS", "疑似ICANS"])
def test_edge_45_a_suspected_event_is_not_reported(text: str) -> None:
    """What is only to be ruled out says neither that it was there nor that it was not."""
    assert found("icans", adverse_event({"text": text})) is None
    assert found("icans", condition(text)) is None


@pytest.mark.parametrize("status", ["refuted", "entered-in-error"])
def test_edge_45_a_refuted_condition_is_no_event(status: str) -> None:
    """A condition that was refuted, or entered in error, did not happen."""
    system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    assert found("crs", condition("CRS grade 2", verificationStatus=concept((system, status)))) is None


def test_edge_45_silence_is_not_grade_0() -> None:
    """No record means not reported; a recorded 0 means assessed and none. They are shown apart."""
    assert found("crs") is None
    assert grades("crs", graded("CRS grade", 0)) == (0, 0)


def test_edge_46_crs_without_a_grade_is_of_unknown_grade() -> None:
    """It counts as CRS of any grade, and its grade is 1 to 5: never taken for 1."""
    one = found("crs", adverse_event(CRS))
    assert one is not None
    assert (one.grade_min, one.grade_max, one.grade) == (1, 5, None)


def test_edge_46_tocilizumab_is_no_grade() -> None:
    """Tocilizumab or a vasopressor may suggest grade 2 and more, but nobody has graded it."""
    assert grades("crs", adverse_event(CRS), given("L04AC07", "tocilizumab", "2024-06-05")) == (1, 5)


@pytest.mark.parametrize(
    "severity",
    [
        {"severity": concept(("http://terminology.hl7.org/CodeSystem/adverse-event-severity", "severe"))},
        {"event": {"text": "severe CRS"}},
        {"event": {"text": "重度CRS"}},
    ],
)
def test_edge_47_severe_is_no_grade(severity: Json) -> None:
    """Severe is a word, not a grade: the grade stays unknown."""
    assert grades("crs", adverse_event(CRS) | severity) == (1, 5)
    assert grades("crs", condition("CRS", severity=concept((SNOMED, "24484000", "Severe")))) == (1, 5)


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("CRS grade II", 2),
        ("CRS 2级", 2),
        ("CRS Ⅲ级", 3),
        ("CRS G3", 3),
        ("细胞因子释放综合征（2级）", 2),
        ("CRS 三级", 3),
    ],
)
def test_edge_47_roman_and_chinese_numerals_are_grades(text: str, grade: int) -> None:
    """A grade is read however it is written, in an adverse event, a condition or a scored observation."""
    assert grades("crs", adverse_event({"text": text})) == (grade, grade)
    assert grades("crs", condition(text)) == (grade, grade)
    assert grades("crs", graded("CRS grade", text)) == (grade, grade)


@pytest.mark.parametrize("text", ["CRS G2-3", "CRS grade 2-3", "CRS 2~3级", "CRS grade 2, later grade 3"])
def test_edge_47_of_two_grades_the_worse_counts_and_is_flagged(text: str) -> None:
    """G2-3 is taken as 3, and says so."""
    for record in (adverse_event({"text": text}), condition(text), graded("CRS grade", text)):
        one = found("crs", record)
        assert one is not None
        assert (one.grade, "worst-of-several-grades" in one.flags) == (3, True), record["resourceType"]


@pytest.mark.parametrize("scale", ["Lee 2014", "Penn", "CARTOX", "CTCAE v5.0"])
def test_edge_47_a_grade_on_another_scale_is_only_an_event(scale: str) -> None:
    """Grade 2 after Lee may be grade 3 after ASTCT: scales are never mixed."""
    assert grades("crs", adverse_event({"text": f"CRS grade 2 ({scale})"})) == (1, 5)
    assert grades("crs", condition(f"CRS grade 2 ({scale})")) == (1, 5)
    assert grades("crs", graded(f"CRS grade ({scale})", 2)) == (1, 5)
    assert grades("crs", graded("CRS grade (ASTCT 2019)", 2)) == (2, 2)


def test_edge_43_crs_and_icans_have_each_their_own_code() -> None:
    """ICANS is MedDRA 10083347; its neighbour 10083507 is something else."""
    assert grades("icans", adverse_event(concept((MEDDRA, "10083347")), extension=_grade("C41338"))) == (1, 1)
    assert found("icans", adverse_event(concept((MEDDRA, "10083507")))) is None
